"""A submitted result as boxes of a reading.

Label Studio's own ``origin`` is not trusted: it also calls a box changed when only its certainty
was set. Origin is found by comparing with what was shown.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from backend.domain import boxes as box_rules
from backend.domain import notes
from backend.domain.boxes import Box
from backend.domain.findings import NO_FINDING_NAME, Finding, UnknownFindingError
from backend.domain.predictions import PredictedBox
from backend.domain.readings import Certainty, Origin, ReadBox
from backend.domain.worklists import Skip, SkipReason
from backend.label_studio.regions import (
    CERTAINTY_TAG,
    FINDING_TAG,
    NOTE_TAG,
    SOURCE_TAG,
    STUDY_TAG,
    UNREADABLE_TAG,
    Region,
)

_SAME_PLACE_IOU = 0.999
_OVERHANG_SHARE = 0.01  # of a side; what drawing at the very edge can add
_TURN_DEGREES = 1e-6
_UNTOUCHED = "prediction"
_CONTROLS = (FINDING_TAG, CERTAINTY_TAG, STUDY_TAG, UNREADABLE_TAG, NOTE_TAG)


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


@dataclass(frozen=True, slots=True)
class ReadResult:
    """What a submitted result says.

    Attributes
    ----------
    boxes : tuple of ReadBox
        The boxes that the reader let stand, in the order of the result.
    deleted : tuple of ReadBox
        Shown boxes that the reader removed.
    says_no_finding : bool
        Whether "No finding" is ticked.
    skip : Skip
        Why the image cannot be read, if the reader says so, and the note.
    """

    boxes: tuple[ReadBox, ...]
    deleted: tuple[ReadBox, ...]
    says_no_finding: bool
    skip: Skip

    @property
    def contradiction(self) -> str | None:
        """Why the reader must mend it: two answers that exclude each other, or none at all."""
        if self.skip.reason is not None:
            return f'"Cannot be read: {self.skip.reason}" is chosen beside another answer'
        if self.says_no_finding and self.boxes:
            return f'"{NO_FINDING_NAME}" is ticked beside {len(self.boxes)} box(es)'
        if not self.says_no_finding and not self.boxes:
            return f'neither a box nor "{NO_FINDING_NAME}" was given'
        return None


def boxes_from_result(
    result: Sequence[Region],
    shown: Mapping[str, PredictedBox | ReadBox],
    width_px: int,
    height_px: int,
) -> ReadResult:
    """Return what a submitted result says, beside what the reader was shown.

    Parameters
    ----------
    result : sequence of dict
        The annotation's items.
    shown : mapping of str to PredictedBox or ReadBox
        `shown_regions` of the pre-annotation; empty in the unassisted arm. In a second look
        those of the reader's own boxes as well.
    width_px, height_px : int, [px]
        Size of the registered image.

    Returns
    -------
    ReadResult
        An unchanged shown box is accepted and keeps its exact coordinates.

    Raises
    ------
    ImageSizeError
        If a region's original size does not have the registered image's proportions.
    RotatedRegionError
        If something is rotated.
    UnknownLabelError
        If a label or control is not on the reading form.
    MalformedRegionError
        If a region has no area, lies outside the image, or lacks a part.
    """
    regions: dict[str, Region] = {}
    certainties: dict[str, Certainty] = {}
    says_no_finding = False
    try:
        for item in result:
            if item["from_name"] == FINDING_TAG:
                _keep_once(regions, item)
            elif item["from_name"] == CERTAINTY_TAG:
                certainties[item["id"]] = _certainty(item)
            elif item["from_name"] not in {SOURCE_TAG, UNREADABLE_TAG, NOTE_TAG}:
                says_no_finding = _ticks_no_finding(item)
        said = _said(result)
        read = {key: labelled_box(item, width_px, height_px) for key, item in regions.items()}
    except (KeyError, TypeError, IndexError, AttributeError) as error:
        raise MalformedRegionError(f"a part of a region is missing or odd: {error!r}") from error
    if homeless := sorted(certainties.keys() - regions.keys()):
        raise MalformedRegionError(f"a certainty belongs to no box: {', '.join(homeless)}")
    return ReadResult(
        boxes=tuple(
            _read_box(finding, box, certainties.get(key), shown.get(key))
            for key, (finding, box) in read.items()
        ),
        deleted=tuple(
            _made_from(box, ReadBox(box.finding, box.box, origin=Origin.DELETED))
            for key, box in shown.items()
            if key not in regions
        ),
        says_no_finding=says_no_finding,
        skip=said,
    )


def skip_from_result(result: Sequence[Region]) -> Skip:
    """Return why an image was skipped; what else a skipped annotation holds is not looked at.

    Parameters
    ----------
    result : sequence of dict
        The annotation's items: also the suggested boxes, which the reader did not judge.

    Returns
    -------
    Skip
        Empty where nothing was said, or nothing that can be understood.
    """
    try:
        return _said(result)
    except (KeyError, TypeError, IndexError, AttributeError, UnknownLabelError):
        return Skip()


def is_called_unreadable(result: Sequence[Region]) -> bool:
    """Return whether a submitted result says nothing but that the image cannot be read.

    Parameters
    ----------
    result : sequence of dict
        The annotation's items.

    Returns
    -------
    bool
        True also beside suggested boxes that nobody touched; False beside any other answer, which
        contradicts it.
    """
    return skip_from_result(result).reason is not None and not any(map(_is_answer, result))


def _said(result: Sequence[Region]) -> Skip:
    reason, note = None, None
    for item in result:
        if item["from_name"] == UNREADABLE_TAG:
            reason = _skip_reason(item)
        elif item["from_name"] == NOTE_TAG:
            text = item["value"]["text"]
            note = notes.clean_note(text if isinstance(text, str) else " ".join(text))
    return Skip(reason, note)


def _is_answer(item: Region) -> bool:
    if item["from_name"] == FINDING_TAG:
        return item.get("origin") != _UNTOUCHED
    return item["from_name"] not in {UNREADABLE_TAG, NOTE_TAG}


def _skip_reason(item: Region) -> SkipReason:
    choice = item["value"]["choices"][0]
    try:
        return SkipReason(choice.casefold())
    except ValueError as error:
        raise UnknownLabelError(f"{choice!r} is no reason of the reading form") from error


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


def _keep_once(regions: dict[str, Region], item: Region) -> None:
    if item["id"] in regions:
        raise MalformedRegionError(f"two boxes share the id {item['id']!r}")
    regions[item["id"]] = item


def _certainty(item: Region) -> Certainty:
    choice = item["value"]["choices"][0]
    try:
        return Certainty(choice.casefold())
    except ValueError as error:
        raise UnknownLabelError(f"{choice!r} is not a certainty of the reading form") from error


def _ticks_no_finding(item: Region) -> bool:
    if item["from_name"] != STUDY_TAG or item["value"]["choices"] != [NO_FINDING_NAME]:
        raise UnknownLabelError(
            f"expected an item of the reading form ({', '.join(_CONTROLS)}), "
            f"got {item['from_name']!r} with {item['value']!r}"
        )
    return True


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


def _read_box(
    finding: Finding,
    box: Box,
    certainty: Certainty | None,
    shown: PredictedBox | ReadBox | None,
) -> ReadBox:
    if shown is None:
        return ReadBox(finding, box, certainty, Origin.DRAWN)
    overlap = box_rules.pairwise_iou(box_rules.stack([box]), box_rules.stack([shown.box]))
    if finding is shown.finding and overlap.item() >= _SAME_PLACE_IOU:
        return _made_from(shown, ReadBox(finding, shown.box, certainty, Origin.ACCEPTED))
    return _made_from(shown, ReadBox(finding, box, certainty, Origin.ADJUSTED))


def _made_from(shown: PredictedBox | ReadBox, box: ReadBox) -> ReadBox:
    if isinstance(shown, ReadBox):
        return replace(box, own_box_id=shown.id)
    return replace(box, predicted_box_id=shown.id)
