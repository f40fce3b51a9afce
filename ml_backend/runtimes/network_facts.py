"""What has to be known of a network beside what it computes."""

from collections.abc import Sequence
from dataclasses import dataclass


class UnusableWeightsError(ValueError):
    """A weights file holds no detector that can be run."""


@dataclass(frozen=True, slots=True)
class NetworkFacts:
    """What has to be known of a network to use what it says.

    Attributes
    ----------
    titles : sequence of str
        What it detects, by class id.
    strides : sequence of int, [px]
        Distance of two places, per level of the head.
    image_size_px : int, [px]
        Length of an image's longer side in training.
    """

    titles: Sequence[str]
    strides: Sequence[int]
    image_size_px: int
