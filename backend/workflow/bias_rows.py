"""What the pre-annotation changes, line by line, for people and programs."""

from dataclasses import dataclass
from math import exp

from backend.domain.findings import Finding
from backend.domain.metrics.arm_effect import ArmEffect
from backend.domain.metrics.automation_bias import AutomationBias
from backend.domain.metrics.bias_outcomes import Outcome
from backend.workflow.measure_readers import ReaderReport

BY_TRUTH, BY_OTHERS = "adjudicated images", "the other readers"


@dataclass(frozen=True, slots=True)
class BiasRow:
    """What the pre-annotation changes in one figure.

    Attributes
    ----------
    outcome : str
        Which figure.
    finding : str or None
        Of which finding; None over all.
    assisted, unassisted : float or None
        The figure in either arm, for the same images and readers; None when not estimable.
    difference, low, high : float or None
        Assisted less unassisted with its 95 % interval; of minutes the ratio of the two.
    neutral : float
        The difference of no influence: 0, of minutes 1.
    rows_assisted, rows_unassisted : int
        On how many lesions, boxes or readings it is based.
    """

    outcome: str
    finding: str | None
    assisted: float | None
    unassisted: float | None
    difference: float | None
    low: float | None
    high: float | None
    neutral: float
    rows_assisted: int
    rows_unassisted: int

    @property
    def is_estimable(self) -> bool:
        """Whether there is enough to say anything."""
        return self.difference is not None

    @property
    def has_influence(self) -> bool:
        """Whether the interval leaves out no influence."""
        return (
            self.low is not None
            and self.high is not None
            and not self.low <= self.neutral <= self.high
        )


@dataclass(frozen=True, slots=True)
class BiasTable:
    """What the pre-annotation changes, by one reference.

    Attributes
    ----------
    reference : str
        `BY_TRUTH` or `BY_OTHERS`.
    readings, unassisted, judged : int
        Readings whose arm was drawn by lot; how many of them unassisted; how many with this
        reference.
    overall : tuple of BiasRow
        One per outcome.
    by_finding : tuple of BiasRow
        Those that are estimable.
    """

    reference: str
    readings: int
    unassisted: int
    judged: int
    overall: tuple[BiasRow, ...]
    by_finding: tuple[BiasRow, ...]


def bias_tables(report: ReaderReport) -> tuple[BiasTable, BiasTable]:
    """Return what the pre-annotation changes.

    Parameters
    ----------
    report : ReaderReport
        From `measure_readers`.

    Returns
    -------
    tuple of two BiasTable
        By the truth of adjudicated images, and by the other readers on the rest.
    """
    return (
        _table(BY_TRUTH, report.bias_by_truth),
        _table(BY_OTHERS, report.bias_by_others),
    )


def _table(reference: str, bias: AutomationBias) -> BiasTable:
    by_finding = [
        _row(outcome, effect, finding)
        for finding, effects in bias.by_finding.items()
        for outcome, effect in effects.items()
    ]
    return BiasTable(
        reference,
        bias.readings,
        bias.unassisted,
        bias.judged,
        tuple(_row(outcome, effect, None) for outcome, effect in bias.overall.items()),
        tuple(row for row in by_finding if row.is_estimable),
    )


def _row(outcome: Outcome, effect: ArmEffect, finding: Finding | None) -> BiasRow:
    found = effect.difference
    ends = [found.estimate, found.low, found.high]
    is_ratio = outcome is Outcome.MINUTES
    if is_ratio:
        ends = [None if end is None else exp(end) for end in ends]
    difference, low, high = ends
    return BiasRow(
        outcome.value,
        None if finding is None else finding.title,
        effect.assisted,
        effect.unassisted,
        difference,
        low,
        high,
        1.0 if is_ratio else 0.0,
        effect.rows_assisted,
        effect.rows_unassisted,
    )
