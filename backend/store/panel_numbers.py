"""A reader panel as text and back, exactly."""

import json
from dataclasses import fields, is_dataclass
from typing import TypeVar, cast

import numpy as np
from numpy.typing import NDArray

from backend.domain.consensus.panel import Panel, prior_panel

Part = TypeVar("Part")


class MalformedPanelError(ValueError):
    """A text is not a reader panel."""


def as_text(panel: Panel) -> str:
    """Return a panel as canonical JSON.

    Parameters
    ----------
    panel : Panel
        Finite numbers only.

    Returns
    -------
    str
        The same for the same numbers, and different for different ones.

    Raises
    ------
    ValueError
        If a number is not finite.
    """
    return json.dumps(_plain(panel), sort_keys=True, separators=(",", ":"), allow_nan=False)


def from_text(text: str) -> Panel:
    """Return the panel that a text holds.

    Parameters
    ----------
    text : str
        From `as_text`.

    Returns
    -------
    Panel
        Equal to the one that was written, bit by bit.

    Raises
    ------
    MalformedPanelError
        If a part is missing, or of another type or shape than a panel of these readers has.
    """
    try:
        plain = json.loads(text)
    except json.JSONDecodeError as error:
        raise MalformedPanelError(f"panel: expected JSON, got {text[:40]!r}") from error
    reader_ids = plain.get("reader_ids") if isinstance(plain, dict) else None
    readers = _texts(reader_ids, "panel.reader_ids")
    return _like(prior_panel().of(readers), plain, "panel")


def _plain(value: object) -> object:
    if isinstance(value, np.ndarray):
        return value.tolist()
    if is_dataclass(value):
        return {field.name: _plain(getattr(value, field.name)) for field in fields(value)}
    return value


def _like(example: Part, plain: object, where: str) -> Part:
    """Return what a plain value says, in the types and shapes of an example."""
    found: object
    if isinstance(example, np.ndarray):
        found = _numbers(example, plain, where)
    elif isinstance(example, tuple):
        found = _texts(plain, where)
    elif isinstance(example, float):
        found = _number(plain, where)
    else:
        found = _parts(example, plain, where)
    return cast("Part", found)


def _parts(example: object, plain: object, where: str) -> object:
    assert is_dataclass(example)  # noqa: S101 - a panel consists of nothing else
    assert not isinstance(example, type)  # noqa: S101 - narrows what is_dataclass allows
    names = [field.name for field in fields(example)]
    if not isinstance(plain, dict) or set(plain) != set(names):
        told = ", ".join(sorted(plain)) if isinstance(plain, dict) else type(plain).__name__
        raise MalformedPanelError(f"{where}: expected the parts {', '.join(names)}; got {told}")
    return type(example)(
        **{name: _like(getattr(example, name), plain[name], f"{where}.{name}") for name in names}
    )


def _numbers(example: NDArray[np.float64], plain: object, where: str) -> NDArray[np.float64]:
    try:
        found = np.array(plain)
    except ValueError:  # rows of different lengths
        found = np.array(None)
    if example.size == 0 and plain == []:
        return example
    if found.dtype != np.float64 or found.shape != example.shape or not np.isfinite(found).all():
        raise MalformedPanelError(
            f"{where}: expected finite numbers of shape {example.shape}, got "
            f"{found.dtype} of shape {found.shape}"
        )
    return found


def _number(plain: object, where: str) -> float:
    if not isinstance(plain, float) or not np.isfinite(plain):
        raise MalformedPanelError(f"{where}: expected a finite number, got {plain!r}")
    return plain


def _texts(plain: object, where: str) -> tuple[str, ...]:
    if not isinstance(plain, list) or not all(isinstance(text, str) for text in plain):
        raise MalformedPanelError(f"{where}: expected a list of texts, got {plain!r:.40}")
    return tuple(plain)
