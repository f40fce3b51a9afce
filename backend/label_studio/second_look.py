"""A second look as Label Studio shows it: the reader's own boxes and the model's, told apart.

Both are regions that can be changed and deleted. The reader's look as they were drawn; the
model's also carry a label of the hidden control `SOURCE_TAG`, which makes them thick and white,
and a score. Whatever is left standing is the reader's answer.
"""

from collections.abc import Mapping, Sequence

from backend.domain.predictions import PredictedBox
from backend.domain.readings import ReadBox
from backend.label_studio import regions
from backend.label_studio.regions import SOURCE_TAG, Region

_MODEL_LABEL = "Model"
_HOW_TO = (
    "Thick white boxes are the model's, the others yours. Delete or correct what you disagree "
    "with, then submit. Your first reading stays as it is."
)


def message(reason: str) -> str:
    """Return what the reader is told beside the image.

    Parameters
    ----------
    reason : str
        Why the second look is asked for; a sentence.

    Returns
    -------
    str
        For `tasks.task_data`.
    """
    return f"Second look. {reason} {_HOW_TO}"


def own_region_id(box: ReadBox) -> str:
    """Return the id under which a box of the first reading is shown.

    Parameters
    ----------
    box : ReadBox
        A box that is saved.

    Returns
    -------
    str
        For example "r17".

    Raises
    ------
    ValueError
        If the box has no key yet.
    """
    if box.id is None:
        raise ValueError("expected a read box with its key; save the reading first")
    return f"r{box.id}"


def shown_regions(
    own: Sequence[ReadBox], predicted: Sequence[PredictedBox]
) -> Mapping[str, ReadBox | PredictedBox]:
    """Return both sets of boxes by the ids under which they are shown.

    Parameters
    ----------
    own : sequence of ReadBox
        The first reading's.
    predicted : sequence of PredictedBox
        Those of the model's that the reader is asked about.

    Returns
    -------
    mapping of str to ReadBox or PredictedBox
        What `boxes_from_result` compares the second look with.
    """
    return {own_region_id(box): box for box in own} | regions.shown_regions(predicted)


def result_of_second_look(
    own: Sequence[ReadBox], predicted: Sequence[PredictedBox], width_px: int, height_px: int
) -> list[Region]:
    """Return the result that shows both sets.

    Parameters
    ----------
    own : sequence of ReadBox
        The first reading's, with their certainties.
    predicted : sequence of PredictedBox
        Those of the model's that the reader is asked about.
    width_px, height_px : int, [px]
        Size of the registered image.

    Returns
    -------
    list of dict
        Items of a result.
    """
    shown: list[Region] = []
    for box in own:
        key = own_region_id(box)
        region = regions.region_from_box(box.box, box.finding, width_px, height_px, key=key)
        shown.append({**region, "meta": {"text": ["yours"]}})
        if box.certainty is not None:
            shown.append(regions.certainty_item(region, box.certainty))
    for region in regions.result_of_prediction(predicted, width_px, height_px):
        models = {**region, "meta": {"text": ["the model's"]}}
        value = {**region["value"], "rectanglelabels": [_MODEL_LABEL]}
        # First, because Label Studio draws a region as its first label says.
        shown += [{**models, "from_name": SOURCE_TAG, "value": value}, models]
    return shown
