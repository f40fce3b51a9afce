"""Servers and wires that fail at random."""
