"""What readers set aside because it cannot be read."""

from dataclasses import dataclass

from backend.domain.worklists import EntryState, Skip, WorklistEntry
from backend.store.unit_of_work import UnitOfWork


@dataclass(frozen=True, slots=True)
class SkippedImage:
    """An image that one reader skipped.

    Attributes
    ----------
    image_id, reader : str
        Which image, and who skipped it.
    reason, note : str or None
        What the reader said; None where nothing.
    """

    image_id: str
    reader: str
    reason: str | None
    note: str | None


def list_skipped(store: UnitOfWork, image_id: str | None = None) -> list[SkippedImage]:
    """Return the images that are skipped now.

    Parameters
    ----------
    store : UnitOfWork
        An open transaction.
    image_id : str or None
        Only this image; None for all.

    Returns
    -------
    list of SkippedImage
        By rank, then reader.
    """
    entries = store.worklists.all(state=EntryState.SKIPPED, image_id=image_id)
    return [_skipped(entry) for entry in entries]


def _skipped(entry: WorklistEntry) -> SkippedImage:
    said = entry.skip or Skip()
    return SkippedImage(entry.image_id, entry.reader_id, said.reason, said.note)
