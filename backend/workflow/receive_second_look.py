"""What a reader was shown in a second look, and what the answer is kept as.

Everything else about receiving it is as with any reading: revisions, deletions, skips (a second
look that the reader declines), in whatever order they arrive.
"""

from collections.abc import Mapping

from backend.domain.predictions import PredictedBox, Prediction
from backend.domain.readings import ReadBox, ReadingKind
from backend.domain.second_look import strong_disagreements
from backend.domain.worklists import EntryKind, WorklistEntry
from backend.label_studio import second_look
from backend.store.unit_of_work import UnitOfWork


def kind_of_reading(entry: WorklistEntry) -> ReadingKind:
    """Return what the answer to a worklist entry is kept as.

    Parameters
    ----------
    entry : WorklistEntry
        What was asked.

    Returns
    -------
    ReadingKind
        A second look is never a reading.
    """
    is_second_look = entry.kind is EntryKind.SECOND_LOOK
    return ReadingKind.SECOND_LOOK if is_second_look else ReadingKind.READING


def both_sets(
    store: UnitOfWork, entry: WorklistEntry
) -> tuple[tuple[ReadBox, ...], tuple[PredictedBox, ...]]:
    """Return what a second look shows; always the same for the same entry.

    Parameters
    ----------
    store : UnitOfWork
        An open transaction.
    entry : WorklistEntry
        A second look.

    Returns
    -------
    own : tuple of ReadBox
        The boxes of the reading that is looked at once more.
    predicted : tuple of PredictedBox
        The model's boxes that the reader is asked about, the gravest first.
    """
    first = store.second_looks.first_of(entry)
    asked = _prediction(store, entry.model_version, entry.image_id)
    seen = _prediction(store, first.model_version, entry.image_id)
    found = strong_disagreements(first.boxes, asked.boxes, shown=seen.shown)
    return first.boxes, tuple(one.predicted for one in found if one.predicted is not None)


def shown_in_second_look(
    store: UnitOfWork, entry: WorklistEntry
) -> Mapping[str, ReadBox | PredictedBox]:
    """Return what a second look shows, by the ids under which Label Studio keeps it.

    Parameters
    ----------
    store : UnitOfWork
        An open transaction.
    entry : WorklistEntry
        A second look.

    Returns
    -------
    mapping of str to ReadBox or PredictedBox
        Both sets.
    """
    return second_look.shown_regions(*both_sets(store, entry))


def _prediction(store: UnitOfWork, model_version: str | None, image_id: str) -> Prediction:
    if model_version is None:
        return Prediction(image_id, "none", ())
    return store.predictions.of_model(model_version, [image_id])[image_id]
