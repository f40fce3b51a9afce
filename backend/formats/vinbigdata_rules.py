"""What can be wrong with a row of the VinBigData table, as a list of rules."""

import math
from collections.abc import Iterable
from functools import lru_cache
from typing import NamedTuple, TypeAlias

from backend.domain.findings import NO_FINDING_CLASS_ID, NO_FINDING_NAME, Finding
from backend.formats import names
from backend.formats.names import EXPECTED_NAME

EDGES = ("x_min", "y_min", "x_max", "y_max")
"""Columns of a box."""

UNKNOWN_CLASS = -1

Edges: TypeAlias = tuple[float, float, float, float]

_CLASS_NAMES = {
    **{int(finding): finding.title for finding in Finding},
    NO_FINDING_CLASS_ID: NO_FINDING_NAME,
}
_CLASS_IDS = {name.casefold(): class_id for class_id, name in _CLASS_NAMES.items()}
_NO_EDGES = (math.nan,) * 4
_PLACELESS = (0.0, 0.0, 1.0, 1.0)
"""What some published tables give as the box of a "No finding" row."""


class Row(NamedTuple):
    """A row of the table, read as far as it can be.

    Attributes
    ----------
    image_id, reader_id : str
        As they stand there.
    class_id : int
        0 to 14; -1 when unknown.
    edges : tuple of float, [px]
        x_min, y_min, x_max, y_max; NaN for what is empty or no number.
    stated_name, stated_class_id : str
        The text of class_name and class_id.
    stated_edges : tuple of str
        The text of the edges.
    """

    image_id: str
    reader_id: str
    class_id: int
    edges: Edges
    stated_name: str
    stated_class_id: str
    stated_edges: tuple[str, ...]

    @classmethod
    def of(cls, image_id: str, name: str, class_id: str, reader_id: str, *edges: str) -> "Row":
        """Read the text of a row.

        Parameters
        ----------
        image_id, name, class_id, reader_id : str
            The columns image_id, class_name, class_id and rad_id.
        *edges : str
            The columns of the box.

        Returns
        -------
        Row
            The same, with numbers.
        """
        numbers = _numbers(edges) if any(edges) else _NO_EDGES
        return cls(image_id, reader_id, _class_id(class_id), numbers, name, class_id, edges)

    @property
    def has_box(self) -> bool:
        """Whether it is about a box, not about "No finding"."""
        return self.class_id != NO_FINDING_CLASS_ID


def problems(rows: Iterable[Row]) -> dict[int, str]:
    """Return what is wrong with each bad row.

    Parameters
    ----------
    rows : iterable of Row
        All rows of the table.

    Returns
    -------
    dict of int to str
        By position, in order; the first rule that a row breaks counts.
    """
    listed = list(rows)
    marked = {(row.image_id, row.reader_id) for row in listed if row.has_box}
    found: dict[int, str] = {}
    seen: set[tuple[object, ...]] = set()
    for position, row in enumerate(listed):
        same = (
            row.image_id,
            row.reader_id,
            row.class_id,
            row.stated_name.casefold(),
            row.edges if row.has_box else None,
        )
        why = _naming_problem(row) or (
            _box_problem(row)
            if row.has_box
            else _no_finding_problem(row, has_boxes=(row.image_id, row.reader_id) in marked)
        )
        if why is None and same in seen:
            why = "it repeats an earlier row exactly; the earlier one is kept"
        seen.add(same)
        if why is not None:
            found[position] = why
    return found


def _naming_problem(row: Row) -> str | None:
    for column, text in (("image_id", row.image_id), ("rad_id", row.reader_id)):
        if not text:
            return f"{column} is empty; {EXPECTED_NAME}"
        if not names.is_safe(text):
            return f"{column} {text!r} is no safe name; {EXPECTED_NAME}"
    if row.class_id == UNKNOWN_CLASS:
        return (
            f"class_id {row.stated_class_id!r} is unknown; expected 0 to 13, or 14 for No finding"
        )
    expected = _CLASS_NAMES[row.class_id]
    named = _CLASS_IDS.get(row.stated_name.casefold())
    if named is None:
        return (
            f"class_name {row.stated_name!r} is unknown; expected {expected!r}, as class_id says"
        )
    if named != row.class_id:
        return f"class_name {row.stated_name!r} and class_id {row.class_id} ({expected}) disagree"
    return None


def _no_finding_problem(row: Row, *, has_boxes: bool) -> str | None:
    if row.edges != _PLACELESS and not all(map(math.isnan, row.edges)):
        return f"it says No finding, yet has a box ({_quoted(row)}); expected empty coordinates"
    if has_boxes:
        return (
            "it says No finding, yet the same reader has boxes on this image; the boxes are kept"
        )
    return None


def _box_problem(row: Row) -> str | None:
    x_min, y_min, x_max, y_max = row.edges
    if x_min < x_max < math.inf and y_min < y_max < math.inf and min(x_min, y_min) > -math.inf:
        return None
    found = f" in the box ({_quoted(row)}); expected "
    if any(map(math.isnan, row.edges)):
        return "a coordinate is missing or not a number" + found + "four numbers"
    if any(map(math.isinf, row.edges)):
        return "a coordinate is infinite" + found + "finite numbers"
    what = "corners are swapped" if x_max < x_min or y_max < y_min else "there is no area"
    return what + found + "x_min < x_max and y_min < y_max"


def _quoted(row: Row) -> str:
    return ", ".join(row.stated_edges)


def _numbers(edges: Iterable[str]) -> Edges:
    x_min, y_min, x_max, y_max = map(_number, edges)
    return x_min, y_min, x_max, y_max


def _number(text: str) -> float:
    try:
        return float(text) if "_" not in text else math.nan  # Python takes 1_000 for a number
    except ValueError:
        return math.nan


@lru_cache
def _class_id(text: str) -> int:
    number = _number(text)
    return int(number) if number in _CLASS_NAMES else UNKNOWN_CLASS
