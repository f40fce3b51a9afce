"""Overread: readings, consensus, review queue and releases over one SQL store."""
