"""How a reader's box came from the one that was shown."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import hypot

from backend.domain import boxes
from backend.domain.boxes import Box
from backend.domain.findings import Finding
from backend.domain.predictions import PredictedBox
from backend.domain.readings import Origin, ReadBox, Reading


@dataclass(frozen=True, slots=True)
class Adjustment:
    """What a reader changed about a shown box.

    Attributes
    ----------
    iou : float
        Intersection over union of the shown and the read box, in [0, 1]; 1 when only the finding
        was changed.
    shift_x_px, shift_y_px : float, [px]
        Way of the centre; positive to the right and downwards.
    width_change_px, height_change_px : float, [px]
        Positive when the box grew.
    shown_finding : Finding
        What it was called before.
    is_relabelled : bool
        Whether it is called something else now.
    """

    iou: float
    shift_x_px: float
    shift_y_px: float
    width_change_px: float
    height_change_px: float
    shown_finding: Finding
    is_relabelled: bool

    @property
    def shift_px(self) -> float:
        """How far the centre moved."""
        return hypot(self.shift_x_px, self.shift_y_px)


@dataclass(frozen=True, slots=True)
class TracedBox:
    """A box of a reading with what it was made from.

    Attributes
    ----------
    box : ReadBox
        What the reader let stand, or deleted.
    shown : PredictedBox or None
        The pre-annotation's box; None when drawn, or when it is not known any more.
    adjustment : Adjustment or None
        Only of an adjusted box.
    """

    box: ReadBox
    shown: PredictedBox | None
    adjustment: Adjustment | None


def adjustment_of(shown: PredictedBox, read: ReadBox) -> Adjustment:
    """Return how far a reader's box is from the shown one.

    Parameters
    ----------
    shown : PredictedBox
        The pre-annotation's box.
    read : ReadBox
        What the reader made of it.

    Returns
    -------
    Adjustment
        All zero, with an IoU of 1, when nothing was changed.

    Examples
    --------
    >>> shown = PredictedBox(Finding.ILD, Box(0.0, 0.0, 10.0, 10.0), score=0.5)
    >>> moved = adjustment_of(shown, ReadBox(Finding.ILD, Box(5.0, 0.0, 15.0, 12.0)))
    >>> (moved.shift_x_px, moved.shift_y_px, moved.width_change_px, moved.height_change_px)
    (5.0, 1.0, 0.0, 2.0)
    >>> round(moved.iou, 3)
    0.294
    """
    overlap = boxes.pairwise_iou(boxes.stack([shown.box]), boxes.stack([read.box]))
    (from_x, from_y), (to_x, to_y) = _centre(shown.box), _centre(read.box)
    (old_width, old_height), (width, height) = _size(shown.box), _size(read.box)
    return Adjustment(
        iou=float(overlap.item()),
        shift_x_px=to_x - from_x,
        shift_y_px=to_y - from_y,
        width_change_px=width - old_width,
        height_change_px=height - old_height,
        shown_finding=shown.finding,
        is_relabelled=read.finding is not shown.finding,
    )


def trace_boxes(reading: Reading, shown: Mapping[int, PredictedBox]) -> tuple[TracedBox, ...]:
    """Return every box of a reading with what it was made from.

    Parameters
    ----------
    reading : Reading
        What the reader submitted.
    shown : mapping of int to PredictedBox
        The pre-annotation's boxes by their key in the store.

    Returns
    -------
    tuple of TracedBox
        The boxes that stand, then the deleted ones, in the reading's order.
    """
    return tuple(_trace(box, shown) for box in (*reading.boxes, *reading.deleted))


def _trace(box: ReadBox, shown: Mapping[int, PredictedBox]) -> TracedBox:
    source = None if box.predicted_box_id is None else shown.get(box.predicted_box_id)
    is_adjusted = source is not None and box.origin is Origin.ADJUSTED
    return TracedBox(box, source, adjustment_of(source, box) if source and is_adjusted else None)


def _centre(box: Box) -> tuple[float, float]:
    return (box.x_min + box.x_max) / 2, (box.y_min + box.y_max) / 2


def _size(box: Box) -> tuple[float, float]:
    return box.x_max - box.x_min, box.y_max - box.y_min
