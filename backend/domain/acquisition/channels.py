"""What each channel takes into a batch."""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from backend.domain.acquisition.batch import Channel, Shares, apportion
from backend.domain.acquisition.diversity import spread_out
from backend.domain.acquisition.draw import Draw, Rows
from backend.domain.acquisition.missed import Missed
from backend.domain.acquisition.pool import Numbers, ScoredPool
from backend.domain.findings import Finding

SHORT_LIST = 2
"""Among so many times the images that it takes, the uncertain channel looks for different ones."""


@dataclass(frozen=True, slots=True, eq=False)
class Worth:
    """What the images of a pool are worth to each channel.

    Attributes
    ----------
    pool : ScoredPool
        The images.
    weights : ndarray of shape (14,)
        Of the findings.
    values : ndarray of shape (n,)
        Of an image as a whole.
    disputes : ndarray of shape (n, 14)
        How much its readers dispute each finding, weighted.
    is_diverse : bool
        Whether the uncertain channel looks for images that differ.
    missed : Missed or None
        What may hide in it; None without that channel.
    """

    pool: ScoredPool
    weights: Numbers
    values: Numbers
    disputes: Numbers
    is_diverse: bool
    missed: Missed | None = None


@dataclass(slots=True)
class Batch:
    """The rows that have been taken, channel by channel.

    Attributes
    ----------
    rows : dict of Channel to list of int
        In the order in which they were taken.
    quota_of : dict of int to Finding
        For which finding a row of the quotas was taken.
    """

    rows: dict[Channel, list[int]] = field(default_factory=dict)
    quota_of: dict[int, Finding] = field(default_factory=dict)

    @property
    def size(self) -> int:
        """How many rows have been taken."""
        return sum(map(len, self.rows.values()))

    def add(self, channel: Channel, rows: Rows) -> int:
        """Add rows.

        Parameters
        ----------
        channel : Channel
            What took them.
        rows : ndarray of int
            Rows of the pool.

        Returns
        -------
        int
            How many.
        """
        self.rows.setdefault(channel, []).extend(rows.tolist())
        return len(rows)


def compose(
    worth: Worth, draw: Draw, shares: Shares, size: int, rng: np.random.Generator
) -> Batch:
    """Return the images of a batch.

    Parameters
    ----------
    worth : Worth
        What they are worth.
    draw : Draw
        The images that are to be had.
    shares : Shares
        What the batch is made of.
    size : int
        How many are wanted.
    rng : numpy.random.Generator
        Source of chance.

    Returns
    -------
    Batch
        As many as are wanted, unless there are fewer patients.

    Notes
    -----
    The uniform sample is drawn first, from all images that nobody has begun to read, so that it
    is fair whatever the model thinks. Its size is rounded by chance, so that batches of a few
    images hold it, too, over time. What a channel cannot use is left to the uncertain one;
    when the scored images have run out, images that no model has scored follow, then further
    disputed ones.
    """
    batch = Batch()
    unread = ~worth.pool.is_disputed
    total = min(size, draw.patients)
    sample = draw.shuffled(worth.pool.may_be_sampled, rng)
    audits, _ = apportion(total, np.array([shares.audit, 1.0 - shares.audit]), rng).tolist()
    total -= batch.add(Channel.RANDOM, draw.take(sample, audits))
    parts = np.array([shares.quota, shares.missed, shares.reread, shares.uncertain])
    quota, missed, reread, _ = apportion(total, parts, rng).tolist()
    total -= _take_quotas(batch, worth, draw, quota, rng)
    total -= batch.add(Channel.MISSED, _missed(worth, draw, missed))
    total -= batch.add(Channel.REREAD, _disputed(worth, draw, reread))
    total -= batch.add(Channel.UNCERTAIN, _uncertain(worth, draw, total, rng))
    last: tuple[tuple[Channel, Callable[[], Rows]], ...] = (
        (Channel.COLD_START, lambda: draw.take(draw.shuffled(unread, rng), total)),
        (Channel.REREAD, lambda: _disputed(worth, draw, total)),
    )
    for channel, take in last:
        total -= batch.add(channel, take())
    return batch


def _take_quotas(
    batch: Batch, worth: Worth, draw: Draw, size: int, rng: np.random.Generator
) -> int:
    """Take each finding's images, the findings of the highest weight first."""
    is_marked = worth.pool.shares[worth.pool.is_candidate].any(axis=0)
    if not is_marked.any():
        return 0
    quotas = apportion(size, worth.weights * is_marked, rng)
    taken = 0
    for finding in np.argsort(-worth.weights, kind="stable").tolist():
        share = worth.pool.shares[:, finding]
        rows = draw.ranked(share, worth.pool.is_candidate & (share > 0.0))
        chosen = draw.take(rows, int(quotas[finding]))
        batch.quota_of |= dict.fromkeys(chosen.tolist(), Finding(finding))
        taken += batch.add(Channel.QUOTA, chosen)
    return taken


def _missed(worth: Worth, draw: Draw, size: int) -> Rows:
    if worth.missed is None:
        return np.empty(0, dtype=np.int64)
    scores = worth.missed.scores
    return draw.take(draw.ranked(scores, worth.pool.is_candidate & (scores > 0.0)), size)


def _disputed(worth: Worth, draw: Draw, size: int) -> Rows:
    return draw.take(draw.ranked(worth.disputes.sum(axis=1), worth.pool.is_disputed), size)


def _uncertain(worth: Worth, draw: Draw, size: int, rng: np.random.Generator) -> Rows:
    """Take the images worth most; of twice as many, those that differ, if that is wanted."""
    rows = draw.ranked(worth.values, worth.pool.is_candidate)
    features = worth.pool.features
    if features is None or not worth.is_diverse:
        return draw.take(rows, size)
    rows = draw.first(rows, SHORT_LIST * size)
    different = spread_out(features[rows], worth.values[rows], size=size, rng=rng)
    return draw.take(rows[different], size)
