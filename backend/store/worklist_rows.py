"""Worklist entries from the rows that hold them."""

from backend.domain.readings import Arm
from backend.domain.worklists import EntryKind, EntryState, Skip, SkipReason, WorklistEntry
from backend.store.tables import WorklistEntryRow


def worklist_entry(row: WorklistEntryRow) -> WorklistEntry:
    """Return a worklist entry from its row.

    Parameters
    ----------
    row : WorklistEntryRow
        The row.

    Returns
    -------
    WorklistEntry
        The entry, with why it was skipped if it is.
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
        reading_id=row.reading_id,
        arm_drawn=row.arm_drawn,
        task_id=row.task_id,
        id=row.id,
        skip=_skip(row),
    )


def _skip(row: WorklistEntryRow) -> Skip | None:
    if row.state != EntryState.SKIPPED:
        return None
    reason = None if row.skip_reason is None else SkipReason(row.skip_reason)
    return Skip(reason, row.skip_note)
