"""Why an image was not read, and what the reader noted, out of a submitted result."""

from collections.abc import Sequence

from backend.domain import notes
from backend.domain.worklists import Skip, SkipReason
from backend.label_studio.labelled_boxes import UnknownLabelError
from backend.label_studio.regions import (
    FINDING_TAG,
    NOTE_TAG,
    SOURCE_TAG,
    UNREADABLE_TAG,
    Region,
)

_UNTOUCHED = "prediction"


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
        return said(result)
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


def said(result: Sequence[Region]) -> Skip:
    """Return why an image cannot be read, as a submitted result says it, and the note.

    Parameters
    ----------
    result : sequence of dict
        The annotation's items.

    Returns
    -------
    Skip
        Empty where nothing was said.

    Raises
    ------
    UnknownLabelError
        If a reason is not on the reading form; a malformed item raises what Python raises.
    """
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
    return item["from_name"] not in {SOURCE_TAG, UNREADABLE_TAG, NOTE_TAG}


def _skip_reason(item: Region) -> SkipReason:
    choice = item["value"]["choices"][0]
    try:
        return SkipReason(choice.casefold())
    except ValueError as error:
        raise UnknownLabelError(f"{choice!r} is no reason of the reading form") from error
