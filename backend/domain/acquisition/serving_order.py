"""The order in which a batch is served, and what is told of each image."""

from collections.abc import Sequence

import numpy as np

from backend.domain.acquisition.batch import Channel, Choice
from backend.domain.acquisition.channels import Batch, Worth
from backend.domain.acquisition.cost import CostModel
from backend.domain.acquisition.missed import Doubt
from backend.domain.acquisition.pool import Numbers
from backend.domain.acquisition.reasons import reason
from backend.domain.findings import Finding

_SPRINKLED = (Channel.RANDOM, Channel.MISSED, Channel.REREAD)


def serving_order(batch: Batch, worth: Worth, rng: np.random.Generator) -> list[int]:
    """Return the rows of a batch as they are read.

    Parameters
    ----------
    batch : Batch
        What each channel took.
    worth : Worth
        What the images are worth.
    rng : numpy.random.Generator
        Source of the places.

    Returns
    -------
    list of int
        Rows of the pool.

    Notes
    -----
    Images of the quotas and of the uncertain channel stand by falling worth, equal ones by image
    id; images that no model has scored follow. Random, missed-finding and re-read images stand at
    random places among them, so that whoever stops early has read a fair part of each.
    """
    ranked = sorted(
        [*batch.rows.get(Channel.QUOTA, ()), *batch.rows.get(Channel.UNCERTAIN, ())],
        key=lambda row: (-worth.values[row], worth.pool.image_ids[row]),
    )
    queues = {channel: iter(batch.rows.get(channel, ())) for channel in _SPRINKLED}
    queues[Channel.UNCERTAIN] = iter([*ranked, *batch.rows.get(Channel.COLD_START, ())])
    sprinkled = [channel for channel in _SPRINKLED for _ in batch.rows.get(channel, ())]
    others = [Channel.UNCERTAIN] * (batch.size - len(sprinkled))
    places = [*sprinkled, *others]
    return [next(queues[places[place]]) for place in rng.permutation(len(places)).tolist()]


def explain(
    rows: Sequence[int], batch: Batch, worth: Worth, cost: CostModel
) -> tuple[Choice, ...]:
    """Return the images of a batch with the reason of each.

    Parameters
    ----------
    rows : sequence of int
        Rows of the pool as they are read.
    batch : Batch
        What each channel took.
    worth : Worth
        What the images are worth.
    cost : CostModel
        How long they take.

    Returns
    -------
    tuple of Choice
        By rank, from 1.
    """
    channel_of = {row: channel for channel, those in batch.rows.items() for row in those}
    seconds = cost.expected_seconds(worth.pool.boxes)
    choices = []
    for rank, row in enumerate(rows, start=1):
        channel = channel_of[row]
        finding = batch.quota_of.get(row, _top_finding(worth, row, channel))
        best = float(worth.pool.best[row, finding]) if finding is not None else 0.0
        doubt = None if worth.missed is None else Doubt(int(worth.missed.doubts[row]))
        choices.append(
            Choice(
                image_id=str(worth.pool.image_ids[row]),
                rank=rank,
                score=float(_scores(worth, channel)[row]),
                channel=channel,
                reason=reason(channel, finding, best, doubt),
                top_finding=finding,
                expected_seconds=float(seconds[row]) if worth.pool.has_score[row] else None,
            )
        )
    return tuple(choices)


def _scores(worth: Worth, channel: Channel) -> Numbers:
    """Return what a channel ranks by."""
    if channel is Channel.MISSED and worth.missed is not None:
        return worth.missed.scores
    return worth.disputes.sum(axis=1) if channel is Channel.REREAD else worth.values


def _top_finding(worth: Worth, row: int, channel: Channel) -> Finding | None:
    """Return what is disputed most, or what the model is surest of."""
    column = worth.disputes[row] if channel is Channel.REREAD else worth.pool.best[row]
    return Finding(int(column.argmax())) if column.any() else None
