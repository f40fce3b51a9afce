"""Keep the entries that were planned, as far as they are still possible."""

from collections.abc import Sequence
from datetime import datetime

from backend.domain.worklists import EntryKind, EntryState, WorklistEntry
from backend.store.unit_of_work import UnitOfWork


def record_entries(
    store: UnitOfWork, entries: Sequence[WorklistEntry], *, worklist_size: int, now: datetime
) -> list[WorklistEntry]:
    """Ask readers for what was planned; leave out what has become impossible since.

    Parameters
    ----------
    store : UnitOfWork
        An open transaction.
    entries : sequence of WorklistEntry
        By rank; one with a key was withdrawn unread and is opened again.
    worklist_size : int
        Open entries kept per reader.
    now : datetime
        The time; aware.

    Returns
    -------
    list of WorklistEntry
        What was kept. Left out is whatever its reader has read, was asked for otherwise, or has
        no room for any more, and everything of a reader who has left.
    """
    room = {
        project.reader_id: worklist_size
        - store.worklists.counts(project.reader_id)[EntryState.OPEN]
        for project in store.readers.projects()
    }
    readers = store.images.readers_by_image()
    before = {
        (one.image_id, one.reader_id): one
        for reader_id in room
        for one in store.worklists.all(reader_id=reader_id)
        if one.kind is not EntryKind.SECOND_LOOK
    }

    kept = []
    for entry in entries:
        has_read = entry.reader_id in readers.get(entry.image_id, ())
        is_as_planned = _may_be_kept(entry, before.get((entry.image_id, entry.reader_id)))
        if room.get(entry.reader_id, 0) > 0 and is_as_planned and not has_read:
            room[entry.reader_id] -= 1
            kept.append(entry)

    store.worklists.add([entry for entry in kept if entry.id is None], now=now)
    store.worklists.open_again([entry for entry in kept if entry.id is not None], now=now)
    return kept


def _may_be_kept(entry: WorklistEntry, before: WorklistEntry | None) -> bool:
    """Return whether the store holds of an entry what was planned on: nothing, or its key."""
    if before is None:
        return entry.id is None
    return before.id == entry.id and before.state is EntryState.WITHDRAWN
