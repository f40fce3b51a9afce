"""Keep the model card of a model version beside its weights."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from backend.formats.model_card import render_model_card
from backend.store.unit_of_work import Store
from backend.workflow.describe_model import describe_model


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
