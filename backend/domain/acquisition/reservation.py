"""How long an image waits for the reader to whom it was given."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from types import MappingProxyType

from backend.domain.worklists import EntryKind, WorklistEntry

_NO_ABSENCE: Mapping[str, datetime] = MappingProxyType({})

NOBODY_STARTED = "Nobody started it for too long; the image goes to other readers."

KEPT_FOR_A_RETURN = 10
"""So many entries stay with a reader who has stopped, to go on with."""


def lapsed(
    entries: Sequence[WorklistEntry],
    *,
    now: datetime,
    life: timedelta,
    away_until: Mapping[str, datetime] = _NO_ABSENCE,
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
    away_until : mapping of str to datetime
        When the last absence of a reader ends or ended. Nothing waits for a reader who is away,
        and an absence that is over is not counted.

    Returns
    -------
    set of int
        Their keys. Gold cases and second looks are meant for their reader alone and do not
        lapse.
    """
    return {
        entry.key
        for entry in entries
        if entry.kind is EntryKind.READING and _is_overdue(entry, now, life, away_until)
    }


def stopped_readers(
    entries: Sequence[WorklistEntry],
    last_active: Mapping[str, datetime],
    *,
    now: datetime,
    life: timedelta,
    away_until: Mapping[str, datetime] = _NO_ABSENCE,
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
    away_until : mapping of str to datetime
        As for `lapsed`.

    Returns
    -------
    set of str
        Those who are away, and those who have had something before them, of whatever kind, and
        have read nothing for so long.
    """
    waited_for = {one.reader_id for one in entries if _is_overdue(one, now, life, away_until)}
    return {
        reader
        for reader in waited_for
        if reader not in last_active or last_active[reader] + life <= now
    } | {reader for reader, until in away_until.items() if now < until}


def kept_for_a_return(entries: Sequence[WorklistEntry], stopped: Collection[str]) -> set[int]:
    """Return the entries that stay with readers who have stopped.

    Parameters
    ----------
    entries : sequence of WorklistEntry
        The open ones, by rank.
    stopped : collection of str
        From `stopped_readers`.

    Returns
    -------
    set of int
        Keys of the first few of each, so that there is something to go on with. They stay even
        when others have read their images: what waits unread tells that its reader has stopped.
        Should they be read after all, that is one reading more.
    """
    return {
        entry.key
        for reader in stopped
        for entry in [one for one in entries if one.reader_id == reader][:KEPT_FOR_A_RETURN]
    }


def _is_overdue(
    entry: WorklistEntry, now: datetime, life: timedelta, away_until: Mapping[str, datetime]
) -> bool:
    back = away_until.get(entry.reader_id)
    if back is not None and now < back:
        return True
    if entry.asked_at is None:
        return False
    return (entry.asked_at if back is None else max(entry.asked_at, back)) + life <= now
