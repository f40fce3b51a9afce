"""One seed, every method: read, train, judge, choose, and again."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backend.domain.acquisition.cost import CostModel
from backend.domain.acquisition.evidence import Evidence
from backend.domain.acquisition.pool import (
    SPREAD_PERCENTILE,
    BoxTable,
    ScoredPool,
    pool_from_boxes,
)
from backend.domain.acquisition.strategies import STRATEGIES
from backend.domain.findings import Finding
from backend.domain.score_calibration import fit_scoring
from benchmarks.active_learning.detector import Detector, Found
from benchmarks.active_learning.judged import (
    Judged,
    judge,
    judged_marks,
    quality_of,
    rare_images,
)
from benchmarks.active_learning.protocol import Conditions, Rows, Split, Truths, split

METHODS = tuple(name for name in STRATEGIES if name.startswith(("random", "fore", "entropy")))
METHODS += tuple(name for name in STRATEGIES if name.startswith("overread"))
METHODS = tuple(name for name in METHODS if not name.endswith("-rereads"))  # nobody disputes here
VALIDATED = 6
"""Of so many read images one is never trained on: it tells what scores mean."""
LEAST_PROBABILITY = 0.001
"""Boxes below it say nothing of an image."""
FALSE_MARKS_PER_IMAGE = 1.0


@dataclass(frozen=True, slots=True)
class Round:
    """What had been read after a round, what it cost, and how good the detector was then.

    Attributes
    ----------
    images, boxes : int
        Read and drawn so far.
    minutes : float
        So far, by the cost model's first assumption.
    abnormal, rare : int
        Images so far that show any finding, or one of the rarest; the start counts.
    judged : Judged
        Of the detector trained on them.
    channels : dict of str to int
        What chose the images of the round.
    """

    images: int
    boxes: int
    minutes: float
    abnormal: int
    rare: int
    judged: Judged
    channels: dict[str, int]


@dataclass(frozen=True, slots=True)
class Look:
    """What a detector says of the pool, as far as a strategy may know.

    Attributes
    ----------
    found : Found
        Boxes and features, by place in the pool.
    probabilities : ndarray of shape (n,)
        Of the boxes: calibrated on the read images that were not trained on.
    average_precision : ndarray of shape (14,)
        On those images; NaN for findings that they do not show.
    """

    found: Found
    probabilities: NDArray[np.float64]
    average_precision: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Desk:
    """What does not change while a seed is replayed."""

    detector: Detector
    truths: Truths
    split: Split
    conditions: Conditions
    seed: int

    def trained(self, read: Rows, number: int) -> tuple[Judged, Look | None]:
        """Train on what was read; judge on the test set and look at the pool."""
        learn = self.detector.train if number else self.detector.begin
        learn(read[~validates(read)], seed=1000 * self.seed + number)
        judged = judge(
            self.detector.ask(self.split.test), self.truths, self.split.test,
            resamples=self.conditions.resamples, seed=self.seed,
        )  # fmt: skip
        if number == self.conditions.rounds:
            return judged, None  # nothing is chosen any more
        found = self.detector.ask(self.split.pool)
        is_validated = np.isin(self.split.pool, read[validates(read)])
        return judged, look(found, self.truths, self.split.pool, is_validated)

    def round(self, read: Rows, judged: Judged, channels: Mapping[str, int]) -> Round:
        """Add up what was read."""
        boxes = self.truths.boxes(read)
        return Round(
            images=len(read),
            boxes=int(boxes.sum()),
            minutes=float(CostModel().expected_seconds(boxes.astype(np.float64)).sum() / 60),
            abnormal=int((boxes > 0).sum()),
            rare=rare_images(self.truths, read),
            judged=judged,
            channels=dict(channels),
        )


def validates(rows: Rows) -> NDArray[np.bool_]:
    """Tell which images tell what scores mean; ids say nothing of what is on an image."""
    return np.asarray(rows % VALIDATED == 0)


def look(found: Found, truths: Truths, pool: Rows, is_validated: NDArray[np.bool_]) -> Look:
    """Calibrate what a detector says, as the product does: on the validation split."""
    images = pool[is_validated]
    own = found.only(is_validated)
    hits = judged_marks(own, truths, images)
    scoring = fit_scoring(
        {Finding(number): (own.scores[own.findings == number],
                           hits[own.findings == number]) for number in range(len(Finding))},
        images=len(images),
        false_marks_per_image=FALSE_MARKS_PER_IMAGE,
    )  # fmt: skip
    quality = quality_of(own, truths, images).by_finding
    precisions = np.array([quality.get(finding, np.nan) for finding in Finding])
    return Look(found, scoring.calibrate(found.findings, found.scores), precisions)


def replay(
    detector: Detector, truths: Truths, conditions: Conditions, seed: int,
    methods: tuple[str, ...] = METHODS,
) -> Iterator[tuple[str, list[dict[str, Any]]]]:  # fmt: skip
    """Yield each method's rounds.

    Parameters
    ----------
    detector : Detector
        Trained anew every round; has the pictures.
    truths : Truths
        What is on them; a method learns it of the images that it has read.
    conditions : Conditions
        The same for every method.
    seed : int
        Decides test set, pool, start, training and every draw.
    methods : tuple of str
        Names of strategies.

    Yields
    ------
    tuple of str and list of dict
        Name, and its rounds, the start first.
    """
    desk = Desk(detector, truths, split(truths, conditions, seed), conditions, seed)
    first = desk.trained(desk.split.start, 0)
    for name in methods:
        yield name, [asdict(one) for one in _rounds(desk, name, first)]


def _rounds(desk: Desk, name: str, first: tuple[Judged, Look | None]) -> Iterator[Round]:
    """Yield the rounds of one method."""
    read = desk.split.start
    judged, seen = first
    yield desk.round(read, judged, {})
    for number in range(1, desk.conditions.rounds + 1):
        assert seen is not None  # noqa: S101 - only the last round has not looked
        chosen, channels = _choose(desk, name, seen, read, number)
        read = np.concatenate([read, chosen])
        judged, seen = desk.trained(read, number)
        yield desk.round(read, judged, channels)


def _choose(
    desk: Desk, name: str, seen: Look, read: Rows, number: int
) -> tuple[Rows, dict[str, int]]:
    """Let a method choose from what nobody has read."""
    is_read = np.isin(desk.split.pool, read)
    rng = np.random.default_rng([desk.seed, 3, number])
    choices = STRATEGIES[name](
        scored_pool(seen, desk.split.pool, ~is_read),
        evidence(desk.truths, desk.split.pool, seen, is_read),
        CostModel(),
        size=desk.conditions.batch,
        rng=rng,
    )
    channels: dict[str, int] = {}
    for choice in choices:
        channels[str(choice.channel)] = channels.get(str(choice.channel), 0) + 1
    return np.array([int(choice.image_id) for choice in choices], dtype=np.int64), channels


def scored_pool(seen: Look, pool: Rows, is_unread: NDArray[np.bool_]) -> ScoredPool:
    """Return the unread images as a strategy sees them; every image is a patient's only one."""
    found = seen.found
    place = np.cumsum(is_unread) - 1
    taken = is_unread[found.rows] & (seen.probabilities >= LEAST_PROBABILITY)
    spreads = found.spreads[taken]
    scale = float(np.percentile(spreads, SPREAD_PERCENTILE)) if spreads.size else 1.0
    names = np.array([str(row) for row in pool[is_unread]], dtype=np.str_)
    boxes = BoxTable(
        place[found.rows[taken]],
        found.findings[taken],
        seen.probabilities[taken],
        np.minimum(spreads / max(scale, 1e-9), 1.0),
    )
    return replace(pool_from_boxes(names, names, boxes), features=found.features[is_unread])


def evidence(truths: Truths, pool: Rows, seen: Look, is_read: NDArray[np.bool_]) -> Evidence:
    """Return what the read images have shown."""
    presence = truths.presence[pool[is_read]]
    return Evidence(
        positive_images=presence.sum(axis=0).astype(np.int64),
        average_precision=seen.average_precision,
        features=seen.found.features[is_read],
        is_positive=presence.sum(axis=1) > 0,
    )
