"""`overread readers`: who reads, and their log-ins."""

import secrets
from dataclasses import replace
from typing import Annotated

import typer

from backend.accounts import hash_password
from backend.cli import reader_agreement, reader_stats
from backend.desk import open_reading_room, service_token
from backend.domain.worklists import EntryState
from backend.opened import open_store
from backend.settings import Settings
from backend.terminal import console, now, print_json, print_table, waiting
from backend.workflow.add_readers import AddedReader, NewReader, add_readers

app = typer.Typer(help="Readers, their worklists, and how well they read.", no_args_is_help=True)
app.command()(reader_stats.stats)
app.command()(reader_agreement.agreement)

AsJson = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]


@app.command()
def add(
    names: Annotated[list[str], typer.Argument(help="Pseudonyms, for example R1 R2 R3.")],
    *,
    email: Annotated[
        str | None,
        typer.Option(help="Log-in of a single reader; <name>@readers.example if unset."),
    ] = None,
    password: Annotated[
        str | None,
        typer.Option(envvar="OVERREAD_READER_PASSWORD", help="Made up and shown if unset."),
    ] = None,
    reset_password: Annotated[
        bool, typer.Option(help="Give a reader who is there already a new password.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Add readers: organisation, project and log-in in Label Studio. Repeat to mend."""
    settings = Settings()
    store = open_store(settings)
    with store.snapshot() as unit:
        known = {project.reader_id: project.email for project in unit.readers.projects()}
    new = [
        replace(
            new_reader(settings, name, email=email or known.get(name), password=password),
            keep_password=name in known and not (password or reset_password),
        )
        for name in names
    ]
    with waiting(f"setting up {', '.join(names)} in Label Studio"):
        added = add_readers(store, open_reading_room(settings), new, now=now())
    _show(settings, new, added, as_json=as_json)


@app.command(name="list")
def list_readers(*, as_json: AsJson = False) -> None:
    """List the readers with their progress."""
    with open_store().snapshot() as unit:
        projects = {project.reader_id: project for project in unit.readers.projects()}
        rows = []
        for reader_id in unit.readers.ids():
            counts = unit.worklists.counts(reader_id)
            project = projects.get(reader_id)
            rows.append(
                {
                    "reader": reader_id,
                    "email": project.email if project else None,
                    "open": counts[EntryState.OPEN],
                    "read": counts[EntryState.READ],
                    "skipped": counts[EntryState.SKIPPED],
                }
            )
    if as_json:
        print_json(rows)
    else:
        columns = ("reader", "email", "open", "read", "skipped")
        print_table("Readers", columns, [[row[name] for name in columns] for row in rows])


def new_reader(
    settings: Settings, name: str, *, email: str | None, password: str | None
) -> NewReader:
    """Return a reader with a log-in.

    Parameters
    ----------
    settings : Settings
        Holds the secret that the service token is derived from.
    name : str
        Pseudonym.
    email, password : str or None
        The log-in; made up where None.

    Returns
    -------
    NewReader
        For `add_readers`.
    """
    chosen = password or secrets.token_urlsafe(9)
    return NewReader(
        reader_id=name,
        email=email or f"{name.casefold()}@readers.example",
        password=chosen,
        password_hash=hash_password(chosen),
        service_token=service_token(settings, name),
    )


def _show(
    settings: Settings, new: list[NewReader], added: list[AddedReader], *, as_json: bool
) -> None:
    rows = [
        {
            "reader": reader.reader_id,
            "email": reader.email,
            "password": None if reader.keep_password else reader.password,
            "page": settings.backend_url,
            "worklist": result.stream_url,
            "problem": result.problem,
        }
        for reader, result in zip(new, added, strict=True)
    ]
    if as_json:
        print_json(rows)
        return
    columns = ("reader", "email", "password")
    print_table("Log-ins, shown once", columns, [[row[name] for name in columns] for row in rows])
    console.print(f"Readers sign in at {settings.backend_url}, which leads to their worklists:")
    for row in rows:
        console.print(f"{row['reader']}: {row['worklist']}", markup=False)
        if row["problem"]:
            console.print(f"{row['reader']}: {row['problem']}", markup=False)
