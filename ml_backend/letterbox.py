"""The frame that a detector sees: an image shrunk or grown to its size, with grey borders.

Training images and served images go through the same `resize`, so that a model is asked about
the pixels that it learned from.
"""

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from backend.domain.boxes import Boxes
from backend.formats.image_cache import resize

Radiograph: TypeAlias = NDArray[np.uint8]
"""Grey pixels of one image, shape (height, width)."""

_BORDER = 114
"""Grey value of the border; the one that ultralytics trains with."""


@dataclass(frozen=True, slots=True, eq=False)
class Letterbox:
    """One image in a detector's frame.

    Attributes
    ----------
    pixels : ndarray of shape (height, width)
        The frame; both sides are multiples of the stride.
    scale : float
        Frame pixels per image pixel.
    left_px, top_px : int, [px]
        Width of the border left of and above the image, in the frame.
    width_px, height_px : int, [px]
        Size of the image itself.
    """

    pixels: Radiograph
    scale: float
    left_px: int
    top_px: int
    width_px: int
    height_px: int

    def to_image(self, boxes: Boxes) -> Boxes:
        """Return boxes of the frame in the image's own pixels, cut at its edges.

        Parameters
        ----------
        boxes : ndarray of shape (n, 4), [px]
            Boxes in the frame.

        Returns
        -------
        ndarray of shape (n, 4), [px]
            Boxes in the image; those that lie in the border lose a side.
        """
        offset = np.array([self.left_px, self.top_px] * 2)
        limit = np.array([self.width_px, self.height_px] * 2)
        return np.asarray(np.clip((boxes - offset) / self.scale, 0, limit), dtype=np.float64)


def letterbox(
    image: Radiograph,
    longest_px: int,
    *,
    size_px: tuple[int, int] | None = None,
    stride_px: int = 32,
) -> Letterbox:
    """Return the image in the smallest frame that a detector takes.

    Parameters
    ----------
    image : ndarray of shape (height, width)
        Grey image.
    longest_px : int, [px]
        Length of the image's longer side in the frame; a multiple of `stride_px`.
    size_px : (int, int) or None, [px]
        Height and width of the image whose pixels boxes are to be in, when `image` is a smaller
        copy of it.
    stride_px : int, [px]
        What both sides of the frame have to be multiples of.

    Returns
    -------
    Letterbox
        The frame, and the way back.
    """
    height_px, width_px = size_px or image.shape
    shown = resize(image, longest_px)
    height, width = shown.shape
    spare_y, spare_x = -height % stride_px, -width % stride_px
    top, left = (round(spare / 2 - 0.1) for spare in (spare_y, spare_x))
    frame = np.full((height + spare_y, width + spare_x), _BORDER, dtype=np.uint8)
    frame[top : top + height, left : left + width] = shown
    scale = longest_px / max(height_px, width_px)
    return Letterbox(frame, scale, left, top, width_px, height_px)
