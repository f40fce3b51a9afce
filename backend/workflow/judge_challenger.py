"""Hold a challenger against the champion, and decide."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from backend.domain.dataset import DatasetVersion
from backend.domain.images import Split
from backend.domain.models import ModelVersion
from backend.domain.promotion.comparison import MeasuredModel, compare
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
        What it was trained on, and is tested on.
    measured : MeasuredModel
        What it marked on the test images.
    problems : sequence of str
        Why it cannot be trusted at all; none is normal.
    seed : int
        Of the bootstrap.
    """

    name: str
    version: DatasetVersion
    measured: MeasuredModel
    problems: Sequence[str]
    seed: int


def judge_challenger(
    store: UnitOfWork,
    challenge: Challenge,
    champion: ModelVersion | None,
    champion_measured: MeasuredModel | None,
) -> GateDecision:
    """Return what the gate says of a challenger; nothing is changed.

    Parameters
    ----------
    store : UnitOfWork
        An open transaction, which is only read.
    challenge : Challenge
        The challenger.
    champion : ModelVersion or None
        What serves; None when nothing does.
    champion_measured : MeasuredModel or None
        What the champion marked on the same images; None without one.

    Returns
    -------
    GateDecision
        The verdict with its reasons.

    Raises
    ------
    IncomparableModelsError
        If the two were measured on different images.
    """
    facts = _circumstances(store, challenge, champion)

    comparison = (
        None
        if champion_measured is None
        else compare(champion_measured, challenge.measured, np.random.default_rng(challenge.seed))
    )
    return decide(comparison, facts)


def kept_verdict(
    challenge: Challenge, decision: GateDecision, champion: ModelVersion | None
) -> dict[str, Any]:
    """Return a verdict as it is kept with the model version.

    Parameters
    ----------
    challenge : Challenge
        The challenger.
    decision : GateDecision
        What the gate said.
    champion : ModelVersion or None
        What it was held against.

    Returns
    -------
    dict
        Plain values.
    """
    return {
        **decision.as_json(),
        "champion": None if champion is None else champion.name,
        "test_images": challenge.measured.judged.images,
        "test_lesions": len(challenge.measured.judged.lesions.boxes),
        "test_sha256": hash_test_set(challenge.measured),
        "bootstrap_seed": challenge.seed,
    }


def hash_test_set(measured: MeasuredModel) -> str:
    """Return the hash that tells one test set from another.

    Parameters
    ----------
    measured : MeasuredModel
        What a model marked on it; marks mean nothing here.

    Returns
    -------
    str
        SHA-256, hexadecimal, of images, weights and lesions.
    """
    judged = measured.judged
    content = [
        list(judged.image_ids),
        judged.weights.round(6).tolist(),
        judged.lesions.images.tolist(),
        judged.lesions.findings.tolist(),
        judged.lesions.boxes.round(2).tolist(),
    ]
    return hashlib.sha256(json.dumps(content, separators=(",", ":")).encode()).hexdigest()


def _circumstances(
    store: UnitOfWork, challenge: Challenge, champion: ModelVersion | None
) -> Circumstances:
    verdicts = store.model_history.looks()
    trained_on = None if champion is None else champion.dataset_version
    return Circumstances(
        challenger=challenge.name,
        champion=None if champion is None else champion.name,
        challenger_map=challenge.measured.map40,
        problems=challenge.problems,
        news=share_of_news(
            None if trained_on is None else store.datasets.get(trained_on), challenge.version
        ),
        look=1 + _looks(store, challenge, [dataset_version for dataset_version, _ in verdicts]),
        best_map=_best([gate for _, gate in verdicts], hash_test_set(challenge.measured)),
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
