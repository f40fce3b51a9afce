"""Tests against a real Label Studio, and against what a real one sent."""
