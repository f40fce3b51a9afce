"""Let a challenger that scored in the shadow serve, or turn it away."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

import numpy as np

from backend.domain.edits import edits_between
from backend.domain.models import ModelVersion
from backend.domain.predictions import Prediction
from backend.domain.promotion.shadow import ShadowImage, ShadowVerdict, judge_shadow
from backend.domain.readings import Arm, Reading
from backend.store.unit_of_work import UnitOfWork
from backend.workflow.crown_model import crown_model, reject_model


def settle_shadow(
    store: UnitOfWork, *, wanted: int, seed: int, now: datetime
) -> ShadowVerdict | None:
    """Decide on the challenger in the shadow when enough images were read since it is there.

    Parameters
    ----------
    store : UnitOfWork
        An open transaction.
    wanted : int
        How many images have to be read first.
    seed : int
        Of the bootstrap.
    now : datetime
        The time; aware.

    Returns
    -------
    ShadowVerdict or None
        None when no challenger is in the shadow.
    """
    challenger, champion = store.models.challenger(), store.models.champion()
    if challenger is None or champion is None:
        return None
    images = _read_meanwhile(store, challenger, champion)

    verdict = judge_shadow(
        images,
        wanted=wanted,
        challenger=challenger.name,
        champion=champion.name,
        rng=np.random.default_rng(seed),
    )

    gate = {**(challenger.gate or {}), "shadow": verdict.as_json()}
    store.model_history.keep_gate(challenger.name, gate)
    if verdict.passed is None:
        return verdict
    challenger = replace(challenger, gate=gate)
    if verdict.passed:
        crown_model(store, challenger, reason=verdict.reason, now=now)
    else:
        reject_model(store, challenger, reason=verdict.reason, now=now)
    return verdict


def _read_meanwhile(
    store: UnitOfWork, challenger: ModelVersion, champion: ModelVersion
) -> list[ShadowImage]:
    """Return what was read since the challenger is in the shadow and both models have scored."""
    since = challenger.shadow_since
    readings: dict[str, list[Reading]] = defaultdict(list)
    for reading in store.readings.counting():
        if since is not None and reading.read_at >= since:
            readings[reading.image_id].append(reading)
    old, new = (
        store.predictions.of_model(model.name, readings) for model in (champion, challenger)
    )
    return [
        _shadow_image(own, old[image_id], new[image_id])
        for image_id, own in sorted(readings.items())
        if image_id in old and image_id in new
    ]


def _shadow_image(
    readings: Sequence[Reading], champion: Prediction, challenger: Prediction
) -> ShadowImage:
    blind = [reading for reading in readings if reading.arm is Arm.UNASSISTED]
    counted = blind or readings
    return ShadowImage(
        is_unassisted=bool(blind),
        champion=_mean_edits(champion, counted),
        challenger=_mean_edits(challenger, counted),
    )


def _mean_edits(prediction: Prediction, readings: Sequence[Reading]) -> float:
    return float(
        np.mean([edits_between(prediction.shown, reading.boxes).total for reading in readings])
    )
