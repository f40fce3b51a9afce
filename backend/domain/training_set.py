"""Which images of the training split one training run sees, and how often."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from math import floor

import numpy as np
from numpy.typing import NDArray

from backend.domain.findings import Finding

REPEAT_BELOW = 0.05
"""Findings on a smaller share of the training images than this are shown more than once."""

NEGATIVES_PER_POSITIVE = 1.5


class NothingToLearnError(ValueError):
    """No training image shows a finding."""


@dataclass(frozen=True, slots=True)
class TrainingList:
    """The images that one training run sees.

    Attributes
    ----------
    image_ids : tuple of str
        One entry per showing, by image id; an image with rare findings comes several times.
    positives : int
        How many different images with findings are on it; all that there are.
    repeats : int
        How many entries are repetitions.
    negatives_kept, negatives_left_out : int
        How many images without findings are on it, and how many are not.
    hard_negatives : int
        How many of those on it had to be, because the champion saw something there.
    """

    image_ids: tuple[str, ...]
    positives: int
    repeats: int
    negatives_kept: int
    negatives_left_out: int
    hard_negatives: int = 0


def repeat_factors(
    finding_sets: Sequence[Collection[Finding]], *, threshold: float = REPEAT_BELOW
) -> NDArray[np.float64]:
    """Return how often each image should be shown, so that rare findings are seen enough.

    Parameters
    ----------
    finding_sets : sequence of collection of Finding
        What each of n images shows.
    threshold : float
        Findings on a smaller share of the images than this are repeated; 0 for none.

    Returns
    -------
    ndarray of shape (n,), [unitless]
        From 1 on; 1 for an image without findings.

    Notes
    -----
    With f_c the share of images that show c, ``r_c = max(1, sqrt(threshold / f_c))``, and an
    image's factor is the highest of its findings.

    References
    ----------
    A. Gupta, P. Dollar, R. Girshick, "LVIS: A dataset for large vocabulary instance
    segmentation", CVPR 2019.

    Examples
    --------
    >>> images = [{Finding.PNEUMOTHORAX}] + [set()] * 79
    >>> repeat_factors(images)[:2]
    array([2., 1.])
    """
    images = Counter(finding for findings in finding_sets for finding in set(findings))
    of_finding = {
        finding: max(1.0, (threshold * len(finding_sets) / count) ** 0.5)
        for finding, count in images.items()
    }
    return np.array(
        [
            max((of_finding[finding] for finding in findings), default=1.0)
            for findings in finding_sets
        ],
        dtype=np.float64,
    )


def draw_training_list(
    findings_by_image: Mapping[str, Collection[Finding]],
    *,
    rng: np.random.Generator,
    factors: Mapping[str, float] | None = None,
    negatives_per_positive: float = NEGATIVES_PER_POSITIVE,
    hard: Collection[str] = (),
) -> TrainingList:
    """Draw which images a training run sees, and how often.

    Parameters
    ----------
    findings_by_image : mapping of str to collection of Finding
        Image id to what it shows, for the whole training split, in any order.
    rng : numpy.random.Generator
        Source of chance; the caller keeps its seed.
    factors : mapping of str to float or None
        Image id to `repeat_factors`; 1 for images that it does not name.
    negatives_per_positive : float
        At most so many images without findings are kept per image with findings; infinity
        keeps all.
    hard : collection of str
        Images on which the champion marked something; those without findings are always kept,
        before any other.

    Returns
    -------
    TrainingList
        The list, and what was repeated and left out.

    Raises
    ------
    NothingToLearnError
        If no image shows a finding.

    Notes
    -----
    A factor of 2.3 means two showings, and a third with probability 0.3.
    """
    image_ids = sorted(findings_by_image)
    positives = [one for one in image_ids if findings_by_image[one]]
    negatives = [one for one in image_ids if not findings_by_image[one]]
    if not positives:
        raise NothingToLearnError(
            f"none of {len(image_ids)} training images shows a finding; "
            "expected at least one: have more images read before training"
        )
    must = [one for one in negatives if one in hard]
    easy = [one for one in negatives if one not in hard]
    room = max(0.0, negatives_per_positive * len(positives) - len(must))
    drawn_easy = rng.choice(easy, size=floor(min(len(easy), room)), replace=False).tolist()
    chosen = {*positives, *must, *drawn_easy}
    repeats = np.array([(factors or {}).get(one, 1.0) for one in image_ids])
    showings = np.floor(repeats + rng.random(len(image_ids))).astype(int).tolist()
    drawn = tuple(
        image_id
        for image_id, times in zip(image_ids, showings, strict=True)
        if image_id in chosen
        for _ in range(times)
    )
    return TrainingList(
        image_ids=drawn,
        positives=len(positives),
        repeats=len(drawn) - len(chosen),
        negatives_kept=len(must) + len(drawn_easy),
        negatives_left_out=len(easy) - len(drawn_easy),
        hard_negatives=len(must),
    )
