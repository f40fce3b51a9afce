"""Everything that a command imports, to be loaded once for all of them."""

from typer.main import get_group

from backend.cli.main import app

__all__ = ["commands"]

commands = dict(get_group(app).commands)
"""Taken out, so imported."""
