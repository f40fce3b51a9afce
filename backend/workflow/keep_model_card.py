"""Keep the model card of a model version beside its weights."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from backend.domain.models import ModelVersion
from backend.formats.model_card import render_model_card
from backend.store.unit_of_work import Store, UnitOfWork
from backend.workflow.describe_model import describe_model, describe_standing


def keep_model_card(store: Store, name: str) -> tuple[Path, Path]:
    """Write a model card beside the weights, for people and for programs.

    Parameters
    ----------
    store : Store
        The database.
    name : str
        The model version.

    Returns
    -------
    tuple of Path
        The HTML file and the JSON file; each appears whole, and replaces an older one.
    """
    with store.snapshot() as unit:
        weights = Path(unit.models.get(name).weights_uri)
        card = describe_model(unit, name)

    html, values = weights.with_suffix(".card.html"), weights.with_suffix(".card.json")
    for path, text in ((html, render_model_card(card)), (values, as_text(card))):
        draft = path.with_suffix(".partial")
        draft.write_text(text, encoding="utf-8")
        draft.replace(path)
    return html, values


def refresh_model_cards(
    store: Store,
    *,
    on_start: Callable[[int], None] = lambda _: None,
    on_cards: Callable[[int], None] = lambda _: None,
) -> tuple[list[Path], list[str]]:
    """Write the cards of all model versions whose standing is another than their card says.

    Parameters
    ----------
    store : Store
        The database.
    on_start, on_cards : callable
        Called with the number of model versions that want a card, and that have it by now.

    Returns
    -------
    tuple of list
        Files that were written, and problems in writing. Where the weights are missing there is
        no card; versions with the same weights share that of the newest one.
    """
    with store.snapshot() as unit:
        newest = {model.weights_uri: model for model in unit.models.all()}
        stale = [model.name for model in newest.values() if _is_stale(unit, model)]
    on_start(len(stale))

    written: list[Path] = []
    problems = []
    for done, name in enumerate(stale, start=1):
        try:
            written += keep_model_card(store, name)
        except OSError as problem:
            problems.append(f"the model card of {name} could not be written: {problem}")
        on_cards(done)
    return written, problems


def _is_stale(unit: UnitOfWork, model: ModelVersion) -> bool:
    weights = Path(model.weights_uri)
    if not weights.is_file():
        return False
    standing = json.loads(as_text(describe_standing(unit, model)))
    try:
        kept = json.loads(weights.with_suffix(".card.json").read_text(encoding="utf-8"))
        return any(kept[name] != value for name, value in standing.items())
    except (OSError, ValueError, KeyError):
        return True


def as_text(card: Mapping[str, Any]) -> str:
    """Return a model card for programs.

    Parameters
    ----------
    card : mapping
        What `describe_model` gathered.

    Returns
    -------
    str
        JSON.
    """
    return json.dumps(card, indent=1, ensure_ascii=False) + "\n"
