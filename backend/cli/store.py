"""`overread db`: the database's schema."""

import typer

from backend.settings import Settings
from backend.store import schema
from backend.terminal import console

app = typer.Typer(help="The database.", no_args_is_help=True)


@app.callback()
def _group() -> None:
    """Keep `upgrade` a subcommand, although it is the only one."""


@app.command()
def upgrade() -> None:
    """Bring the database to the newest schema."""
    url = Settings().sqlalchemy_url
    is_old = schema.pending(url)
    schema.upgrade(url)
    console.print("the database was migrated" if is_old else "the database is up to date")
