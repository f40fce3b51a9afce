"""The wall between readers, as code that runs inside Label Studio's own process."""
