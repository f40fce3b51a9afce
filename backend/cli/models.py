"""`overread models`: which model version serves, and why."""

import getpass
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from backend.domain.models import ModelVersion
from backend.formats.model_card import headline, render_model_card
from backend.opened import open_store
from backend.store.unit_of_work import Store
from backend.terminal import console, now, print_json, print_table
from backend.workflow.describe_model import describe_model
from backend.workflow.keep_model_card import as_text, refresh_model_cards
from backend.workflow.name_model import aliases, find_model
from backend.workflow.promote_model import promote_by_hand, roll_back

app = typer.Typer(help="Model versions.", no_args_is_help=True)

AsJson = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]
Name = Annotated[str, typer.Argument(help="For example m3; or champion, challenger or previous.")]


class UnknownCardFormatError(ValueError):
    """A model card is wanted in a form that there is none in."""


@app.command(name="list")
def list_models(*, as_json: AsJson = False) -> None:
    """List every model version with its standing."""
    with open_store().snapshot() as unit:
        found = unit.models.all()
        called = {name: alias for alias, name in aliases(unit).items() if name}
    if as_json:
        print_json([{**asdict(one), "alias": called.get(one.name)} for one in found])
        return
    print_table(
        "Model versions",
        ("name", "state", "alias", "mAP@0.4", "the gate said", "trained on", "made", "promoted"),
        [
            (
                model.name,
                model.state,
                called.get(model.name),
                _figure(model.map40),
                model.gate and model.gate["verdict"],
                model.dataset_version,
                f"{model.created_at:%Y-%m-%d %H:%M}",
                model.promoted_at and f"{model.promoted_at:%Y-%m-%d %H:%M}",
            )
            for model in found
        ],
    )


@app.command()
def show(name: Name, *, as_json: AsJson = False) -> None:
    """Show what the gate said of a model version, what was measured, and when it served."""
    with open_store().snapshot() as unit:
        model = find_model(unit, name)
        card = describe_model(unit, model.name)
    if as_json:
        print_json({**asdict(model), "service": card["service"]})
        return
    typer.echo(f"{model.name}, {model.state.value}")
    _show_verdict(card)
    _show_figures(card)
    print_table(
        "Served",
        ("from", "to", "by", "reason"),
        [
            (one["from"][:16], (one["to"] or "now")[:16], one["by"], one["reason"])
            for one in card["service"]
        ],
    )


@app.command()
def promote(
    name: Name,
    *,
    reason: Annotated[str, typer.Option(help="Why; it is kept in the audit trail.")],
    as_json: AsJson = False,
) -> None:
    """Make a model version the champion, whatever the gate said."""
    store = open_store()
    with store.transaction() as unit:
        model = find_model(unit, name)
        champion = promote_by_hand(unit, model.name, actor=_actor(), reason=reason, now=now())
    _refresh_cards(store)
    _show_champion(champion, as_json=as_json)


@app.command()
def rollback(
    *,
    reason: Annotated[
        str, typer.Option(help="Why; it is kept in the audit trail.")
    ] = "rolled back",
    as_json: AsJson = False,
) -> None:
    """Make the champion before the present one champion again."""
    store = open_store()
    with store.transaction() as unit:
        champion = roll_back(unit, actor=_actor(), reason=reason, now=now())
    _refresh_cards(store)
    _show_champion(champion, as_json=as_json)


@app.command()
def card(
    name: Name,
    *,
    output: Annotated[Path, typer.Option(help="The file to write, .html or .json; overwritten.")],
) -> None:
    """Write the model card: where a model version comes from, how good it is, who decided."""
    if output.suffix not in {".html", ".json"}:
        raise UnknownCardFormatError(f"{output} is neither .html nor .json")
    with open_store().snapshot() as unit:
        gathered = describe_model(unit, name)
    html = render_model_card(gathered)
    output.write_text(html if output.suffix == ".html" else as_text(gathered), encoding="utf-8")
    console.print(f"{output}: model card of {gathered['name']}", markup=False)


def _refresh_cards(store: Store) -> None:
    _, problems = refresh_model_cards(store)
    for problem in problems:
        console.print(f"problem: {problem}", markup=False)


def _show_verdict(card: dict[str, Any]) -> None:
    gate = card["gate"]
    if gate is None:
        typer.echo("The weights came from outside and never passed the gate.")
        return
    typer.echo(f"The gate: {gate['reason']}")
    if "shadow" in gate:
        typer.echo(f"The shadow: {gate['shadow']['reason']}")
    for check in gate["checks"]:
        typer.echo(f"  {check['outcome']:>10}  {check['sentence']}")
    typer.echo(f"This was look number {gate['look']} at these test images.")


def _show_figures(card: dict[str, Any]) -> None:
    detection = card["detection"]
    if not detection or not detection["images"]:
        return
    print_table(
        f"On {detection['images']} test images with {detection['lesions']} lesions",
        ("", "", "95 % interval"),
        [(title, *_with_interval(figure)) for title, figure in headline(detection)]
        + [
            (f"{title} ({one['lesions']})", *_with_interval(one["average_precision"]))
            for title, one in detection["findings"].items()
        ],
    )

    for name, slices in detection["slices"].items():
        if slices:
            _show_slices(name, slices)


def _show_slices(name: str, slices: Mapping[str, Any]) -> None:
    print_table(
        f"By {name}",
        (name, "images", "lesions", "mAP@0.4", "95 % interval"),
        [
            (
                value,
                one["images"],
                one["lesions"],
                *(_with_interval(one["map40"]) if "map40" in one else ("too few images", None)),
            )
            for value, one in slices.items()
        ],
    )


def _with_interval(figure: Mapping[str, float | None]) -> tuple[str | None, str | None]:
    low, high = figure["low"], figure["high"]
    interval = None if low is None or high is None else f"{low:.3f} to {high:.3f}"
    return _figure(figure["estimate"]), interval


def _actor() -> str:
    return f"command line ({getpass.getuser()})"


def _show_champion(champion: ModelVersion, *, as_json: bool) -> None:
    if as_json:
        print_json({"champion": champion.name})
    else:
        console.print(f"{champion.name} is champion; the ML backend serves it within seconds")


def _figure(value: float | None) -> str | None:
    return None if value is None else f"{value:.3f}"
