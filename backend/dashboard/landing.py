"""What a reader is told before starting."""

from dataclasses import dataclass

from backend.domain import reading_time
from backend.domain.worklists import EntryKind, EntryState, Skip, WorklistEntry
from backend.store.readers import UnknownReaderError
from backend.store.unit_of_work import UnitOfWork
from backend.workflow.list_own_readings import OwnReading, list_own_readings


@dataclass(frozen=True, slots=True)
class SetAside:
    """A reading that is kept but cannot be used as it stands.

    Attributes
    ----------
    image_id : str
        The image.
    reason : str
        What is wrong with it.
    url : str or None
        Opens the task; None when it is not known.
    """

    image_id: str
    reason: str
    url: str | None


@dataclass(frozen=True, slots=True)
class Skipped:
    """An image that the reader skipped.

    Attributes
    ----------
    image_id : str
        The image.
    why : str
        What the reader said, reason and note.
    url : str or None
        Opens the task; None when it is not known.
    """

    image_id: str
    why: str
    url: str | None


@dataclass(frozen=True, slots=True)
class Landing:
    """Where a reader stands.

    Attributes
    ----------
    reader_id : str
        Pseudonym.
    stream_url : str or None
        Opens the worklist; None when the reader has no project.
    is_read, is_open, is_skipped : int
        Numbers of worklist entries.
    second_looks : int
        Open entries that come back because the model strongly disagrees.
    minutes_left : int
        Estimated from the reader's own pace.
    set_aside : tuple of SetAside
        Readings that need another look.
    skipped : tuple of Skipped
        What the reader could not read.
    """

    reader_id: str
    stream_url: str | None
    is_read: int
    is_open: int
    is_skipped: int
    second_looks: int
    minutes_left: int
    set_aside: tuple[SetAside, ...]
    skipped: tuple[Skipped, ...] = ()

    @property
    def total(self) -> int:
        """How many images the worklist has had so far."""
        return self.is_read + self.is_open + self.is_skipped

    @property
    def is_simulated(self) -> bool:
        """Whether the reader is no person."""
        return self.reader_id.casefold().startswith("simulated")


def landing_of(store: UnitOfWork, reader_id: str, label_studio_url: str) -> Landing:
    """Return where a reader stands.

    Parameters
    ----------
    store : UnitOfWork
        An open transaction.
    reader_id : str
        The reader.
    label_studio_url : str
        Where browsers reach Label Studio.

    Returns
    -------
    Landing
        Counted now; Label Studio is not asked.
    """
    try:
        project_id = store.readers.project_of(reader_id).project_id
        project_url = f"{label_studio_url.rstrip('/')}/projects/{project_id}/data"
    except UnknownReaderError:
        project_url = None
    counts = store.worklists.counts(reader_id)
    own = list_own_readings(store, reader_id)
    lead_times = store.readings.lead_times(reader_id)
    return Landing(
        reader_id=reader_id,
        stream_url=None if project_url is None else f"{project_url}?labeling=1",
        is_read=counts[EntryState.READ],
        is_open=counts[EntryState.OPEN],
        is_skipped=counts[EntryState.SKIPPED],
        second_looks=sum(
            entry.kind is EntryKind.SECOND_LOOK
            for entry in store.worklists.all(reader_id=reader_id, state=EntryState.OPEN)
        ),
        minutes_left=reading_time.minutes_left(counts[EntryState.OPEN], lead_times),
        set_aside=tuple(
            _set_aside(one, project_url) for one in own if one.kept.receipt.state == "quarantined"
        ),
        skipped=tuple(
            _skipped(entry, project_url)
            for entry in store.worklists.all(reader_id=reader_id, state=EntryState.SKIPPED)
        ),
    )


def _set_aside(own: OwnReading, project_url: str | None) -> SetAside:
    return SetAside(
        image_id=own.entry.image_id,
        reason=own.kept.receipt.reason or "it could not be understood",
        url=_task_url(project_url, own.entry.task_id),
    )


def _skipped(entry: WorklistEntry, project_url: str | None) -> Skipped:
    said = entry.skip or Skip()
    parts = [part for part in (said.reason, said.note) if part]
    return Skipped(
        image_id=entry.image_id,
        why=": ".join(parts) or "no reason given",
        url=_task_url(project_url, entry.task_id),
    )


def _task_url(project_url: str | None, task_id: int | None) -> str | None:
    if project_url is None or task_id is None:
        return None
    return f"{project_url}?task={task_id}"
