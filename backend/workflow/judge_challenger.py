"""Hold a challenger against the champion, and decide."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from backend.domain.dataset import DatasetVersion
from backend.domain.images import Split
from backend.domain.models import ModelVersion
from backend.domain.promotion.changes import Comparison
from backend.domain.promotion.decision import GateDecision, decide
from backend.domain.promotion.news import share_of_news
from backend.domain.promotion.verdicts import Circumstances
from backend.store.unit_of_work import UnitOfWork

SAME_TEST_SET = 0.9
"""Two test sets that share so much are the same one when it is counted how often one looked."""


@dataclass(frozen=True, slots=True)
class Challenge:
    """A challenger before the gate.

    Attributes
    ----------
    name : str
        Its name.
    version : DatasetVersion
        What it was trained on, and was tested on.
    map40 : float or None
        Its mAP@0.4 there; None when the test images show no lesion.
    test_sha256 : str
        Which test images these were (`MeasuredModel.test_sha256`).
    champion : str or None
        What it was held against; None when nothing serves.
    comparison : Comparison or None
        What came of that; None without a champion, or when the test images show no lesion.
    problems : sequence of str
        Why the challenger cannot be trusted at all; none is normal.
    unreadable : str
        Why the champion's weights could not be read; empty is normal.
    """

    name: str
    version: DatasetVersion
    map40: float | None
    test_sha256: str
    champion: str | None
    comparison: Comparison | None
    problems: Sequence[str] = ()
    unreadable: str = ""


def judge_challenger(store: UnitOfWork, challenge: Challenge) -> GateDecision:
    """Return what the gate says of a challenger; nothing is changed.

    Parameters
    ----------
    store : UnitOfWork
        An open transaction, which is only read.
    challenge : Challenge
        The challenger, measured beside the champion.

    Returns
    -------
    GateDecision
        The verdict with its reasons.
    """
    facts = _circumstances(store, challenge)

    return decide(challenge.comparison, facts)


def kept_verdict(challenge: Challenge, decision: GateDecision) -> dict[str, Any]:
    """Return a verdict as it is kept with the model version.

    Parameters
    ----------
    challenge : Challenge
        The challenger.
    decision : GateDecision
        What the gate said.

    Returns
    -------
    dict
        Plain values.
    """
    return {
        **decision.as_json(),
        "champion": challenge.champion,
        "test_sha256": challenge.test_sha256,
        "comparison": challenge.comparison and challenge.comparison.as_json(),
    }


def _circumstances(store: UnitOfWork, challenge: Challenge) -> Circumstances:
    champion = None if challenge.champion is None else store.models.get(challenge.champion)
    learned = store.dataset_history.learned_from
    known = None
    if champion is not None and champion.dataset_version is not None:
        known = learned(champion.dataset_version)
    return Circumstances(
        challenger=challenge.name,
        champion=challenge.champion,
        challenger_map=challenge.map40,
        problems=challenge.problems,
        unreadable=challenge.unreadable,
        news=share_of_news(known, learned(challenge.version.name)),
        look=1 + _looks(store, challenge),
        best_map=_best(champion, challenge.comparison),
    )


def _looks(store: UnitOfWork, challenge: Challenge) -> int:
    """Return how many challengers were tested on practically the same images."""
    own = {member.image.id for member in challenge.version.in_split(Split.TEST)}
    dataset_versions = store.model_history.looks()
    tested = store.model_history.tested_on(set(dataset_versions))
    return sum(
        len(own & tested[name]) >= SAME_TEST_SET * max(len(own), len(tested[name]))
        for name in dataset_versions
    )


def _best(champion: ModelVersion | None, comparison: Comparison | None) -> float | None:
    """Return what the best that ever served would reach on today's test images.

    Test images change whenever something is read, so that best was not measured on these. How
    far the champion lay below it when it was crowned is in the champion's verdict.
    """
    if champion is None or champion.gate is None or comparison is None:
        return None
    best, own = champion.gate.get("best_map"), champion.gate.get("challenger_map")
    if not isinstance(best, int | float) or not isinstance(own, int | float):
        return None
    return comparison.map40.champion + best - own
