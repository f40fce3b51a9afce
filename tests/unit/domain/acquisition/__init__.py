"""What to read next, and by whom."""
