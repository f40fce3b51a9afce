"""`overread readers duty`: what readers are preferred for, and until when they are away."""

from datetime import UTC, datetime
from typing import Annotated

import typer

from backend.domain.findings import Finding
from backend.opened import open_store
from backend.terminal import now, print_json, print_table
from backend.workflow.set_duties import set_away, set_specialities


def duty(
    names: Annotated[list[str] | None, typer.Argument(help="Whose; everybody's if unset.")] = None,
    *,
    speciality: Annotated[
        list[str] | None,
        typer.Option(help="A finding that they are preferred for; repeat. Replaces the others."),
    ] = None,
    no_speciality: Annotated[bool, typer.Option(help="Prefer them for nothing.")] = False,
    away_until: Annotated[
        datetime | None,
        typer.Option(formats=["%Y-%m-%d"], help="First day on which they read again."),
    ] = None,
    back: Annotated[bool, typer.Option(help="They are back.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Say what readers are preferred for, and until when they are away; or show it.

    Whoever is away gets nothing new, and the next refill gives the open images to others, but for
    a few to go on with.
    """
    if (speciality or no_speciality or away_until or back) and not names:
        raise typer.BadParameter("expected names of readers; see: overread readers list")
    findings = [Finding.from_title(one) for one in speciality or []]
    with open_store().transaction() as unit:
        if speciality or no_speciality:
            set_specialities(unit, names or [], findings, now=now())
        if away_until or back:
            until = None if back or away_until is None else away_until.replace(tzinfo=UTC)
            set_away(unit, names or [], until, now=now())
        duties = unit.duties.all()
    shown = [
        (
            reader_id,
            [finding.title for finding in sorted(one.specialities)],
            one.away_until if one.is_away(now()) else None,
        )
        for reader_id, one in duties.items()
        if not names or reader_id in names
    ]
    if as_json:
        columns = ("reader", "specialities", "away_until")
        print_json([dict(zip(columns, row, strict=True)) for row in shown])
        return
    print_table(
        "Duties",
        ("reader", "preferred for", "away until"),
        [(who, ", ".join(titles) or None, until and until.date()) for who, titles, until in shown],
    )
