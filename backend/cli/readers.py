"""`overread readers`: who reads, and their log-ins."""

import secrets
from dataclasses import asdict, replace
from typing import Annotated

import typer

from backend.accounts import hash_password
from backend.cli import reader_agreement, reader_duties, reader_stats, reading_history
from backend.desk import open_desk, open_reading_room, service_token
from backend.domain.worklists import EntryState
from backend.opened import open_store
from backend.settings import Settings
from backend.terminal import Steps, console, now, print_json, print_table, waiting
from backend.workflow.add_readers import AddedReader, NewReader, add_readers
from backend.workflow.count_second_looks import count_second_looks
from backend.workflow.deactivate_readers import deactivate_readers
from backend.workflow.synchronise import synchronise

app = typer.Typer(help="Readers, their worklists, and how well they read.", no_args_is_help=True)
app.command()(reader_stats.stats)
app.command()(reader_agreement.agreement)
app.command()(reading_history.history)
app.command()(reader_duties.duty)

SHARED_ORGANISATION = (
    "All readers share one Label Studio organisation (OVERREAD_LABEL_STUDIO_ADMIN_TOKEN is set): "
    "each can look at the others' projects and e-mail addresses. Blinding is procedural: tell the "
    "readers to open their own worklists only. To have it enforced, give Overread the server's "
    "shell."
)

_NOT_FETCHED = (
    "what was submitted last could not be fetched; it stays in Label Studio, and every sync tries "
    "again"
)

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
    """Add readers: organisation, project and log-in in Label Studio. Repeat to mend.

    Repeated with another --email, it changes the log-in. The pseudonym stays for ever: readings
    and releases name it.
    """
    settings = Settings()
    store = open_store(settings)
    with store.snapshot() as unit:
        known = unit.readers.projects(also_of_inactive=True)
        active = {project.reader_id for project in unit.readers.projects()}
    emails = {project.reader_id: project.email for project in known}
    new = [
        replace(
            new_reader(settings, name, email=email or emails.get(name), password=password),
            keep_password=name in active and not (password or reset_password),
        )
        for name in dict.fromkeys(names)
    ]
    room = open_reading_room(settings)
    with Steps() as steps:
        steps.step(f"setting up {len(new)} readers in Label Studio", len(new))
        added = add_readers(store, room, new, now=now(), on_reader=lambda _: steps.advance_by())
    _show(settings, new, added, as_json=as_json)
    if not room.registrar.keeps_readers_apart and not as_json:
        console.print(SHARED_ORGANISATION, markup=False)


@app.command()
def deactivate(
    names: Annotated[list[str], typer.Argument(help="Who leaves.")], *, as_json: AsJson = False
) -> None:
    """Close the log-in of readers who leave and give their open images to others.

    What they read is fetched first and stays; what cannot be fetched now is said, and every sync
    tries again. `readers add` brings them back.
    """
    settings = Settings()
    store = open_store(settings)
    with store.snapshot() as unit:
        for name in names:
            unit.readers.project_of(name)
    with waiting("fetching what was read, closing log-ins"):
        report = synchronise(store, open_desk(settings), clock=now)
        left = deactivate_readers(store, open_reading_room(settings).registrar, names, now=now())
    if as_json:
        said = {"sync_problems": report.problems, "sync_notices": report.notices}
        failed = report.readers_failed
        print_json([asdict(one) | {"fetched": one.reader_id not in failed} | said for one in left])
        return
    for one in left:
        console.print(f"{one.reader_id}: {one.withdrawn} open images go to other readers")
        if one.reader_id in report.readers_failed:
            console.print(f"{one.reader_id}: {_NOT_FETCHED}", markup=False)
    for problem in dict.fromkeys([*filter(None, [one.problem for one in left]), *report.problems]):
        console.print(f"problem: {problem}", markup=False)
    for notice in report.notices:
        console.print(f"look at: {notice}", markup=False)


@app.command(name="list")
def list_readers(*, as_json: AsJson = False) -> None:
    """List the readers with their progress."""
    with open_store().snapshot() as unit:
        known = unit.readers.projects(also_of_inactive=True)
        active = {project.reader_id for project in unit.readers.projects()}
        projects = {project.reader_id: project for project in known}
        rows = []
        for reader_id in unit.readers.ids():
            counts = unit.worklists.counts(reader_id)
            looks = count_second_looks(unit, reader_id)
            project = projects.get(reader_id)
            rows.append(
                {
                    "reader": reader_id,
                    "email": project.email if project else None,
                    "active": reader_id in active,
                    "open": counts[EntryState.OPEN],
                    "read": counts[EntryState.READ],
                    "skipped": counts[EntryState.SKIPPED],
                    "second_looks": looks.done,
                    "changed_answer": looks.changed_answer,
                }
            )
    if as_json:
        print_json(rows)
    else:
        columns = ("reader", "email", "active", "open", "read", "skipped")
        print_table(
            "Readers",
            (*columns, "second looks", "changed the answer"),
            [[row[name] for name in (*columns, "second_looks", "changed_answer")] for row in rows],
        )


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
        email=(email or f"{name}@readers.example").lower(),
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
