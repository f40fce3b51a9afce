"""What an adjudicator decided on one image."""

from dataclasses import dataclass
from enum import StrEnum

from backend.domain.boxes import Box
from backend.domain.findings import Finding


class Act(StrEnum):
    """What an adjudicator did with a box."""

    ACCEPT = "accept"
    ADJUST = "adjust"
    RELABEL = "relabel"
    MERGE = "merge"
    REJECT = "reject"
    DRAW = "draw"


@dataclass(frozen=True, slots=True)
class Subject:
    """The cluster that a decision is about, whatever key later answers give it.

    Attributes
    ----------
    finding : Finding
        What the readers called it.
    box : Box, [px]
        Where it was.
    read_box_ids : tuple of int
        The readers' boxes that supported it, rising.
    """

    finding: Finding
    box: Box
    read_box_ids: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Decision:
    """What was decided on one cluster.

    Attributes
    ----------
    act : Act
        What the adjudicator did.
    subject : Subject or None
        With which cluster; None for a box that the adjudicator drew.
    finding : Finding or None
        What it is; None when nothing of it stands (REJECT).
    box : Box or None, [px]
        Where it is; of a MERGE the box that it became part of.
    reason : str or None
        What the adjudicator wrote beside it.
    """

    act: Act
    subject: Subject | None
    finding: Finding | None = None
    box: Box | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was decided on an image.

    Attributes
    ----------
    image_id : str
        Which.
    decisions : tuple of Decision
        One per cluster that it speaks of, and one per drawn box; all others stay as the readers
        have them.
    nothing_missing : bool
        Whether the adjudicator confirmed that nothing else is there.
    is_complete : bool
        Whether, besides, every dispute was decided.
    versions : tuple of int
        The kept verdicts of the image that it is made of, rising.
    adjudicators : tuple of str
        Who decided, sorted.
    """

    image_id: str
    decisions: tuple[Decision, ...]
    nothing_missing: bool
    is_complete: bool
    versions: tuple[int, ...] = ()
    adjudicators: tuple[str, ...] = ()

    @property
    def version(self) -> str:
        """The kept verdicts that it is made of, in one word: "1+3"."""
        return "+".join(str(number) for number in self.versions)
