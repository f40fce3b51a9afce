"""Tests of the Label Studio edge without Label Studio."""
