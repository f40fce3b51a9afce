"""Readings as the API tells them."""

from datetime import datetime

from pydantic import BaseModel

from backend.domain.boxes import Box
from backend.domain.provenance import Adjustment, TracedBox
from backend.domain.readings import Origin, ReadBox
from backend.workflow.trace_readings import TracedReading


class Marked(BaseModel):
    """A finding and where it is.

    Attributes
    ----------
    finding : str
        Its published name.
    x_min, y_min, x_max, y_max : float, [px]
        In pixels of the registered image.
    """

    finding: str
    x_min: float
    y_min: float
    x_max: float
    y_max: float


class AdjustmentAnswer(BaseModel):
    """What the reader changed about a suggested box.

    Attributes
    ----------
    iou : float
        Overlap with the suggested box, in [0, 1].
    shift_px : float, [px]
        How far the centre moved.
    shift_x_px, shift_y_px : float, [px]
        The same to the right and downwards.
    width_change_px, height_change_px : float, [px]
        Positive when the box grew.
    shown_finding : str
        What it was called.
    is_relabelled : bool
        Whether the finding was changed.
    """

    iou: float
    shift_px: float
    shift_x_px: float
    shift_y_px: float
    width_change_px: float
    height_change_px: float
    shown_finding: str
    is_relabelled: bool


class ReadMark(Marked):
    """One box of a reading.

    Attributes
    ----------
    certainty : str or None
        How sure the reader is.
    origin : str
        Accepted, adjusted, drawn or deleted.
    made_from : str or None
        Whose box it was made from: the "model"'s, or in a second look the "reader"'s own of the
        reading before; None when drawn.
    shown_score : float or None
        The model's confidence in the suggestion that it was made from.
    adjustment : AdjustmentAnswer or None
        Of an adjusted box.
    """

    certainty: str | None
    origin: str
    made_from: str | None
    shown_score: float | None
    adjustment: AdjustmentAnswer | None


class ReadingAnswer(BaseModel):
    """One reader's answer.

    Attributes
    ----------
    reader : str
        Pseudonym.
    kind : str
        "reading", or "second-look": the answer after the model's strongest disagreements were
        shown, beside the reading that it never replaces.
    round, revision : int
        Which reading, and how often it was changed.
    state : str
        Valid, quarantined or withdrawn.
    reason : str or None
        Why it is not valid.
    arm : str
        Whether the pre-annotation was shown.
    model_version : str or None
        Whose.
    read_at : datetime
        When.
    lead_time_seconds : float or None, [s]
        How long the image was open.
    active_seconds : float or None, [s]
        The same with idle time cut.
    note : str or None
        What the reader wrote about the image.
    boxes : list of ReadMark
        None means "No finding".
    deleted : list of ReadMark
        Suggested boxes that the reader removed.
    """

    reader: str
    kind: str
    round: int
    revision: int
    state: str
    reason: str | None
    arm: str
    model_version: str | None
    read_at: datetime
    lead_time_seconds: float | None
    active_seconds: float | None
    note: str | None
    boxes: list[ReadMark]
    deleted: list[ReadMark]


def reading_answer(traced: TracedReading) -> ReadingAnswer:
    """Return a reading as the API tells it.

    Parameters
    ----------
    traced : TracedReading
        With the provenance of its boxes.

    Returns
    -------
    ReadingAnswer
        To whom it may be shown is the caller's business.
    """
    reading, receipt = traced.kept.reading, traced.kept.receipt
    marks = [_mark(one) for one in traced.boxes]
    return ReadingAnswer(
        reader=reading.reader_id,
        kind=reading.kind,
        round=reading.round,
        revision=reading.revision,
        state=receipt.state,
        reason=receipt.reason,
        arm=reading.arm,
        model_version=reading.model_version,
        read_at=reading.read_at,
        lead_time_seconds=reading.lead_time_seconds,
        active_seconds=traced.active_seconds,
        note=reading.note,
        boxes=[mark for mark in marks if mark.origin != Origin.DELETED],
        deleted=[mark for mark in marks if mark.origin == Origin.DELETED],
    )


def edges(box: Box) -> dict[str, float]:
    """Return a box's edges by name.

    Parameters
    ----------
    box : Box, [px]
        The box.

    Returns
    -------
    dict of str to float
        For `Marked`.
    """
    return dict(box._asdict())


def _mark(traced: TracedBox) -> ReadMark:
    return ReadMark(
        finding=traced.box.finding.title,
        **edges(traced.box.box),
        certainty=traced.box.certainty,
        origin=traced.box.origin,
        made_from=_made_from(traced.box),
        shown_score=None if traced.shown is None else traced.shown.score,
        adjustment=None if traced.adjustment is None else _adjustment(traced.adjustment),
    )


def _made_from(box: ReadBox) -> str | None:
    if box.own_box_id is not None:
        return "reader"
    return None if box.predicted_box_id is None else "model"


def _adjustment(change: Adjustment) -> AdjustmentAnswer:
    return AdjustmentAnswer(
        iou=change.iou,
        shift_px=change.shift_px,
        shift_x_px=change.shift_x_px,
        shift_y_px=change.shift_y_px,
        width_change_px=change.width_change_px,
        height_change_px=change.height_change_px,
        shown_finding=change.shown_finding.title,
        is_relabelled=change.is_relabelled,
    )
