"""What readers changed on looking once more, image by image and over all."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from backend.domain import boxes as geometry
from backend.domain.findings import Finding
from backend.domain.readings import ReadBox, Reading
from backend.domain.second_look import SAME_PLACE_IOU
from backend.domain.worklists import EntryKind, EntryState, WorklistEntry


@dataclass(frozen=True, slots=True)
class Changes:
    """How a second look differs from the reading before it.

    Attributes
    ----------
    added : tuple of ReadBox
        Boxes that were not marked before: taken over from the model or drawn.
    withdrawn : tuple of ReadBox
        Own boxes that no longer stand.
    relabelled : tuple of (ReadBox, ReadBox)
        Own boxes, before and after, that got another finding: by renaming, or by giving one up
        for another one at the same place.
    declined : tuple of ReadBox
        Boxes of the model that were deleted.
    """

    added: tuple[ReadBox, ...]
    withdrawn: tuple[ReadBox, ...]
    relabelled: tuple[tuple[ReadBox, ReadBox], ...]
    declined: tuple[ReadBox, ...]

    @property
    def changed_answer(self) -> bool:
        """Whether the reader now says something else; moved edges alone are not."""
        return bool(self.added or self.withdrawn or self.relabelled)


def changes(first: Reading, second: Reading) -> Changes:
    """Return what a reader changed on looking once more.

    Parameters
    ----------
    first : Reading
        The blind reading, saved.
    second : Reading
        The second look.

    Returns
    -------
    Changes
        Counted box by box.
    """
    before = {box.id: box for box in first.boxes}
    kept = [(before[box.own_box_id], box) for box in second.boxes if box.own_box_id in before]
    renamed = [(old, new) for old, new in kept if old.finding is not new.finding]
    added = [box for box in second.boxes if box.own_box_id is None]
    withdrawn = [before[box.own_box_id] for box in second.deleted if box.own_box_id in before]
    for old in list(withdrawn):
        new = _successor(old, added)
        if new is not None:
            renamed.append((old, new))
            withdrawn.remove(old)
            added.remove(new)
    return Changes(
        added=tuple(added),
        withdrawn=tuple(withdrawn),
        relabelled=tuple(renamed),
        declined=tuple(box for box in second.deleted if box.own_box_id is None),
    )


@dataclass(frozen=True, slots=True)
class SecondLookNumbers:
    """How second looks went.

    Attributes
    ----------
    offered : int
        Ever asked for, without the withdrawn ones.
    waiting, done, skipped : int
        Parts of them: still open, answered, and skipped by the reader.
    changed_answer : int
        Answered ones in which the reader now says something else.
    added, withdrawn, relabelled, declined : Counter of Finding
        Boxes by finding; relabelled by the finding before.
    """

    offered: int
    waiting: int
    done: int
    skipped: int
    changed_answer: int
    added: Counter[Finding] = field(default_factory=Counter)
    withdrawn: Counter[Finding] = field(default_factory=Counter)
    relabelled: Counter[Finding] = field(default_factory=Counter)
    declined: Counter[Finding] = field(default_factory=Counter)


def count(entries: Iterable[WorklistEntry], made: Sequence[Changes]) -> SecondLookNumbers:
    """Return how second looks went.

    Parameters
    ----------
    entries : iterable of WorklistEntry
        All, or one reader's; those that are no second looks are left out.
    made : sequence of Changes
        What was changed in those that were answered.

    Returns
    -------
    SecondLookNumbers
        Counted.
    """
    states = Counter(entry.state for entry in entries if entry.kind is EntryKind.SECOND_LOOK)
    return SecondLookNumbers(
        offered=states.total() - states[EntryState.WITHDRAWN],
        waiting=states[EntryState.OPEN],
        done=states[EntryState.READ],
        skipped=states[EntryState.SKIPPED],
        changed_answer=sum(one.changed_answer for one in made),
        added=Counter(box.finding for one in made for box in one.added),
        withdrawn=Counter(box.finding for one in made for box in one.withdrawn),
        relabelled=Counter(old.finding for one in made for old, _ in one.relabelled),
        declined=Counter(box.finding for one in made for box in one.declined),
    )


def _successor(old: ReadBox, added: Sequence[ReadBox]) -> ReadBox | None:
    """Return the added box of another finding at the place of a withdrawn one."""
    place = geometry.stack([old.box])
    for new in added:
        overlap = geometry.pairwise_iou(place, geometry.stack([new.box])).item()
        if new.finding is not old.finding and overlap >= SAME_PLACE_IOU:
            return new
    return None
