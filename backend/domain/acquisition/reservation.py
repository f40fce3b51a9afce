"""How long an image waits for the reader to whom it was given."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta

from backend.domain.worklists import EntryKind, WorklistEntry

NOBODY_STARTED = "Nobody started it for too long; the image goes to other readers."

KEPT_FOR_A_RETURN = 10
"""So many entries stay with a reader who has stopped, to go on with."""


def lapsed(
    entries: Sequence[WorklistEntry], *, now: datetime, life: timedelta, away: Collection[str] = ()
) -> set[int]:
    """Return the open entries that keep their images from nobody any more.

    Parameters
    ----------
    entries : sequence of WorklistEntry
        The open ones.
    now : datetime
        The time; aware.
    life : timedelta
        How long an image waits for its reader.
    away : collection of str
        Readers who are known to be away; for them nothing waits.

    Returns
    -------
    set of int
        Their keys. Gold cases and second looks are meant for their reader alone and do not
        lapse.
    """
    return {
        entry.key
        for entry in entries
        if entry.kind is EntryKind.READING
        and (
            entry.reader_id in away
            or (entry.asked_at is not None and entry.asked_at + life <= now)
        )
    }


def stopped_readers(
    entries: Sequence[WorklistEntry],
    last_active: Mapping[str, datetime],
    *,
    now: datetime,
    life: timedelta,
    away: Collection[str] = (),
) -> set[str]:
    """Return the readers who are given nothing new.

    Parameters
    ----------
    entries : sequence of WorklistEntry
        The open ones.
    last_active : mapping of str to datetime
        When each reader last read or skipped an image; one who never did is missing.
    now : datetime
        The time; aware.
    life : timedelta
        How long an image waits for its reader.
    away : collection of str
        Readers who are known to be away.

    Returns
    -------
    set of str
        Those who are away, and those who let an image lapse and have read nothing for so long.
    """
    overdue = lapsed(entries, now=now, life=life)
    waited_for = {entry.reader_id for entry in entries if entry.id in overdue}
    return {
        reader
        for reader in waited_for
        if reader not in last_active or last_active[reader] + life <= now
    } | set(away)


def to_release(
    entries: Sequence[WorklistEntry], overdue: Collection[int], stopped: Collection[str]
) -> dict[int, str]:
    """Return the lapsed entries to take off the worklists.

    Parameters
    ----------
    entries : sequence of WorklistEntry
        The open ones, by rank.
    overdue : collection of int
        From `lapsed`.
    stopped : collection of str
        From `stopped_readers`.

    Returns
    -------
    dict of int to str
        The reason by entry key. A reader who has stopped keeps the first few, so that there is
        something to go on with; should they be read after all, that is one reading more.
    """
    kept = {
        entry.key
        for reader in stopped
        for entry in [one for one in entries if one.reader_id == reader][:KEPT_FOR_A_RETURN]
    }
    return {
        entry.key: NOBODY_STARTED
        for entry in entries
        if entry.key in overdue and entry.key not in kept
    }
