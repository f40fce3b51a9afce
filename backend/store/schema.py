"""Bring the database to the newest schema."""

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

from backend.installed_files import locate
from backend.store.availability import named_errors
from backend.store.engine import open_engine, snapshot_of


def alembic_config(url: str) -> Config:
    """Return Alembic's configuration for a database.

    Parameters
    ----------
    url : str
        SQLAlchemy URL.

    Returns
    -------
    Config
        Points at the migrations of this installation.
    """
    scripts = locate("migrations")
    config = Config()
    config.set_main_option("script_location", str(scripts).replace("%", "%%"))
    config.attributes["url"] = url
    return config


def upgrade(url: str) -> None:
    """Apply every migration that is missing.

    Parameters
    ----------
    url : str
        SQLAlchemy URL.

    Raises
    ------
    StoreUnavailableError
        If the database is down, or locked for more than 30 s.
    """
    with named_errors():
        command.upgrade(alembic_config(url), "head")


def pending(url: str) -> bool:
    """Return whether the schema is older than this version of the program.

    Parameters
    ----------
    url : str
        SQLAlchemy URL.

    Returns
    -------
    bool
        True when `upgrade` has something to do.

    Raises
    ------
    StoreUnavailableError
        If the database is down.
    """
    engine = open_engine(url)
    try:
        with named_errors(), snapshot_of(engine).connect() as connection:
            current = MigrationContext.configure(connection).get_current_revision()
    finally:
        engine.dispose()
    return current != ScriptDirectory.from_config(alembic_config(url)).get_current_head()
