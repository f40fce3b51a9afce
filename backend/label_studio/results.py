"""A submitted result as boxes of a reading.

Label Studio's own ``origin`` is not trusted: it also calls a box changed when only its certainty
was set. Origin is found by comparing with what was shown.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from backend.domain import boxes as box_rules
from backend.domain.boxes import Box
from backend.domain.findings import NO_FINDING_NAME, Finding
from backend.domain.predictions import PredictedBox
from backend.domain.readings import Certainty, Origin, ReadBox
from backend.domain.worklists import Skip
from backend.label_studio import skips
from backend.label_studio.labelled_boxes import (
    MalformedRegionError,
    UnknownLabelError,
    labelled_box,
)
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
_CONTROLS = (FINDING_TAG, CERTAINTY_TAG, STUDY_TAG, UNREADABLE_TAG, NOTE_TAG)


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
        said = skips.said(result)
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
