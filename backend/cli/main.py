"""The command `overread`."""

import logging
import sys
from importlib.metadata import entry_points, version
from typing import Annotated

import typer
from pydantic import ValidationError

from backend.cli import doctor, images, models, queue, readers, releases, servers, store, tokens
from backend.settings import Settings
from backend.terminal import console

app = typer.Typer(
    name="overread",
    help="Semi-automated annotation and active learning for chest radiographs.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
app.add_typer(images.app, name="import")
app.add_typer(readers.app, name="readers")
app.add_typer(queue.app, name="queue")
app.add_typer(models.app, name="models")
app.add_typer(releases.app, name="release")
app.add_typer(store.app, name="db")
app.add_typer(tokens.app, name="tokens")
for command in (
    servers.up,
    servers.serve,
    servers.demo,
    doctor.doctor,
    queue.sync,
    queue.consensus,
):
    app.command()(command)
for found in sorted(entry_points(group="overread.commands"), key=lambda found: found.name):
    app.command(found.name)(found.load())


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


def main() -> None:
    """Run the command line; what went wrong is told in one sentence, with the remedy."""
    try:
        logging.basicConfig(
            level=Settings().log_level, format="%(levelname)s %(name)s: %(message)s"
        )
        for chatty in ("alembic", "httpx", "httpx2"):
            logging.getLogger(chatty).setLevel(logging.WARNING)
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
