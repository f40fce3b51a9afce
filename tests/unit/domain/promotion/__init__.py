"""Tests: promotion."""
