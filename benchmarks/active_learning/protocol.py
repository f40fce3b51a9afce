"""What is replayed: the images, what is known of them, and who may learn from which."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from backend.domain.findings import Finding
from benchmarks.active_learning.detector import Recipe
from benchmarks.phantom import Layouts

RAREST = 5
"""So many findings are called rare."""
TEST_SHARE = 0.4
"""At most this share of a finding's images goes to the test set."""

Rows = NDArray[np.int64]


class TooFewImagesError(ValueError):
    """There are not enough images for the test set, the start and the pool."""


@dataclass(frozen=True, slots=True)
class Conditions:
    """The same for every method.

    Attributes
    ----------
    size : int, [px]
        Side of the radiographs.
    images : int
        Drawn in all; of a table, all that it has.
    pool : int
        Images that may be read, the start included.
    start, batch, rounds : int
        Images read before the first round, in each round, and number of rounds.
    test_of_each, test_normals : int
        Images of each finding in the test set, and without any.
    recipe : Recipe
        How the detector is trained after every round.
    resamples : int
        Of the test images.
    """

    size: int
    images: int
    pool: int
    start: int
    batch: int
    rounds: int
    test_of_each: int
    test_normals: int
    recipe: Recipe
    resamples: int = 200


PROTOCOLS = {
    "quick": Conditions(64, 1200, 800, 100, 100, 1, 8, 80, Recipe(16, 200, 80, 32), resamples=50),
    "tiny": Conditions(64, 2600, 2000, 150, 150, 2, 20, 200, Recipe(16, 150, 60, 32)),
    "small": Conditions(64, 15000, 6000, 200, 200, 3, 40, 400, Recipe(16, 300, 120, 32)),
    "full": Conditions(128, 15000, 6000, 200, 200, 4, 40, 400, Recipe(32, 1500, 700, 64)),
}
"""A minute, five minutes, an hour or two on a processor; and one for a GPU."""


@dataclass(frozen=True, slots=True)
class Truths:
    """What is on the images: the lesions that two of three readers marked.

    Attributes
    ----------
    by_image : tuple of ndarray of shape (m, 5)
        Class id and box in pixels of every lesion.
    presence : ndarray of shape (images, 14)
        Which findings each image has.
    """

    by_image: tuple[NDArray[np.float64], ...]
    presence: NDArray[np.bool_]

    @classmethod
    def of(cls, layouts: Layouts, boxes: NDArray[np.float64]) -> "Truths":
        """Take the agreed lesions of layouts, their boxes in pixels."""
        agreed = layouts.agreed()
        rows = np.column_stack([agreed.findings, boxes[layouts.votes >= 2]])
        ends = np.searchsorted(agreed.images, np.arange(1, layouts.count))
        return cls(tuple(np.split(rows, ends)), agreed.presence())

    def boxes(self, rows: Rows) -> NDArray[np.int64]:
        """Return the number of boxes on each of some images."""
        return np.array([len(self.by_image[row]) for row in rows], dtype=np.int64)

    def rarest(self) -> list[Finding]:
        """Return the findings on the fewest images, the rarest first; some there must be."""
        counts = self.presence.sum(axis=0)
        occurring = np.flatnonzero(counts)
        order = occurring[np.argsort(counts[occurring], kind="stable")]
        return [Finding(int(finding)) for finding in order[:RAREST]]


@dataclass(frozen=True, slots=True)
class Split:
    """Which images are what, for one seed; each has a patient of its own."""

    test: Rows
    pool: Rows
    start: Rows


def split(truths: Truths, conditions: Conditions, seed: int) -> Split:
    """Divide images into test set and pool, and draw the start.

    Parameters
    ----------
    truths : Truths
        What is on the images.
    conditions : Conditions
        How many of what.
    seed : int
        Decides everything.

    Returns
    -------
    Split
        The test set holds rare findings more often than they come; the pool is what it is. The
        start has the pool's share of normal images.

    Raises
    ------
    TooFewImagesError
        If the images do not suffice.
    """
    rng = np.random.default_rng([seed, 1])
    shuffled = rng.permutation(len(truths.presence))
    presence = truths.presence[shuffled]
    is_test = np.zeros(len(shuffled), dtype=np.bool_)
    totals = presence.sum(axis=0)
    for finding in np.argsort(totals, kind="stable"):
        wanted = min(conditions.test_of_each, int(TEST_SHARE * totals[finding]))
        missing = wanted - int((is_test & presence[:, finding]).sum())
        is_test[np.flatnonzero(presence[:, finding] & ~is_test)[: max(missing, 0)]] = True
    normal = np.flatnonzero(~presence.any(axis=1))
    is_test[normal[: conditions.test_normals]] = True
    # The pool keeps the share of normal images that all images have.
    left = rng.permutation(np.flatnonzero(~is_test))
    wanted = round(conditions.pool * float((~truths.presence.any(axis=1)).mean()))
    is_normal = ~presence[left].any(axis=1)
    pool = np.concatenate([left[is_normal][:wanted], left[~is_normal][: conditions.pool - wanted]])
    if len(pool) < conditions.pool or conditions.start > conditions.pool:
        raise TooFewImagesError(
            f"expected {conditions.pool} images beside {is_test.sum()} of the test set, "
            f"got {len(pool)} of the kinds wanted"
        )
    share = conditions.start / conditions.pool
    normals = round(share * wanted)
    start = np.concatenate(
        [
            rng.choice(pool[:wanted], normals, replace=False),
            rng.choice(pool[wanted:], conditions.start - normals, replace=False),
        ]
    )
    return Split(np.sort(shuffled[is_test]), np.sort(shuffled[pool]), np.sort(shuffled[start]))


def table(truths: Truths, rows: Rows) -> tuple[Rows, Rows, NDArray[np.float64]]:
    """Return the lesions of some images as columns: place of the image, finding, box."""
    parts: Sequence[NDArray[np.float64]] = [truths.by_image[row] for row in rows]
    lesions = np.concatenate([*parts, np.zeros((0, 5))])
    images = np.repeat(np.arange(len(rows)), [len(part) for part in parts])
    return images, lesions[:, 0].astype(np.int64), lesions[:, 1:]
