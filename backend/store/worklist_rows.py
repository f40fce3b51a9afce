"""Worklist entries from the rows that hold them."""

from backend.domain.findings import Finding
from backend.domain.readings import Arm
from backend.domain.worklists import EntryKind, EntryState, Skip, SkipReason, WorklistEntry
from backend.store.tables import WorklistEntryRow


def entry_columns(entry: WorklistEntry) -> dict[str, object]:
    """Return the columns of a worklist entry that are chosen with it.

    Parameters
    ----------
    entry : WorklistEntry
        The entry.

    Returns
    -------
    dict
        For an insert or update; nothing of its task.
    """
    return {
        "image_id": entry.image_id,
        "reader_id": entry.reader_id,
        "round": entry.round,
        "rank": entry.rank,
        "score": entry.score,
        "channel": entry.channel,
        "reason": entry.reason,
        "arm": entry.arm,
        "arm_drawn": entry.arm_drawn,
        "model_version": entry.model_version,
        "kind": entry.kind,
        "state": entry.state,
        "reading_id": entry.reading_id,
        "top_finding": entry.top_finding,
        "expected_seconds": entry.expected_seconds,
    }


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
        top_finding=None if row.top_finding is None else Finding(row.top_finding),
        expected_seconds=row.expected_seconds,
        asked_at=row.created_at,
    )


def _skip(row: WorklistEntryRow) -> Skip | None:
    if row.state != EntryState.SKIPPED:
        return None
    reason = None if row.skip_reason is None else SkipReason(row.skip_reason)
    return Skip(reason, row.skip_note)
