"""`overread models`: which model version serves."""

import getpass
from dataclasses import asdict
from typing import Annotated

import typer

from backend.domain.models import ModelVersion
from backend.opened import open_store
from backend.terminal import console, now, print_json, print_table
from backend.workflow.promote_model import promote_by_hand, roll_back

app = typer.Typer(help="Model versions.", no_args_is_help=True)

AsJson = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]
Name = Annotated[str, typer.Argument(help="For example m3.")]


@app.command(name="list")
def list_models(*, as_json: AsJson = False) -> None:
    """List every model version with its standing."""
    with open_store().snapshot() as unit:
        found = unit.models.all()
    if as_json:
        print_json([asdict(model) for model in found])
        return
    print_table(
        "Model versions",
        ("name", "state", "mAP@0.4", "trained on", "made", "promoted"),
        [
            (
                model.name,
                model.state,
                _figure(model.map40),
                model.dataset_version,
                f"{model.created_at:%Y-%m-%d %H:%M}",
                model.promoted_at and f"{model.promoted_at:%Y-%m-%d %H:%M}",
            )
            for model in found
        ],
    )


@app.command()
def show(name: Name, *, as_json: AsJson = False) -> None:
    """Show one model version with everything that was measured."""
    with open_store().snapshot() as unit:
        model = unit.models.get(name)
    if as_json:
        print_json(asdict(model))
        return
    facts = [
        (key, value) for key, value in asdict(model).items() if key not in {"report", "scoring"}
    ]
    print_table(f"Model version {name}", ("", ""), [*facts, *model.report.items()])


@app.command()
def promote(name: Name, *, as_json: AsJson = False) -> None:
    """Make a model version the champion, whatever the gate said."""
    with open_store().transaction() as unit:
        champion = promote_by_hand(unit, name, actor=_actor(), now=now())
    _show_champion(champion, as_json=as_json)


@app.command()
def rollback(*, as_json: AsJson = False) -> None:
    """Make the champion before the present one champion again."""
    with open_store().transaction() as unit:
        champion = roll_back(unit, actor=_actor(), now=now())
    _show_champion(champion, as_json=as_json)


def _actor() -> str:
    return f"command line ({getpass.getuser()})"


def _show_champion(champion: ModelVersion, *, as_json: bool) -> None:
    if as_json:
        print_json({"champion": champion.name})
    else:
        console.print(f"{champion.name} is champion; the ML backend serves it within seconds")


def _figure(value: float | None) -> str | None:
    return None if value is None else f"{value:.3f}"
