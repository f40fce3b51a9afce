"""The servers of one machine: installed, started, watched and stopped."""
