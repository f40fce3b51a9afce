"""What a reader is asked to read, and why."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from backend.domain.findings import Finding
from backend.domain.readings import Arm


class EntryState(StrEnum):
    """How far a worklist entry has come."""

    OPEN = "open"
    READ = "read"
    SKIPPED = "skipped"
    WITHDRAWN = "withdrawn"


class EntryKind(StrEnum):
    """What is asked of the reader."""

    READING = "reading"
    SECOND_LOOK = "second-look"
    GOLD = "gold"


class SkipReason(StrEnum):
    """Why an image cannot be read, as the reading form says it."""

    NOT_A_FRONTAL_CHEST = "not a frontal chest"
    CUT_OFF_OR_TURNED = "cut off or turned"
    TOO_POOR_TO_JUDGE = "too poor to judge"
    OTHER = "other, see note"


@dataclass(frozen=True, slots=True)
class Skip:
    """What a reader said when skipping an image.

    Attributes
    ----------
    reason : SkipReason or None
        None when none was chosen.
    note : str or None
        In the reader's own words, as `notes.clean_note` left it.
    """

    reason: SkipReason | None = None
    note: str | None = None


@dataclass(frozen=True, slots=True)
class WorklistEntry:
    """One image on one reader's worklist.

    Attributes
    ----------
    image_id, reader_id : str
        Who reads what.
    rank : int
        Place in the queue, from 1; lower is read sooner.
    score : float
        What the queue ranked by; higher is worth more.
    channel : str
        The part of the criterion that chose it, for example "uncertain" or "random".
    reason : str
        Why it is here, as one sentence for people.
    arm : Arm
        Whether the pre-annotation is shown.
    model_version : str or None
        Whose boxes are shown; None in the unassisted arm or when there is no model yet.
    round : int
        1 for the first reading of the image by this reader.
    kind : EntryKind
        What is asked.
    state : EntryState
        How far it has come.
    reading_id : int or None
        Of a second look, key of the reading that is looked at once more, in the revision in
        which it stood.
    arm_drawn : bool
        Whether the arm was drawn by lot. An image that no model has seen yet is read unassisted
        by circumstance; whoever compares the arms, for automation bias above all, leaves such
        entries out, since they differ from the rest in more than the arm.
    task_id : int or None
        Task in Label Studio; None until it is pushed.
    id : int or None
        Key in the store; None before it is saved.
    skip : Skip or None
        Why it was skipped; None unless it is.
    top_finding : Finding or None
        What the image was chosen for, or what the model is surest of; None when nothing is marked.
    expected_seconds : float or None, [s]
        How long reading it will take; None when that is not known.
    asked_at : datetime or None
        Since when its reader is asked for it, aware; None before it is saved.
    """

    image_id: str
    reader_id: str
    rank: int
    score: float
    channel: str
    reason: str
    arm: Arm
    model_version: str | None = None
    round: int = 1
    kind: EntryKind = EntryKind.READING
    state: EntryState = EntryState.OPEN
    reading_id: int | None = None
    arm_drawn: bool = True
    task_id: int | None = None
    id: int | None = None
    skip: Skip | None = None
    top_finding: Finding | None = None
    expected_seconds: float | None = None
    asked_at: datetime | None = None

    @property
    def key(self) -> int:
        """The key in the store of a saved entry.

        Raises
        ------
        ValueError
            If the entry is not saved yet.
        """
        if self.id is None:
            raise ValueError(f"the entry of {self.image_id} for {self.reader_id} is not saved yet")
        return self.id
