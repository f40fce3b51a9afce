"""Hold a challenger against the champion, and decide."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from backend.domain.dataset import DatasetVersion
from backend.domain.images import Split
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
    """

    name: str
    version: DatasetVersion
    map40: float | None
    test_sha256: str
    champion: str | None
    comparison: Comparison | None
    problems: Sequence[str] = ()


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
    verdicts = store.model_history.looks()
    champion = challenge.champion
    trained_on = None if champion is None else store.models.get(champion).dataset_version
    return Circumstances(
        challenger=challenge.name,
        champion=champion,
        challenger_map=challenge.map40,
        problems=challenge.problems,
        news=share_of_news(
            None if trained_on is None else store.datasets.get(trained_on), challenge.version
        ),
        look=1 + _looks(store, challenge, [dataset_version for dataset_version, _ in verdicts]),
        best_map=_best([gate for _, gate in verdicts], challenge.test_sha256),
    )


def _looks(store: UnitOfWork, challenge: Challenge, dataset_versions: Sequence[str]) -> int:
    """Return how many challengers were tested on practically the same images."""
    own = {member.image.id for member in challenge.version.in_split(Split.TEST)}
    tested = store.model_history.tested_on(set(dataset_versions))
    return sum(
        len(own & tested[name]) >= SAME_TEST_SET * max(len(own), len(tested[name]))
        for name in dataset_versions
    )


def _best(verdicts: Sequence[Mapping[str, Any]], sha256: str) -> float | None:
    """Return the best that a champion reached on exactly these images."""
    reached = [
        verdict["best_map"]
        for verdict in verdicts
        if verdict.get("test_sha256") == sha256 and verdict.get("best_map") is not None
    ]
    return reached[-1] if reached else None
