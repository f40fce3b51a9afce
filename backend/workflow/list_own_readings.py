"""What one reader has read from the worklist."""

from dataclasses import dataclass

from backend.domain.worklists import WorklistEntry
from backend.store.readings import KeptReading
from backend.store.unit_of_work import UnitOfWork


@dataclass(frozen=True, slots=True)
class OwnReading:
    """A worklist entry and what its reader made of it.

    Attributes
    ----------
    entry : WorklistEntry
        What was asked.
    kept : KeptReading
        What was answered, valid or quarantined.
    """

    entry: WorklistEntry
    kept: KeptReading


def list_own_readings(store: UnitOfWork, reader_id: str) -> list[OwnReading]:
    """Return the readings that a reader made in Label Studio and that still stand.

    Parameters
    ----------
    store : UnitOfWork
        An open transaction.
    reader_id : str
        The reader.

    Returns
    -------
    list of OwnReading
        Oldest reading first; what the reader deleted is left out.
    """
    entries = store.worklists.all(reader_id=reader_id)
    first = store.readings.first_round(entry.image_id for entry in entries)
    own = []
    for entry in entries:
        kept = (
            first.get((entry.image_id, reader_id))
            if entry.round == 1
            else store.readings.current(entry.image_id, reader_id, entry.round)
        )
        if kept is not None and _stands(kept):
            own.append(OwnReading(entry, kept))
    return sorted(own, key=lambda one: (one.kept.reading.read_at, one.entry.key))


def _stands(kept: KeptReading) -> bool:
    return kept.receipt.annotation_id is not None and kept.receipt.state != "withdrawn"
