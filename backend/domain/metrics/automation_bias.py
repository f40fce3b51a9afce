"""How the pre-annotation sways readers: what they find, make up and overlook with it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from backend.domain.findings import Finding
from backend.domain.metrics.arm_effect import ArmEffect, Outcomes, arm_effect
from backend.domain.metrics.bias_outcomes import (
    WHOLE_IMAGE,
    DrawnReading,
    Lot,
    Outcome,
    Reference,
    outcomes_of,
)
from backend.domain.reading_table import ReadingTable


@dataclass(frozen=True, slots=True)
class AutomationBias:
    """How the pre-annotation sways readers.

    Attributes
    ----------
    readings, unassisted : int
        Readings whose arm was drawn by lot, and how many of them were unassisted.
    judged : int
        How many of them are of an image with a reference.
    overall : mapping of Outcome to ArmEffect
        Over all findings. Minutes are geometric means, and their difference is one of
        logarithms: exp(difference) is a ratio.
    by_finding : mapping of Finding to mapping of Outcome to ArmEffect
        Without minutes, for every finding that has been seen.
    """

    readings: int
    unassisted: int
    judged: int
    overall: Mapping[Outcome, ArmEffect]
    by_finding: Mapping[Finding, Mapping[Outcome, ArmEffect]]


def measure_bias(
    drawn: Sequence[DrawnReading],
    references: Sequence[Reference],
    models: Mapping[str, ReadingTable],
) -> AutomationBias:
    """Compare readings with and without the pre-annotation.

    Parameters
    ----------
    drawn : sequence of DrawnReading
        Readings whose arm was drawn by lot; others say nothing about the model's influence.
    references : sequence of Reference
        Readings, drawn or not, with what they are held against; no reading in two of them.
    models : mapping of str to ReadingTable
        Model version to the boxes that it shows, as the marks of one reader.

    Returns
    -------
    AutomationBias
        Figures that are not estimable have no value.
    """
    lot = Lot.of(drawn)
    judged: dict[Outcome, list[Outcomes]] = {}
    readings = 0
    for reference in references:
        for version in sorted(models):
            found, number = outcomes_of(lot, reference, version, models[version])
            readings += number
            for outcome, rows in found.items():
                judged.setdefault(outcome, []).append(rows)
    joined = {outcome: _joined(rows) for outcome, rows in judged.items()}
    joined[Outcome.MINUTES] = lot.minutes()
    empty = _joined([])
    return AutomationBias(
        len(drawn),
        sum(not one.is_assisted for one in drawn),
        readings,
        {outcome: _effect(outcome, joined.get(outcome, empty)) for outcome in Outcome},
        {
            finding: {
                outcome: arm_effect(rows.only(rows.findings == finding))
                for outcome, rows in joined.items()
                if outcome is not Outcome.MINUTES
            }
            for finding in Finding
            if any((rows.findings == finding).any() for rows in joined.values())
        },
    )


def _joined(parts: Sequence[Outcomes]) -> Outcomes:
    none = np.zeros(0, dtype=np.int64)
    empty = Outcomes(none.astype(np.float64), none.astype(np.bool_), none, none, none, none)
    columns = ("values", "is_assisted", "pairs", "readers", "images", "findings")
    return Outcomes(
        *(np.concatenate([getattr(part, name) for part in (empty, *parts)]) for name in columns)
    )


def _effect(outcome: Outcome, rows: Outcomes) -> ArmEffect:
    """Return the effect over all findings."""
    if outcome is Outcome.FALSE_MARKS and len(rows.values):
        rows = _summed(rows)
    found = arm_effect(rows)
    if outcome is not Outcome.MINUTES or found.assisted is None or found.unassisted is None:
        return found
    return ArmEffect(
        float(np.exp(found.assisted)),
        float(np.exp(found.unassisted)),
        found.difference,
        found.rows_assisted,
        found.rows_unassisted,
    )


def _summed(rows: Outcomes) -> Outcomes:
    """Return one row per reading with the sum over its findings."""
    readings = rows.images * (int(rows.readers.max()) + 1) + rows.readers
    _, first, group = np.unique(readings, return_index=True, return_inverse=True)
    is_first = np.zeros(len(rows.values), dtype=np.bool_)
    is_first[first] = True
    one = rows.only(is_first)
    return Outcomes(
        np.bincount(group, rows.values)[group[is_first]],
        one.is_assisted,
        one.pairs // len(Finding),  # the image, or nothing where rows share their finding only
        one.readers,
        one.images,
        np.full(len(first), WHOLE_IMAGE),
    )
