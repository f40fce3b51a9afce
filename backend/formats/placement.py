"""From the pixels of a published original to the pixels of the image as it is stored.

Published readings give boxes in the pixels of the original radiograph, while the images at hand
are often smaller copies, some of them squashed. A box may enter the domain only when it is clear
how the two are related; where it is not, the image is refused.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from backend.domain.boxes import Box, Boxes
from backend.domain.findings import Finding
from backend.domain.skipped import Skipped
from backend.formats.original_sizes import RefusedImageError, SizePx

TOLERANCE_PX = 1.0
"""How far a box may stand out of its original, as rounding does; it is then clipped."""


class BoxOutsideImageError(RefusedImageError):
    """A box does not fit the stored image, and the size of the original is not known."""


class MarkedBox(NamedTuple):
    """A finding marked on an image.

    Attributes
    ----------
    finding : Finding
        What is marked.
    box : Box, [px]
        Where.
    """

    finding: Finding
    box: Box


@dataclass(frozen=True, slots=True)
class PlacedReadings:
    """The readings of one image in its stored pixels.

    Attributes
    ----------
    readings : mapping of str to tuple of MarkedBox
        By reader id; an empty tuple is "No finding". A reader whose every box had to be skipped
        is not here, because that is not the same as "No finding".
    skipped : tuple of Skipped
        Boxes and readings that could not be used.
    is_size_assumed : bool
        Whether the size of the original is unknown and was taken to be the stored size because
        every box fits.
    """

    readings: Mapping[str, tuple[MarkedBox, ...]]
    skipped: tuple[Skipped, ...]
    is_size_assumed: bool


def scale_to_stored(boxes: Boxes, *, original: SizePx, stored: SizePx) -> Boxes:
    """Return boxes in the pixels of the stored image.

    Parameters
    ----------
    boxes : ndarray of shape (n, 4), [px]
        Boxes in pixels of the original.
    original, stored : SizePx, [px]
        Size of the original and of the image at hand.

    Returns
    -------
    ndarray of shape (n, 4), [px]
        The same boxes, x and y scaled each by its own factor, since copies may be squashed.

    Examples
    --------
    >>> boxes = np.array([[10.0, 10.0, 20.0, 40.0]])
    >>> scale_to_stored(boxes, original=SizePx(100, 200), stored=SizePx(50, 50))
    array([[ 5. ,  2.5, 10. , 10. ]])
    """
    x_factor = stored.width_px / original.width_px
    y_factor = stored.height_px / original.height_px
    return np.asarray(boxes * np.array([x_factor, y_factor, x_factor, y_factor]), np.float64)


def place_readings(
    image_id: str,
    readings: Mapping[str, tuple[MarkedBox, ...]],
    *,
    original: SizePx | None,
    stored: SizePx,
) -> PlacedReadings:
    """Bring all readings of one image into its stored pixels.

    Parameters
    ----------
    image_id : str
        The image, for messages.
    readings : mapping of str to tuple of MarkedBox
        By reader id, in pixels of the original.
    original : SizePx or None, [px]
        Size of the original; None when unknown.
    stored : SizePx, [px]
        Size of the image at hand.

    Returns
    -------
    PlacedReadings
        The readings in stored pixels. With a known original, a box that stands out of it by at
        most `TOLERANCE_PX` is clipped, and one that stands out further is skipped.

    Raises
    ------
    BoxOutsideImageError
        If the original's size is unknown and a box stands out of the stored image.
    """
    has_boxes = any(readings.values())
    if original is None and has_boxes:
        _refuse_if_outside(image_id, readings, stored)
    frame = original or stored
    placed: dict[str, tuple[MarkedBox, ...]] = {}
    skipped: list[Skipped] = []
    for reader_id, marks in readings.items():
        inside = []
        for mark in marks:
            clipped = _clip(mark.box, frame)
            if clipped is None:
                skipped.append(_outside(image_id, reader_id, mark, frame))
                continue
            scaled = scale_to_stored(np.array([clipped]), original=frame, stored=stored)
            inside.append(MarkedBox(mark.finding, Box(*scaled[0].tolist())))
        if inside or not marks:
            placed[reader_id] = tuple(inside)
        else:
            skipped.append(unusable_reading(image_id, reader_id))
    return PlacedReadings(placed, tuple(skipped), original is None and has_boxes)


def unusable_reading(image_id: str, reader_id: str) -> Skipped:
    """Return the report of a reading of which nothing is left.

    Parameters
    ----------
    image_id, reader_id : str
        Which image, read by whom.

    Returns
    -------
    Skipped
        That the reading counts as not read.
    """
    return Skipped(
        f"reading of {image_id} by {reader_id}",
        "nothing of it could be used, so the image counts as not read by this reader "
        '(it does not become "No finding")',
    )


def _refuse_if_outside(
    image_id: str, readings: Mapping[str, tuple[MarkedBox, ...]], stored: SizePx
) -> None:
    for marks in readings.values():
        for _, box in marks:
            if _clip(box, stored) is None:
                raise BoxOutsideImageError(
                    f"a box of image {image_id} reaches ({box.x_max:g}, {box.y_max:g}) px while "
                    f"the stored image has {stored.width_px} x {stored.height_px} px, and the "
                    "size of its original is not known; give the originals' sizes with "
                    "--image-sizes (columns image_id, height, width)"
                )


def _clip(box: Box, frame: SizePx) -> Box | None:
    overhang = max(-box.x_min, -box.y_min, box.x_max - frame.width_px, box.y_max - frame.height_px)
    clipped = Box(
        max(box.x_min, 0.0),
        max(box.y_min, 0.0),
        min(box.x_max, float(frame.width_px)),
        min(box.y_max, float(frame.height_px)),
    )
    has_area = clipped.x_max > clipped.x_min and clipped.y_max > clipped.y_min
    return clipped if overhang <= TOLERANCE_PX and has_area else None


def _outside(image_id: str, reader_id: str, mark: MarkedBox, frame: SizePx) -> Skipped:
    edges = ", ".join(f"{edge:g}" for edge in mark.box)
    return Skipped(
        f"{mark.finding.title} box ({edges}) of image {image_id} by {reader_id}",
        f"it stands out of the original of {frame.width_px} x {frame.height_px} px; "
        "expected every edge inside",
    )
