"""Tests: label_studio."""
