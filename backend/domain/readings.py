"""What one reader marked on one image."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from backend.domain.boxes import Box
from backend.domain.findings import Finding


class Arm(StrEnum):
    """Whether the reader saw the pre-annotation."""

    ASSISTED = "assisted"
    UNASSISTED = "unassisted"


class Certainty(StrEnum):
    """How sure the reader is of a box."""

    DEFINITE = "definite"
    PROBABLE = "probable"
    POSSIBLE = "possible"


class ReadingKind(StrEnum):
    """What the reader was asked for."""

    READING = "reading"
    SECOND_LOOK = "second-look"


class Origin(StrEnum):
    """How a box came to stand, or not to stand, in a reading."""

    ACCEPTED = "accepted"
    ADJUSTED = "adjusted"
    DRAWN = "drawn"
    DELETED = "deleted"


@dataclass(frozen=True, slots=True)
class ReadBox:
    """One box of a reading.

    Attributes
    ----------
    finding : Finding
        What it marks.
    box : Box, [px]
        Where, in pixels of the registered image.
    certainty : Certainty or None
        None when the reader did not say.
    origin : Origin
        ACCEPTED, ADJUSTED and DELETED refer to the box that was shown.
    predicted_box_id : int or None
        Key of the model's box that it was made from; None when drawn.
    own_box_id : int or None
        In a second look, key of the box of the reader's own reading that it was made from.
    id : int or None
        Key in the store; None before it is saved.
    """

    finding: Finding
    box: Box
    certainty: Certainty | None = None
    origin: Origin = Origin.DRAWN
    predicted_box_id: int | None = None
    own_box_id: int | None = None
    id: int | None = None


@dataclass(frozen=True, slots=True)
class Reading:
    """One reader's answer for one image in one round.

    Attributes
    ----------
    image_id, reader_id : str
        Which image, read by whom.
    boxes : tuple of ReadBox
        The boxes that the reader lets stand; none means "No finding".
    read_at : datetime
        When it was submitted, or imported; aware.
    deleted : tuple of ReadBox
        Boxes of the pre-annotation that the reader removed; they mark nothing.
    round : int
        1 for the first reading of this image by this reader.
    arm : Arm
        Whether a pre-annotation was shown.
    model_version : str or None
        Whose pre-annotation was shown; None in the unassisted arm.
    lead_time_seconds : float or None, [s]
        Time that the image was open, idle time included (`reading_time` cuts it); None when
        unknown.
    kind : ReadingKind
        A second look follows a reading and never replaces it.
    id : int or None
        Key in the store; None before it is saved.
    revision : int
        1 for the first submission; later changes count up and hide nothing.
    note : str or None
        What the reader wrote about the image, as `notes.clean_note` left it.
    """

    image_id: str
    reader_id: str
    boxes: tuple[ReadBox, ...]
    read_at: datetime
    deleted: tuple[ReadBox, ...] = ()
    round: int = 1
    arm: Arm = Arm.UNASSISTED
    model_version: str | None = None
    lead_time_seconds: float | None = None
    kind: ReadingKind = ReadingKind.READING
    id: int | None = None
    revision: int = 1
    note: str | None = None

    @property
    def is_no_finding(self) -> bool:
        """Whether the reader called the image free of the fourteen findings."""
        return not self.boxes
