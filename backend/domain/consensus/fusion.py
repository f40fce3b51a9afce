"""Which boxes of several readers mean one lesion, and the box that stands for them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from backend.domain import boxes as geometry
from backend.domain.boxes import Box, Boxes
from backend.domain.findings import Finding
from backend.domain.readings import ReadBox, Reading

SAME_PLACE_IOU = 0.4
"""Two boxes that overlap at least this much mark the same place."""


@dataclass(frozen=True, slots=True)
class Mark:
    """One reader's box.

    Attributes
    ----------
    reader_id : str
        Whose box.
    box : ReadBox
        What was marked, and where.
    """

    reader_id: str
    box: ReadBox


@dataclass(frozen=True, slots=True)
class Lesion:
    """The marks that mean one lesion.

    Attributes
    ----------
    finding : Finding
        What all of them mark.
    marks : tuple of Mark
        One per reader, sorted by place and size, then by reader.
    """

    finding: Finding
    marks: tuple[Mark, ...]


def find_lesions(readings: Sequence[Reading]) -> tuple[Lesion, ...]:
    """Return which boxes of several readers mean one lesion.

    Parameters
    ----------
    readings : sequence of Reading
        One per reader, all of one image.

    Returns
    -------
    tuple of Lesion
        Every box of every reader is in exactly one lesion, except exact repeats by the same
        reader, which count once. Sorted by finding, then by place and size.

    Raises
    ------
    MalformedBoxError
        If a box has no area or is not finite.

    Notes
    -----
    Findings are handled one by one. Pairs of boxes that overlap by `SAME_PLACE_IOU` or more
    are joined by falling overlap, and two groups are joined only if no reader is in both: a
    reader has one vote on a lesion. Two overlapping boxes of one reader therefore stay two
    lesions. Equal overlaps are taken in the order of the boxes' coordinates, so the result
    depends neither on the order of readings and boxes nor on the readers' names.
    """
    drawn = [box for reading in readings for box in reading.boxes]
    geometry.check_boxes(geometry.stack([box.box for box in drawn]))
    return tuple(
        Lesion(finding=finding, marks=marks)
        for finding in sorted({box.finding for box in drawn})
        for marks in _groups(_marks_by_place(readings, finding))
    )


def fuse(boxes: Sequence[Box]) -> Box:
    """Return the box that stands for several boxes of one lesion.

    Parameters
    ----------
    boxes : sequence of Box, [px]
        One per reader, at least one.

    Returns
    -------
    Box, [px]
        Their weighted boxes fusion, every reader with the same weight; inside their hull.

    References
    ----------
    R. Solovyev, W. Wang, T. Gabruseva, "Weighted boxes fusion: Ensembling boxes from
    different object detection models", Image and Vision Computing 107, 2021.
    """
    if len(set(boxes)) == 1:
        return boxes[0]
    # Not at the top: it loads numba, a second that no other command should pay.
    from ensemble_boxes import weighted_boxes_fusion  # noqa: PLC0415

    members = geometry.stack(boxes)
    corner, size = _hull(members)
    inside_hull = (members - np.tile(corner, 2)) / np.tile(size, 2)
    fused, _, _ = weighted_boxes_fusion(
        [[box] for box in inside_hull],
        [[1.0] for _ in boxes],
        [[0] for _ in boxes],
        iou_thr=-1.0,  # below every overlap: what belongs together is already decided
    )
    edges = np.clip(fused[0], 0.0, 1.0) * np.tile(size, 2) + np.tile(corner, 2)
    lowest, highest = members.min(axis=0), members.max(axis=0)
    return Box(*(float(edge) for edge in np.clip(edges, lowest, highest)))


def _hull(members: Boxes) -> tuple[Boxes, Boxes]:
    """Return the upper left corner and the width and height of what the boxes cover."""
    corner = members[:, :2].min(axis=0)
    return corner, members[:, 2:].max(axis=0) - corner


def _marks_by_place(
    readings: Sequence[Reading], finding: Finding
) -> dict[Box, dict[str, ReadBox]]:
    """Return the marks of a finding by rectangle and reader, rectangles sorted."""
    places: dict[Box, dict[str, ReadBox]] = {}
    for reading in readings:
        for box in sorted(reading.boxes, key=_by_key):
            if box.finding is finding:
                places.setdefault(box.box, {}).setdefault(reading.reader_id, box)
    return dict(sorted(places.items()))


def _by_key(box: ReadBox) -> tuple[bool, int]:
    """Order saved boxes by key, before those that were never saved."""
    return box.id is None, box.id or 0


def _groups(places: Mapping[Box, Mapping[str, ReadBox]]) -> Iterator[tuple[Mark, ...]]:
    """Join places by falling overlap while no reader would vote twice."""
    rectangles = list(places)
    group_of = list(range(len(rectangles)))
    readers = [set(marks) for marks in places.values()]
    for left, right in _overlapping_pairs(geometry.stack(rectangles)):
        keep, drop = sorted((group_of[left], group_of[right]))
        if keep != drop and readers[keep].isdisjoint(readers[drop]):
            readers[keep] |= readers[drop]
            group_of = [keep if group == drop else group for group in group_of]
    for group in sorted(set(group_of)):
        yield tuple(
            Mark(reader_id=reader_id, box=box)
            for rectangle, own in zip(rectangles, group_of, strict=True)
            if own == group
            for reader_id, box in sorted(places[rectangle].items())
        )


def _overlapping_pairs(rectangles: Boxes) -> list[tuple[int, int]]:
    """Return the pairs at the same place, by falling overlap, then by position."""
    overlaps = geometry.pairwise_iou(rectangles, rectangles)
    lefts, rights = np.nonzero(np.triu(overlaps >= SAME_PLACE_IOU, k=1))
    order = np.argsort(-overlaps[lefts, rights], kind="stable")
    return list(zip(lefts[order].tolist(), rights[order].tolist(), strict=True))
