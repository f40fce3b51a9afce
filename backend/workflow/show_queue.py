"""What is waiting to be read, in the order in which it is served."""

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
    """

    rank: int
    image_id: str
    score: float
    channel: str
    reason: str
    readers: tuple[str, ...]


def show_queue(store: UnitOfWork) -> list[QueueRow]:
    """Return the queue.

    Parameters
    ----------
    store : UnitOfWork
        An open transaction.

    Returns
    -------
    list of QueueRow
        One per image with open worklist entries, by rank; second looks at it apart.
    """
    waiting: dict[tuple[str, bool], list[WorklistEntry]] = {}
    for entry in store.worklists.all(state=EntryState.OPEN):
        asked = entry.image_id, entry.kind is EntryKind.SECOND_LOOK
        waiting.setdefault(asked, []).append(entry)
    return [
        QueueRow(
            rank=entries[0].rank,
            image_id=image_id,
            score=entries[0].score,
            channel=entries[0].channel,
            reason=entries[0].reason,
            readers=tuple(sorted({entry.reader_id for entry in entries})),
        )
        for (image_id, _), entries in waiting.items()
    ]
