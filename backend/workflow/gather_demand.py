"""Who could read what: the images that want readers, and the room on the worklists."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from backend.domain.acquisition.batch import Channel
from backend.domain.acquisition.reservation import lapsed, stopped_readers
from backend.domain.images import Image
from backend.domain.worklists import EntryKind, EntryState, WorklistEntry
from backend.store.unit_of_work import UnitOfWork


@dataclass(frozen=True, slots=True)
class Demand:
    """What images and worklists have room for.

    Attributes
    ----------
    images : mapping of str to Image
        All of them, by id.
    already : mapping of str to set of str
        Image id to the readers who read it or were asked to.
    asked : mapping of str to int
        Image id to how many readers read it or still have it on their worklist, for not too long.
    open_slots : mapping of str to int
        Reader id to the number of entries that the worklist has room for; 0 for readers who
        have stopped.
    last_rank : int
        The highest rank that was ever given.
    withdrawn : mapping of (str, str) to WorklistEntry
        Entries that were withdrawn unread, by image and reader.
    queued : frozenset of str
        Images that the queue ever asked a reader for.
    drawn : frozenset of str
        Those of them that belong to the random sample.
    """

    images: Mapping[str, Image]
    already: dict[str, set[str]]
    asked: Mapping[str, int]
    open_slots: dict[str, int]
    last_rank: int
    withdrawn: Mapping[tuple[str, str], WorklistEntry]
    queued: frozenset[str]
    drawn: frozenset[str]

    def could_be_read(self, image_id: str) -> bool:
        """Return whether a reader has room who was never asked for an image.

        Parameters
        ----------
        image_id : str
            Which.

        Returns
        -------
        bool
            Whether anybody could read it.
        """
        already = self.already.get(image_id, ())
        return any(
            slots > 0 and reader_id not in already for reader_id, slots in self.open_slots.items()
        )


def gather_demand(
    store: UnitOfWork, *, worklist_size: int, now: datetime, reservation: timedelta
) -> Demand:
    """Return who could read what.

    Parameters
    ----------
    store : UnitOfWork
        An open transaction.
    worklist_size : int
        Open entries kept per reader.
    now : datetime
        The time; aware.
    reservation : timedelta
        How long an image waits for its reader.

    Returns
    -------
    Demand
        As it is now.
    """
    already = store.images.readers_by_image()
    asked = {image_id: len(readers) for image_id, readers in already.items()}
    withdrawn = {}
    entries = store.worklists.all()
    waits = gather_waits(store, entries, now=now, reservation=reservation)
    readings = [entry for entry in entries if entry.kind is EntryKind.READING]
    for entry in entries:
        if entry.state is EntryState.WITHDRAWN and entry.kind is not EntryKind.SECOND_LOOK:
            withdrawn[entry.image_id, entry.reader_id] = entry
            continue
        readers = already.setdefault(entry.image_id, set())
        is_waiting = entry.state is EntryState.OPEN and entry.key not in waits.overdue
        if is_waiting and entry.reader_id not in readers:
            asked[entry.image_id] = asked.get(entry.image_id, 0) + 1
        readers.add(entry.reader_id)
    return Demand(
        images=store.images.all(),
        already=already,
        asked=asked,
        open_slots={
            project.reader_id: 0
            if project.reader_id in waits.stopped
            else max(0, worklist_size - store.worklists.counts(project.reader_id)[EntryState.OPEN])
            for project in store.readers.projects()
        },
        last_rank=store.worklists.last_rank(),
        withdrawn=withdrawn,
        queued=frozenset(entry.image_id for entry in readings),
        drawn=frozenset(entry.image_id for entry in readings if entry.channel == Channel.RANDOM),
    )


@dataclass(frozen=True, slots=True)
class Waits:
    """Which entries have waited too long.

    Attributes
    ----------
    overdue : set of int
        Keys of the entries that keep their images from nobody any more.
    stopped : set of str
        Readers who are given nothing new.
    """

    overdue: set[int]
    stopped: set[str]


def gather_waits(
    store: UnitOfWork,
    entries: Sequence[WorklistEntry],
    *,
    now: datetime,
    reservation: timedelta,
) -> Waits:
    """Return which entries have waited too long.

    Parameters
    ----------
    store : UnitOfWork
        An open transaction.
    entries : sequence of WorklistEntry
        Of all readers, by rank, in any state.
    now : datetime
        The time; aware.
    reservation : timedelta
        How long an image waits for its reader.

    Returns
    -------
    Waits
        As it is now.
    """
    waiting = [entry for entry in entries if entry.state is EntryState.OPEN]
    away_until = {
        reader_id: duty.away_until
        for reader_id, duty in store.duties.all().items()
        if duty.away_until is not None
    }
    return Waits(
        overdue=lapsed(waiting, now=now, life=reservation, away_until=away_until),
        stopped=stopped_readers(
            waiting, store.duties.last_active(), now=now, life=reservation, away_until=away_until
        ),
    )


def gather_readers_left(
    store: UnitOfWork, image_ids: Iterable[str], *, now: datetime, reservation: timedelta
) -> dict[str, set[str]]:
    """Return who could still read images.

    Parameters
    ----------
    store : UnitOfWork
        An open transaction.
    image_ids : iterable of str
        Which images.
    now : datetime
        The time; aware.
    reservation : timedelta
        How long an image waits for its reader.

    Returns
    -------
    dict of str to set of str
        By image id, the active readers who have the image before them or were never asked for it.
    """
    entries = store.worklists.all()
    waits = gather_waits(store, entries, now=now, reservation=reservation)
    active = {project.reader_id for project in store.readers.projects()} - waits.stopped
    done = store.images.readers_by_image()
    for entry in entries:
        is_waiting = entry.state is EntryState.OPEN and entry.key not in waits.overdue
        is_gone = entry.kind is EntryKind.SECOND_LOOK or entry.state is EntryState.WITHDRAWN
        if not (is_waiting or is_gone):
            done.setdefault(entry.image_id, set()).add(entry.reader_id)
    return {image_id: active - done.get(image_id, set()) for image_id in image_ids}
