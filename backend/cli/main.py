"""The command `overread`."""

import logging
import sys
from importlib.metadata import entry_points, version
from typing import Annotated

import typer
from pydantic import ValidationError

from backend.cli.on_demand import group_of
from backend.settings import Settings
from backend.terminal import console

_COMMANDS = {
    "demo": "backend.cli.servers:demo",
    "up": "backend.cli.servers:up",
    "serve": "backend.cli.servers:serve",
    "doctor": "backend.cli.doctor:doctor",
    "db": "backend.cli.store:app",
    "import": "backend.cli.images:app",
    "readers": "backend.cli.readers:app",
    "sync": "backend.cli.sync:sync",
    "consensus": "backend.cli.consensus:app",
    "adjudicate": "backend.cli.adjudicate:app",
    "queue": "backend.cli.queue:app",
    "models": "backend.cli.models:app",
    "datasets": "backend.cli.datasets:app",
    "release": "backend.cli.releases:app",
    "accounts": "backend.cli.accounts:app",
    "tokens": "backend.cli.tokens:app",
}
_INSTALLED = {
    found.name: found.value
    for found in sorted(entry_points(group="overread.commands"), key=lambda found: found.name)
}

app = typer.Typer(
    cls=group_of({**_COMMANDS, **_INSTALLED}),
    name="overread",
    help="Semi-automated annotation and active learning for chest radiographs.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)


def _print_version(asked: bool) -> None:  # noqa: FBT001 - typer calls it so
    if asked:
        sys.stdout.write(f"overread {version('overread')}\n")
        raise typer.Exit


@app.callback()
def _options(
    *,
    _: Annotated[
        bool,
        typer.Option(
            "--version", help="Print the version and end.", is_eager=True, callback=_print_version
        ),
    ] = False,
) -> None:
    """Take the options of the program itself."""
    logging.basicConfig(level=Settings().log_level, format="%(levelname)s %(name)s: %(message)s")
    for chatty in ("alembic", "httpx", "httpx2"):
        logging.getLogger(chatty).setLevel(logging.WARNING)


def main() -> None:
    """Run the command line; what went wrong is told in one sentence, with the remedy."""
    try:
        app()
    except KeyboardInterrupt:
        _fail("interrupted; run the same command again to go on", code=130)
    except Exception as error:
        remedy = _remedy(error)
        if remedy is None:
            raise
        _fail(remedy)


def _remedy(error: Exception) -> str | None:
    """Return what to tell people; None when the error is a defect of the program."""
    if type(error).__module__.partition(".")[0] in {"backend", "ml_backend"}:
        return str(error)  # our own errors say what was expected and how to mend it
    if isinstance(error, ValidationError):
        return "a setting is wrong: " + "; ".join(_setting(item) for item in error.errors())
    if isinstance(error, ModuleNotFoundError):
        return f"{error.name} is not installed; this command needs: pip install 'overread[ml]'"
    if isinstance(error, OSError):
        where = f": {error.filename}" if error.filename else ""
        return (
            f"{error.strerror or error}{where}; check that the folder exists, may be written to "
            "and has room (OVERREAD_DATA_DIR)"
        )
    return None


def _setting(item: object) -> str:
    assert isinstance(item, dict)  # noqa: S101 - narrows pydantic's type
    name = "_".join(str(part) for part in item["loc"])
    return f"OVERREAD_{name.upper()}: {item['msg']}"


def _fail(message: str, *, code: int = 1) -> None:
    console.print("[bold red]error:[/] ", end="")
    console.print(message, markup=False)
    sys.exit(code)
