"""Who could read what: the images that want readers, and the room on the worklists."""

from collections.abc import Mapping
from dataclasses import dataclass

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
        Image id to how many readers read it or still have it on their worklist.
    open_slots : mapping of str to int
        Reader id to the number of entries that the worklist has room for.
    last_rank : int
        The highest rank that was ever given.
    withdrawn : mapping of (str, str) to WorklistEntry
        Entries that were withdrawn unread, by image and reader.
    """

    images: Mapping[str, Image]
    already: dict[str, set[str]]
    asked: Mapping[str, int]
    open_slots: dict[str, int]
    last_rank: int
    withdrawn: Mapping[tuple[str, str], WorklistEntry]

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


def gather_demand(store: UnitOfWork, *, worklist_size: int) -> Demand:
    """Return who could read what.

    Parameters
    ----------
    store : UnitOfWork
        An open transaction.
    worklist_size : int
        Open entries kept per reader.

    Returns
    -------
    Demand
        As it is now.
    """
    already = store.images.readers_by_image()
    asked = {image_id: len(readers) for image_id, readers in already.items()}
    withdrawn = {}
    for entry in store.worklists.all():
        if entry.state is EntryState.WITHDRAWN and entry.kind is not EntryKind.SECOND_LOOK:
            withdrawn[entry.image_id, entry.reader_id] = entry
            continue
        readers = already.setdefault(entry.image_id, set())
        if entry.state is EntryState.OPEN and entry.reader_id not in readers:
            asked[entry.image_id] = asked.get(entry.image_id, 0) + 1
        readers.add(entry.reader_id)
    return Demand(
        images=store.images.all(),
        already=already,
        asked=asked,
        open_slots={
            project.reader_id: max(
                0, worklist_size - store.worklists.counts(project.reader_id)[EntryState.OPEN]
            )
            for project in store.readers.projects()
        },
        last_rank=store.worklists.last_rank(),
        withdrawn=withdrawn,
    )
