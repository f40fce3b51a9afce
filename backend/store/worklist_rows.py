"""From a row to a worklist entry."""

from backend.domain.readings import Arm
from backend.domain.worklists import EntryKind, EntryState, WorklistEntry
from backend.store.tables import WorklistEntryRow


def entry_of(row: WorklistEntryRow) -> WorklistEntry:
    """Return the worklist entry that a row keeps.

    Parameters
    ----------
    row : WorklistEntryRow
        As it is in the database.

    Returns
    -------
    WorklistEntry
        The entry.
    """
    return WorklistEntry(
        image_id=row.image_id,
        reader_id=row.reader_id,
        rank=row.rank,
        score=row.score,
        channel=row.channel,
        reason=row.reason,
        arm=Arm(row.arm),
        model_version=row.model_version,
        round=row.round,
        kind=EntryKind(row.kind),
        state=EntryState(row.state),
        arm_drawn=row.arm_drawn,
        task_id=row.task_id,
        id=row.id,
    )
