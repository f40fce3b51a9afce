"""Boxes as Label Studio's regions.

A region holds percent of the image, top left corner and size; the domain holds pixels of the
registered image. A region made of a predicted box carries that box's id, and Label Studio keeps
region ids: whatever comes back under such an id was the model's box.
"""

from collections.abc import Sequence
from typing import Any

from backend.domain.boxes import Box
from backend.domain.findings import NO_FINDING_NAME, Finding
from backend.domain.predictions import PredictedBox
from backend.domain.readings import Certainty
from backend.domain.worklists import SkipReason

Region = dict[str, Any]
"""One item of Label Studio's ``result`` list, as JSON."""

IMAGE_TAG = "image"
FINDING_TAG = "finding"
CERTAINTY_TAG = "certainty"
STUDY_TAG = "study"
UNREADABLE_TAG = "unreadable"
NOTE_TAG = "note"
SOURCE_TAG = "source"
"""Whose box it is, in a second look; says nothing about the image."""


def region_id(box: PredictedBox) -> str:
    """Return the id under which a predicted box is shown.

    Parameters
    ----------
    box : PredictedBox
        A box that is saved.

    Returns
    -------
    str
        For example "p17".

    Raises
    ------
    ValueError
        If the box has no key yet.
    """
    if box.id is None:
        raise ValueError("expected a predicted box with its key; save the prediction first")
    return f"p{box.id}"


def shown_regions(boxes: Sequence[PredictedBox]) -> dict[str, PredictedBox]:
    """Return predicted boxes by the id under which they are shown.

    Parameters
    ----------
    boxes : sequence of PredictedBox
        Boxes that are saved.

    Returns
    -------
    dict of str to PredictedBox
        What `boxes_from_result` compares a reading with.
    """
    return {region_id(box): box for box in boxes}


def region_from_box(
    box: Box, finding: Finding, width_px: int, height_px: int, *, key: str
) -> Region:
    """Return the region of a box.

    Parameters
    ----------
    box : Box, [px]
        Where.
    finding : Finding
        What.
    width_px, height_px : int, [px]
        Size of the registered image.
    key : str
        The region's id, unique within its result.

    Returns
    -------
    dict
        One item of a result.
    """
    return {
        "id": key,
        "from_name": FINDING_TAG,
        "to_name": IMAGE_TAG,
        "type": "rectanglelabels",
        "original_width": width_px,
        "original_height": height_px,
        "image_rotation": 0,
        "value": {
            "x": 100 * box.x_min / width_px,
            "y": 100 * box.y_min / height_px,
            "width": 100 * (box.x_max - box.x_min) / width_px,
            "height": 100 * (box.y_max - box.y_min) / height_px,
            "rotation": 0,
            "rectanglelabels": [finding.title],
        },
    }


def certainty_item(region: Region, certainty: Certainty) -> Region:
    """Return the item that gives a region's certainty.

    Parameters
    ----------
    region : dict
        The region of the box.
    certainty : Certainty
        How sure the reader is.

    Returns
    -------
    dict
        A further item of the same result, under the same id.
    """
    place = {name: part for name, part in region["value"].items() if name != "rectanglelabels"}
    value = {**place, "choices": [certainty.value.capitalize()]}
    return {**region, "from_name": CERTAINTY_TAG, "type": "choices", "value": value}


def no_finding_item(key: str = "no-finding") -> Region:
    """Return the item that ticks "No finding".

    Parameters
    ----------
    key : str
        Its id within the result.

    Returns
    -------
    dict
        One item of a result.
    """
    value = {"choices": [NO_FINDING_NAME]}
    return {
        "id": key,
        "from_name": STUDY_TAG,
        "to_name": IMAGE_TAG,
        "type": "choices",
        "value": value,
    }


def unreadable_item(reason: SkipReason, key: str = "unreadable") -> Region:
    """Return the item that says why an image cannot be read.

    Parameters
    ----------
    reason : SkipReason
        Why.
    key : str
        Its id within the result.

    Returns
    -------
    dict
        One item of a result.
    """
    value = {"choices": [reason.value.capitalize()]}
    return {
        "id": key,
        "from_name": UNREADABLE_TAG,
        "to_name": IMAGE_TAG,
        "type": "choices",
        "value": value,
    }


def note_item(text: str, key: str = "note") -> Region:
    """Return the item that holds a reader's note.

    Parameters
    ----------
    text : str
        What was written.
    key : str
        Its id within the result.

    Returns
    -------
    dict
        One item of a result.
    """
    return {
        "id": key,
        "from_name": NOTE_TAG,
        "to_name": IMAGE_TAG,
        "type": "textarea",
        "value": {"text": [text]},
    }


def result_of_prediction(
    boxes: Sequence[PredictedBox], width_px: int, height_px: int
) -> list[Region]:
    """Return the result that shows a pre-annotation.

    Parameters
    ----------
    boxes : sequence of PredictedBox
        The boxes to show, saved.
    width_px, height_px : int, [px]
        Size of the registered image.

    Returns
    -------
    list of dict
        One region per box, with the box's score.
    """
    return [
        {
            **region_from_box(box.box, box.finding, width_px, height_px, key=region_id(box)),
            "score": box.score,
        }
        for box in boxes
    ]
