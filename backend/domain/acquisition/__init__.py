"""What is worth reading next, by whom, and why."""
