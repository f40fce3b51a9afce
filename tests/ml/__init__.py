"""Tests: ml."""
