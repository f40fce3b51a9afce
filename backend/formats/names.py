"""Names from outside that may become file names, keys and links."""

SAFE_NAME = r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}"
"""Pattern of a name that is kept as it stands: no slash, space or control character."""

EXPECTED_NAME = (
    "expected a letter or digit first, then letters, digits, '.', '_' or '-', "
    "at most 128 characters"
)
"""What to tell the owner of another name."""
