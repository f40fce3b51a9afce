"""What is waiting to be read, in the order in which it is served."""

from collections.abc import Sequence
from dataclasses import dataclass

from backend.domain.worklists import EntryKind, EntryState, WorklistEntry
from backend.store.unit_of_work import UnitOfWork


@dataclass(frozen=True, slots=True)
class QueueRow:
    """One image that waits, and why.

    Attributes
    ----------
    rank : int
        Its best place among the open entries; lower is read sooner.
    image_id : str
        The image.
    score : float
        What the queue ranked by; higher is worth more.
    channel : str
        The part of the criterion that chose it.
    reason : str
        Why it is here, as one sentence.
    readers : tuple of str
        Who still has it on the worklist, sorted.
    top_finding : str or None
        What it was chosen for, or what the model is surest of; None when nothing is marked.
    expected_seconds : float or None, [s]
        How long one reader will take; None when that is not known.
    """

    rank: int
    image_id: str
    score: float
    channel: str
    reason: str
    readers: tuple[str, ...]
    top_finding: str | None = None
    expected_seconds: float | None = None


def show_queue(store: UnitOfWork) -> list[QueueRow]:
    """Return the queue.

    Parameters
    ----------
    store : UnitOfWork
        An open transaction.

    Returns
    -------
    list of QueueRow
        As from `planned_queue`, of the open entries.
    """
    return planned_queue(store.worklists.all(state=EntryState.OPEN))


def planned_queue(entries: Sequence[WorklistEntry]) -> list[QueueRow]:
    """Return entries, kept or not yet, as people see them.

    Parameters
    ----------
    entries : sequence of WorklistEntry
        By rank.

    Returns
    -------
    list of QueueRow
        One per image, by rank; gold cases and second looks at it apart.
    """
    waiting: dict[tuple[str, EntryKind], list[WorklistEntry]] = {}
    for entry in entries:
        waiting.setdefault((entry.image_id, entry.kind), []).append(entry)
    return [_row(those) for those in waiting.values()]


def _row(entries: Sequence[WorklistEntry]) -> QueueRow:
    """Return the row of one image's entries, the first of which comes first."""
    first = entries[0]
    return QueueRow(
        rank=first.rank,
        image_id=first.image_id,
        score=first.score,
        channel=first.channel,
        reason=first.reason,
        readers=tuple(sorted({entry.reader_id for entry in entries})),
        top_finding=None if first.top_finding is None else first.top_finding.title,
        expected_seconds=first.expected_seconds,
    )
