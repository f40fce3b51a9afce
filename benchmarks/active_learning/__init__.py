"""What an acquisition strategy saves, replayed on phantom radiographs with known findings."""
