"""Tests: adjudication."""
