"""What a challenger must not do, however good it is on the whole."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from math import comb

from backend.domain.findings import Finding
from backend.domain.promotion.changes import (
    CRITICAL,
    FEW_ON_EMPTIES,
    HARM_IN_CALIBRATION,
    HARM_IN_PRECISION,
    HARM_ON_EMPTIES,
    Change,
    Comparison,
    FindingChange,
    Harm,
)

ENOUGH_LESIONS = 30
"""A finding of fewer lesions is not judged on its own."""

HARMED_FROM = 0.8
"""Harm is taken for shown from this share of the resamples on."""

FLIPS_ALLOWED = 0.02
"""Share of the critical finding's lesions that may be lost without more ado."""

FLIPS_CHANCE = 0.25
"""More may be lost only as long as as many are gained, up to chance: exact McNemar."""


class Outcome(StrEnum):
    """What came of a check."""

    PASSED = "passed"
    UNCLEAR = "unclear"
    HARMED = "harmed"
    NOT_JUDGED = "not judged"


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that the gate looked at.

    Attributes
    ----------
    name : str
        What.
    outcome : Outcome
        What came of it.
    sentence : str
        The same with numbers, for people.
    """

    name: str
    outcome: Outcome
    sentence: str


def guard(comparison: Comparison, allowed: float) -> tuple[Check, ...]:
    """Return every check of a comparison beside the one on the whole.

    Parameters
    ----------
    comparison : Comparison
        Both models on the same images.
    allowed : float
        How far a sensitivity may fall.

    Returns
    -------
    tuple of Check
        Sensitivities, findings, critical finding, images without findings, calibration.

    Notes
    -----
    A sensitivity must be shown not to have fallen by more than is allowed, like mAP. The others
    are judged the other way round, harm has to be shown: for a finding that its average precision
    fell by more than `HARM_IN_PRECISION`, with `HARMED_FROM` certainty over all findings together
    (Holm).
    """
    return (
        *(_sensitivity(rate, change, allowed) for rate, change in comparison.sensitivity.items()),
        *_findings(comparison),
        _critical(comparison),
        *_empties(comparison.empties),
        *_calibration(comparison.d_ece),
        *_box_calibration(comparison.la_ece),
    )


def mcnemar(lost: int, gained: int) -> float:
    """Return how likely so many lost or more are when losing is no likelier than gaining.

    Parameters
    ----------
    lost, gained : int
        Cases that only one of the two got right.

    Returns
    -------
    float
        Exact one-sided p in (0, 1].

    References
    ----------
    Q. McNemar, "Note on the sampling error of the difference between correlated proportions or
    percentages", Psychometrika 12, 1947.

    Examples
    --------
    >>> mcnemar(2, 0), mcnemar(1, 1)
    (0.25, 0.75)
    """
    both = lost + gained
    return float(sum(comb(both, more) for more in range(lost, both + 1)) / 2**both)


def _sensitivity(rate: float, change: Change, allowed: float) -> Check:
    if change.high < 0:
        outcome, said = Outcome.HARMED, "it has fallen"
    elif change.low < -allowed:
        outcome, said = Outcome.UNCLEAR, "a fall cannot be ruled out"
    else:
        outcome, said = Outcome.PASSED, "it has not fallen"
    return Check(
        f"sensitivity at {rate:g} false marks per image",
        outcome,
        f"At {rate:g} false marks per image {change.challenger:.1%} of the lesions are marked "
        f"against {change.champion:.1%}: {said} ({_points(change.difference)}, with 95 % "
        f"certainty not below {_points(change.low)}; allowed {_points(-allowed)}).",
    )


def _findings(comparison: Comparison) -> Iterator[Check]:
    judged = {
        finding: change
        for finding, change in comparison.by_finding.items()
        if change.lesions >= ENOUGH_LESIONS
    }
    harmed = _holm({finding: change.p_unharmed for finding, change in judged.items()})
    for finding, change in judged.items():
        is_harmed = finding in harmed
        said = "it is harmed" if is_harmed else "no harm is shown"
        yield Check(
            finding.title,
            Outcome.HARMED if is_harmed else Outcome.PASSED,
            f"{finding.title} ({change.lesions} lesions): average precision "
            f"{change.precision.challenger:.3f} against {change.precision.champion:.3f}, {said} "
            f"(a fall by more than {HARM_IN_PRECISION:g} in {1 - change.p_unharmed:.0%} of the "
            "resamples).",
        )
    few = {
        finding: change
        for finding, change in comparison.by_finding.items()
        if change.lesions < ENOUGH_LESIONS
    }
    if few:
        yield _too_few({finding.title: change for finding, change in few.items()})


def _too_few(few: dict[str, FindingChange]) -> Check:
    named = ", ".join(f"{title} ({change.lesions})" for title, change in few.items())
    return Check(
        "rare findings",
        Outcome.NOT_JUDGED,
        f"Too few lesions to judge alone, {ENOUGH_LESIONS} are needed: {named}.",
    )


def _holm(p_unharmed: dict[Finding, float]) -> set[Finding]:
    """Return the findings whose harm is shown, however many are looked at."""
    harmed = set()
    for done, (finding, p) in enumerate(sorted(p_unharmed.items(), key=lambda one: one[1])):
        if p >= (1 - HARMED_FROM) / (len(p_unharmed) - done):
            break
        harmed.add(finding)
    return harmed


def _critical(comparison: Comparison) -> Check:
    flips = comparison.critical
    if not flips.lesions:
        return Check(
            f"lost {CRITICAL.title}",
            Outcome.NOT_JUDGED,
            f"No test image shows a {CRITICAL.title}: whether one would be lost is not known.",
        )
    is_harmed = (
        flips.lost > FLIPS_ALLOWED * flips.lesions
        and mcnemar(flips.lost, flips.gained) <= FLIPS_CHANCE
    )
    said = "that is too many" if is_harmed else "that is allowed"
    return Check(
        f"lost {CRITICAL.title}",
        Outcome.HARMED if is_harmed else Outcome.PASSED,
        f"Of {flips.lesions} {CRITICAL.title} lesions, {flips.lost} that were shown to readers "
        f"would be lost and {flips.gained} gained; {said}.",
    )


def _empties(harm: Harm | None) -> Iterator[Check]:
    if harm is None:
        return
    is_harmed = harm.p_harmed >= HARMED_FROM
    said = "that is more" if is_harmed else "no more than allowed is shown"
    yield Check(
        "marks on images without findings",
        Outcome.HARMED if is_harmed else Outcome.PASSED,
        f"On images without findings readers would see {harm.challenger:.2f} marks per image "
        f"against {harm.champion:.2f}; {said} (over {HARM_ON_EMPTIES - 1:.0%} and "
        f"{FEW_ON_EMPTIES:g} more in {harm.p_harmed:.0%} of the resamples).",
    )


def _calibration(harm: Harm | None) -> Iterator[Check]:
    if harm is None:
        return
    is_harmed = harm.p_harmed >= HARMED_FROM
    said = "they mean less" if is_harmed else "they mean as much as before"
    yield Check(
        "calibration",
        Outcome.HARMED if is_harmed else Outcome.PASSED,
        f"Scores as probabilities: {said}; D-ECE {harm.challenger:.3f} against "
        f"{harm.champion:.3f} (over {HARM_IN_CALIBRATION:g} more in {harm.p_harmed:.0%} of the "
        "resamples).",
    )


def _box_calibration(harm: Harm | None) -> Iterator[Check]:
    """Report LaECE, and judge nothing by it.

    Scores say how likely a mark is true, not how well its box sits. So LaECE holds a term that
    grows with the scores of true marks, and with it for every model that is better.
    """
    if harm is not None:
        yield Check(
            "calibration of boxes",
            Outcome.NOT_JUDGED,
            f"LaECE {harm.challenger:.3f} against {harm.champion:.3f}, for the record: it rises "
            "with every true mark that a model becomes surer of.",
        )


def _points(share: float) -> str:
    return f"{100 * share:+.1f} points"
