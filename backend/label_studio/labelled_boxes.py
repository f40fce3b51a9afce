"""A region of a submitted result as a box, and why one cannot be used."""

from collections.abc import Sequence

from backend.domain.boxes import Box
from backend.domain.findings import Finding, UnknownFindingError
from backend.label_studio.regions import Region

_OVERHANG_SHARE = 0.01  # of a side; what drawing at the very edge can add
_TURN_DEGREES = 1e-6


class UnusableResultError(ValueError):
    """A submitted result cannot be turned into a reading; keep it and ask the reader."""


class ImageSizeError(UnusableResultError):
    """The reader saw an image of another shape than the registered one."""


class RotatedRegionError(UnusableResultError):
    """A region, or the image below it, is rotated."""


class UnknownLabelError(UnusableResultError):
    """A region carries a label, or an item a control, that the reading form does not have."""


class MalformedRegionError(UnusableResultError):
    """A region has no area, lies outside the image, or lacks one of its parts."""


def labelled_box(item: Region, width_px: int, height_px: int) -> tuple[Finding, Box]:
    """Return what a region marks, and where.

    Parameters
    ----------
    item : dict
        A region of an annotation.
    width_px, height_px : int, [px]
        Size of the registered image.

    Returns
    -------
    finding : Finding
        Its label.
    box : Box, [px]
        Cut at the edges of the image.

    Raises
    ------
    UnusableResultError
        If it is no upright box of one finding inside the image.
    """
    value = item["value"]
    _check_size(item["original_width"], item["original_height"], width_px, height_px)
    turns = (value.get("rotation") or 0, item.get("image_rotation") or 0)
    if any(abs(turn) > _TURN_DEGREES for turn in turns):
        raise RotatedRegionError(
            f"expected no rotation, got {turns[0]}° on an image at {turns[1]}°"
        )
    x_min, x_max = _edges(value["x"], value["width"], width_px)
    y_min, y_max = _edges(value["y"], value["height"], height_px)
    return _finding(value["rectanglelabels"]), Box(x_min, y_min, x_max, y_max)


def _check_size(seen_width: float, seen_height: float, width_px: int, height_px: int) -> None:
    # A pixel of rounding on either side is a resized copy, not another image.
    skew = abs(seen_width * height_px - seen_height * width_px)
    if min(seen_width, seen_height) <= 0 or skew > width_px + height_px:
        raise ImageSizeError(
            f"the reader saw an image of {seen_width}x{seen_height} px; the registered one has "
            f"{width_px}x{height_px} px. Was the file exchanged?"
        )


def _finding(labels: Sequence[str]) -> Finding:
    if len(labels) != 1:
        raise UnknownLabelError(f"expected one finding per box, got {list(labels)}")
    try:
        return Finding.from_title(labels[0])
    except UnknownFindingError as error:
        raise UnknownLabelError(str(error)) from error


def _edges(start_percent: float, length_percent: float, side_px: int) -> tuple[float, float]:
    low, high = start_percent / 100, (start_percent + length_percent) / 100
    if not (-_OVERHANG_SHARE <= low < high <= 1 + _OVERHANG_SHARE) or low >= 1 or high <= 0:
        raise MalformedRegionError(
            f"expected a box with an area, inside the image; got a side from {start_percent} % "
            f"over {length_percent} %"
        )
    return max(low, 0.0) * side_px, min(high, 1.0) * side_px
