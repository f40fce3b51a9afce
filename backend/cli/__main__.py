"""`python -m backend.cli`, the same as `overread`."""

from backend.cli.main import main

main()
