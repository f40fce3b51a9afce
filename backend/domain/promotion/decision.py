"""Whether a challenger may take the champion's place, and why."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from math import isfinite
from statistics import NormalDist
from typing import Any

from backend.domain.promotion import sentences
from backend.domain.promotion.changes import Comparison
from backend.domain.promotion.guards import ENOUGH_LESIONS, Check, Outcome, guard
from backend.domain.promotion.verdicts import NEWS_FROM, Circumstances, Verdict, margin

_ERROR = 0.01
"""Not 5 %: the bootstrap's tails are light; `benchmarks.gate` shows what comes of it."""


@dataclass(frozen=True, slots=True)
class GateDecision:
    """What the gate decided, and on what ground.

    Attributes
    ----------
    verdict : Verdict
        In a few words.
    reason : str
        Why, in sentences for people.
    checks : tuple of Check
        Everything else that was looked at.
    challenger_map, champion_map : float or None
        mAP@0.4 of both in [0, 1]; None when the test images show no lesion, or without a champion.
    look : int
        The how-manieth challenger was measured on practically these test images.
    best_map : float or None
        The best mAP@0.4 on these test images to hold the next ones against, should this
        challenger be crowned.
    """

    verdict: Verdict
    reason: str
    checks: tuple[Check, ...]
    challenger_map: float | None
    champion_map: float | None
    look: int
    best_map: float | None

    @property
    def passed(self) -> bool:
        """Whether the challenger may take the champion's place, at once or from the shadow."""
        return self.verdict.passes

    def as_json(self) -> dict[str, Any]:
        """Return plain values.

        Returns
        -------
        dict
            What is kept with the model version.
        """
        return {**asdict(self), "passed": self.passed}


def decide(comparison: Comparison | None, facts: Circumstances) -> GateDecision:
    """Return whether a challenger may replace the champion.

    Parameters
    ----------
    comparison : Comparison or None
        Both on the frozen test images; None without a champion, or when they show no lesion.
    facts : Circumstances
        What else counts.

    Returns
    -------
    GateDecision
        The verdict with its reasons.

    Notes
    -----
    In this order: an unsound challenger never passes. Without a champion every sound one does:
    the first model has to come from somewhere. Where the champion's weights cannot be read,
    nothing is known of how the two compare, and where next to nothing can be told, little: the
    champion stays. One that is shown to be worse, or to do harm in one respect, does not pass.
    One that is shown to be better does. One that is shown not to be worse by more than the margin
    does when it is not further than the margin below the best that ever served, and enough of
    what it learned from is new. Otherwise the champion stays.

    "Shown" means: with 95 % certainty by a paired bootstrap; for "better" with 99 %, and more
    at every further look at the same test images (`error_at_look`). Of the best, only gains
    beyond one standard error are noted, after the Ladder: a lucky night does not raise the bar.

    References
    ----------
    A. Blum, M. Hardt, "The Ladder: a reliable leaderboard for machine learning competitions",
    ICML 2015.
    """
    checks = () if comparison is None else guard(comparison, margin(comparison.images))
    verdict = _verdict(comparison, facts, checks)
    return GateDecision(
        verdict=verdict,
        reason=sentences.reason(verdict, comparison, facts, checks),
        checks=checks,
        challenger_map=facts.challenger_map,
        champion_map=comparison.map40.champion if comparison is not None else None,
        look=facts.look,
        best_map=_ladder(comparison, facts),
    )


def error_at_look(look: int) -> float:
    """Return how often the gate may call an equal challenger better at one look.

    Parameters
    ----------
    look : int
        The how-manieth challenger is measured on the same test images; the first is 1.

    Returns
    -------
    float
        1 %, then less at every look: who asks often enough is right by chance.

    Examples
    --------
    >>> error_at_look(1), error_at_look(10)
    (0.01, 0.001)
    """
    return _ERROR / look


def _verdict(
    comparison: Comparison | None, facts: Circumstances, checks: Sequence[Check]
) -> Verdict:
    """Return the first verdict whose rule applies."""
    new = facts.challenger_map
    if facts.problems or (new is not None and not isfinite(new)):
        return Verdict.UNSOUND
    if facts.champion is None:
        return Verdict.FIRST
    if facts.unreadable:
        return Verdict.UNREADABLE
    if comparison is None or comparison.lesions < ENOUGH_LESIONS:
        return Verdict.TOO_LITTLE
    change, allowed = comparison.map40, margin(comparison.images)
    outcomes = {check.outcome for check in checks}
    is_unclear = Outcome.UNCLEAR in outcomes
    rules = (
        (Verdict.WORSE, change.high < 0),
        (Verdict.HARMFUL, Outcome.HARMED in outcomes),
        (Verdict.BETTER, _is_better(comparison, facts) and not is_unclear),
        (Verdict.TOO_LITTLE, is_unclear or change.low < -allowed),
        (Verdict.SLIPPING, change.challenger < (facts.best_map or 0.0) - allowed),
        (Verdict.NO_NEWS, facts.news < NEWS_FROM),
        (Verdict.NOT_WORSE, True),
    )
    return next(verdict for verdict, applies in rules if applies)


def _is_better(comparison: Comparison, facts: Circumstances) -> bool:
    """Tell whether the gain is beyond chance, at this look at the same images."""
    change = comparison.map40
    certain = NormalDist().inv_cdf(1 - error_at_look(facts.look)) * change.standard_error
    return change.low > 0 and change.difference > certain


def _ladder(comparison: Comparison | None, facts: Circumstances) -> float | None:
    """Return the best mAP to hold the next ones against: only real gains move it."""
    new, best = facts.challenger_map, facts.best_map
    if comparison is None:
        return new if best is None else best
    change = comparison.map40
    best = change.champion if best is None else best
    return change.challenger if change.challenger > best + change.standard_error else best
