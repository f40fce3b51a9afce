"""`overread adjudicate adjudicators`: who settles what readers dispute, and their log-ins."""

import secrets
from collections import Counter
from typing import Annotated

import typer

from backend.desk import open_reading_room, service_token
from backend.opened import open_store
from backend.settings import Settings
from backend.terminal import console, now, print_json, print_table, waiting
from backend.workflow.add_adjudicators import NewAdjudicator, add_adjudicators
from backend.workflow.synchronise_adjudication import DESK

app = typer.Typer(help="Who settles what readers dispute.", no_args_is_help=True)

AsJson = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]


@app.command()
def add(
    names: Annotated[list[str], typer.Argument(help="Pseudonyms, for example A1 A2.")],
    *,
    email: Annotated[
        str | None,
        typer.Option(help="Log-in of a single one; <name>@adjudicators.example if unset."),
    ] = None,
    password: Annotated[
        str | None,
        typer.Option(envvar="OVERREAD_ADJUDICATOR_PASSWORD", help="Made up and shown if unset."),
    ] = None,
    reset_password: Annotated[
        bool, typer.Option(help="Give an adjudicator who is there already a new password.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Add adjudicators: a log-in each, one organisation and one project in Label Studio."""
    settings = Settings()
    store = open_store(settings)
    with store.snapshot() as unit:
        known = {one.id: one.email for one in unit.adjudicators.all()}
    new = [
        NewAdjudicator(
            adjudicator_id=name,
            email=email or known.get(name) or f"{name.casefold()}@adjudicators.example",
            password=password or secrets.token_urlsafe(9),
            keep_password=name in known and not (password or reset_password),
        )
        for name in names
    ]
    with waiting(f"setting up {', '.join(names)} in Label Studio"):
        stream_url = add_adjudicators(
            store,
            open_reading_room(settings),
            new,
            service_token=service_token(settings, DESK),
            now=now(),
        )
    rows = [
        {
            "adjudicator": one.adjudicator_id,
            "email": one.email,
            "password": None if one.keep_password else one.password,
            "worklist": stream_url,
        }
        for one in new
    ]
    if as_json:
        print_json(rows)
        return
    columns = ("adjudicator", "email", "password")
    print_table("Log-ins, shown once", columns, [[row[name] for name in columns] for row in rows])
    console.print(f"They work here: {stream_url}", markup=False)


@app.command(name="list")
def list_people(*, as_json: AsJson = False) -> None:
    """List the adjudicators with what they decided."""
    with open_store().snapshot() as unit:
        decided = Counter(
            who
            for verdict in unit.adjudications.standing().values()
            for who in verdict.adjudicators
        )
        rows = [
            {"adjudicator": one.id, "email": one.email, "images": decided[one.id]}
            for one in unit.adjudicators.all()
        ]
    if as_json:
        print_json(rows)
    else:
        columns = ("adjudicator", "email", "images")
        print_table("Adjudicators", columns, [[row[name] for name in columns] for row in rows])
