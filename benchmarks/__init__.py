"""Benchmarks: one command each, ratios against a named peer in the same process."""
