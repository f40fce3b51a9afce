"""Fixtures and options of all tests."""

import pytest

pytest_plugins = ["tests.databases"]


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let the tests of Label Studio run on the database that teams use."""
    parser.addoption(
        "--label-studio-database",
        metavar="URL",
        help="run tests/label_studio with Label Studio on this empty PostgreSQL database (with "
        "pg_trgm, which it needs) rather than on SQLite: postgresql://user:password@host/name",
    )
