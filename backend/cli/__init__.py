"""The command `overread`, one module per group of commands."""
