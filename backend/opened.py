"""What every command opens first."""

from backend.settings import Settings
from backend.store import schema
from backend.store.unit_of_work import Store


class NotMigratedError(RuntimeError):
    """The database has an older schema than the program."""


def open_store(settings: Settings | None = None) -> Store:
    """Open the database; the embedded one is made and migrated on the way.

    Parameters
    ----------
    settings : Settings or None
        Which database; the environment's when None.

    Returns
    -------
    Store
        The database.

    Raises
    ------
    NotMigratedError
        If a server's database is older than the program; its owner decides when to migrate.
    """
    settings = settings or Settings()
    store = Store(settings.sqlalchemy_url)
    store.check()
    if schema.pending(settings.sqlalchemy_url):
        if not settings.sqlalchemy_url.startswith("sqlite"):
            raise NotMigratedError("the database is not migrated; run: overread db upgrade")
        schema.upgrade(settings.sqlalchemy_url)
    return store
