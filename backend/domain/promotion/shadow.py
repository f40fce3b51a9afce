"""Whether a challenger that passed the gate would have spared readers work, or made more of it."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from backend.domain.metrics import bootstrap
from backend.domain.metrics.quotients import Numbers

ENOUGH_UNASSISTED = 20
"""From so many images on that were read without boxes, only these count: readers who saw the
champion's boxes lean towards them."""

_RESAMPLES = 2000
_CERTAINTY = 0.95


@dataclass(frozen=True, slots=True)
class ShadowImage:
    """One image that was read while a challenger was in the shadow.

    Attributes
    ----------
    is_unassisted : bool
        Whether its readers saw no boxes.
    champion, challenger : float
        Boxes that a reader would have had to add, delete or move, on average over its readers.
    """

    is_unassisted: bool
    champion: float
    challenger: float


@dataclass(frozen=True, slots=True)
class ShadowVerdict:
    """What came of the shadow.

    Attributes
    ----------
    passed : bool or None
        Whether the challenger may serve; None while too few images were read.
    images, wanted : int
        How many were read, and how many are wanted.
    reason : str
        In sentences for people.
    """

    passed: bool | None
    images: int
    wanted: int
    reason: str

    def as_json(self) -> dict[str, Any]:
        """Return plain values.

        Returns
        -------
        dict
            What is kept with the model version.
        """
        return asdict(self)


def judge_shadow(
    images: Sequence[ShadowImage],
    *,
    wanted: int,
    challenger: str,
    champion: str,
    rng: np.random.Generator,
) -> ShadowVerdict:
    """Return whether a challenger may leave the shadow and serve.

    Parameters
    ----------
    images : sequence of ShadowImage
        What was read meanwhile.
    wanted : int
        How many images have to be read first.
    challenger, champion : str
        Their names.
    rng : numpy.random.Generator
        Source of the resamples.

    Returns
    -------
    ShadowVerdict
        It may, unless it is shown with 95 % certainty to make more work.
    """
    if len(images) < wanted:
        return ShadowVerdict(
            None,
            len(images),
            wanted,
            f"{challenger} scores in the shadow of {champion}: {len(images)} of {wanted} images "
            "are read.",
        )
    if not images:
        return ShadowVerdict(
            True, 0, wanted, f"{challenger} replaces {champion}: shadow mode is off."
        )
    blind = [image for image in images if image.is_unassisted]
    counted = blind if len(blind) >= ENOUGH_UNASSISTED else images
    edits = np.array([[image.champion, image.challenger] for image in counted])
    difference = edits[:, 1] - edits[:, 0]

    def mean(counts: Numbers) -> Numbers:
        return np.asarray(counts @ difference / counts.sum(axis=1))

    drawn = bootstrap.resampled(mean, len(counted), rng, resamples=_RESAMPLES)
    low = float(bootstrap.quantile(drawn, 1 - _CERTAINTY))
    passed = low <= 0
    said = f"{challenger} replaces {champion}" if passed else f"{champion} stays"
    how = "without boxes" if counted is blind else f"most of them with the boxes of {champion}"
    return ShadowVerdict(
        passed,
        len(images),
        wanted,
        f"{said}: on {len(counted)} images that were read {how}, readers would have had to "
        f"change {edits[:, 1].mean():.2f} boxes per image of {challenger}, against "
        f"{edits[:, 0].mean():.2f} of {champion} ({difference.mean():+.2f}, with 95 % certainty "
        f"not below {low:+.2f}).",
    )
