"""What can be wrong with a row of the VinBigData table, as a list of rules."""

from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from backend.domain.findings import NO_FINDING_CLASS_ID
from backend.formats.names import EXPECTED_NAME

if TYPE_CHECKING:
    import pandas as pd

EDGES = ("x_min", "y_min", "x_max", "y_max")
"""Columns of a box."""

_PLACELESS = (0.0, 0.0, 1.0, 1.0)
"""What some published tables give as the box of a "No finding" row."""

_Rule: TypeAlias = tuple["pd.Series[bool]", str]
"""Which rows break a rule, and what to tell of such a row."""


def problems(rows: "pd.DataFrame") -> dict[int, str]:
    """Return what is wrong with each bad row.

    Parameters
    ----------
    rows : DataFrame
        One row per line of the table, indexed by line, with image_id, rad_id, class_name,
        class_id (-1 when unknown), the four `EDGES` as numbers, and

        - named_class_id: the class id that class_name stands for, -1 when unknown;
        - expected_name: the class_name that class_id stands for;
        - stated_class_id, stated_box: the text of the file, to be quoted;
        - is_safe_image, is_safe_reader: whether the ids are safe names.

    Returns
    -------
    dict of int to str
        By line, in order; the first rule that a row breaks counts.
    """
    rules = [*_naming_rules(rows), *_no_finding_rules(rows), *_box_rules(rows), _repeat_rule(rows)]
    broken = np.column_stack([np.asarray(is_broken, dtype=bool) for is_broken, _ in rules])
    is_bad = np.asarray(broken.any(axis=1), dtype=bool)
    first_rule = broken[is_bad].argmax(axis=1)
    bad = rows.loc[is_bad]
    quoted = bad.to_dict("records")
    return {
        int(line): rules[rule][1].format_map(row)
        for line, rule, row in zip(bad.index, first_rule, quoted, strict=True)
    }


def _naming_rules(rows: "pd.DataFrame") -> list[_Rule]:
    return [
        (rows["image_id"] == "", "image_id is empty; " + EXPECTED_NAME),
        (~rows["is_safe_image"], "image_id {image_id!r} is no safe name; " + EXPECTED_NAME),
        (rows["rad_id"] == "", "rad_id is empty; " + EXPECTED_NAME),
        (~rows["is_safe_reader"], "rad_id {rad_id!r} is no safe name; " + EXPECTED_NAME),
        (
            rows["class_id"] < 0,
            "class_id {stated_class_id!r} is unknown; expected 0 to 13, or 14 for No finding",
        ),
        (
            rows["named_class_id"] < 0,
            "class_name {class_name!r} is unknown; expected {expected_name!r}, as class_id says",
        ),
        (
            rows["named_class_id"] != rows["class_id"],
            "class_name {class_name!r} and class_id {class_id} ({expected_name}) disagree",
        ),
    ]


def _no_finding_rules(rows: "pd.DataFrame") -> list[_Rule]:
    edges = rows[list(EDGES)]
    is_normal = rows["class_id"] == NO_FINDING_CLASS_ID
    is_placeless = edges.isna().all(axis=1) | (edges == np.array(_PLACELESS)).all(axis=1)
    reading = rows["image_id"] + "/" + rows["rad_id"]
    has_boxes = reading.isin(reading[~is_normal])
    return [
        (
            is_normal & ~is_placeless,
            "it says No finding, yet has a box ({stated_box}); expected empty coordinates",
        ),
        (
            is_normal & has_boxes,
            "it says No finding, yet the same reader has boxes on this image; the boxes are kept",
        ),
    ]


def _box_rules(rows: "pd.DataFrame") -> list[_Rule]:
    edges = rows[list(EDGES)]
    is_box = rows["class_id"] != NO_FINDING_CLASS_ID
    width, height = edges["x_max"] - edges["x_min"], edges["y_max"] - edges["y_min"]
    found = " in the box ({stated_box}); expected "
    return [
        (
            is_box & edges.isna().any(axis=1),
            "a coordinate is missing or not a number" + found + "four numbers",
        ),
        (
            is_box & edges.isin((np.inf, -np.inf)).any(axis=1),
            "a coordinate is infinite" + found + "finite numbers",
        ),
        (
            is_box & ((width < 0) | (height < 0)),
            "corners are swapped" + found + "x_min < x_max and y_min < y_max",
        ),
        (
            is_box & ((width == 0) | (height == 0)),
            "there is no area" + found + "x_min < x_max and y_min < y_max",
        ),
    ]


def _repeat_rule(rows: "pd.DataFrame") -> _Rule:
    same = rows[["image_id", "rad_id", "class_id", "named_class_id", *EDGES]].copy()
    same.loc[same["class_id"] == NO_FINDING_CLASS_ID, list(EDGES)] = np.nan
    return same.duplicated(), "it repeats an earlier row exactly; the earlier one is kept"
