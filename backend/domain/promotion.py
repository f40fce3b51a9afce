"""The gate between a challenger and the place of the champion."""

from dataclasses import dataclass
from math import isfinite

from backend.domain.metrics.average_precision import DetectionQuality


class IncomparableModelsError(ValueError):
    """Challenger and champion were not measured on the same images."""


@dataclass(frozen=True, slots=True)
class GateDecision:
    """What the gate decided, and on what ground.

    Attributes
    ----------
    promoted : bool
        Whether the challenger becomes the champion.
    reason : str
        Why, as one sentence for people.
    challenger_map : float or None
        mAP@0.4 of the challenger in [0, 1]; None when the test split held no finding.
    champion_map : float or None
        The same of the champion; None also when there is no champion.
    """

    promoted: bool
    reason: str
    challenger_map: float | None
    champion_map: float | None


def decide(challenger: DetectionQuality, champion: DetectionQuality | None) -> GateDecision:
    """Return whether a challenger may replace the champion.

    Parameters
    ----------
    challenger : DetectionQuality
        How the new model did on the frozen test split.
    champion : DetectionQuality or None
        How the serving model did on the same images, measured by the same code; None when no
        model serves yet.

    Returns
    -------
    GateDecision
        The decision with its reason.

    Raises
    ------
    IncomparableModelsError
        If the two were measured on different images.

    Notes
    -----
    A challenger is promoted if its mAP@0.4 is not lower than the champion's. Without a
    champion every challenger is promoted whose mAP is a number, or that could not be measured
    because the test split held no finding: the first model has to come from somewhere.
    """
    if champion is not None and (challenger.images, challenger.positives) != (
        champion.images,
        champion.positives,
    ):
        raise IncomparableModelsError(
            "challenger and champion were measured on different images; "
            "expected both on the same frozen test split: evaluate the champion again"
        )
    promoted, reason = _judge(challenger, champion)
    return GateDecision(
        promoted=promoted,
        reason=reason,
        challenger_map=challenger.map,
        champion_map=champion.map if champion is not None else None,
    )


def _judge(challenger: DetectionQuality, champion: DetectionQuality | None) -> tuple[bool, str]:
    """Return the decision and why."""
    new = challenger.map
    if new is not None and not isfinite(new):
        return False, f"The challenger's mAP@0.4 is {new}; expected a number in [0, 1]."
    if champion is None:
        measured = "the test split holds no finding" if new is None else f"mAP@0.4 is {new:.3f}"
        return True, f"There is no champion yet; {measured}."
    old = champion.map
    if new is None or old is None:
        return False, "The test split holds no finding, so the two cannot be compared."
    comparison = "not lower" if new >= old else "lower"
    return new >= old, f"mAP@0.4 is {new:.3f}, {comparison} than the champion's {old:.3f}."
