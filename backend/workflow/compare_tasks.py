"""The tasks in Label Studio beside the worklist: what is missing, doubled, foreign or older."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from backend.domain.worklists import EntryState
from backend.label_studio.task_rows import TaskRow
from backend.store.entry_tasks import KnownTask


@dataclass(frozen=True, slots=True)
class Comparison:
    """What the tasks of a project are to the entries of its reader.

    Attributes
    ----------
    gone_unread, gone_ended : tuple of KnownTask
        Entries whose task is not there any more: open ones, and those read, skipped or withdrawn.
    older : tuple of KnownTask
        Entries whose task is older in Label Studio than it once was, which happens only when
        Label Studio was restored from a backup or its clock set back.
    second : tuple of TaskRow
        Further tasks of an entry that has one.
    foreign : tuple of TaskRow
        Tasks of no entry of this store: made by hand, or of a newer store than this one.
    """

    gone_unread: tuple[KnownTask, ...]
    gone_ended: tuple[KnownTask, ...]
    older: tuple[KnownTask, ...]
    second: tuple[TaskRow, ...]
    foreign: tuple[TaskRow, ...]


def compare_tasks(
    rows: Sequence[TaskRow], known: Sequence[KnownTask], set_aside: Collection[int] = ()
) -> Comparison:
    """Return what the tasks of a project are to the entries of its reader.

    Parameters
    ----------
    rows : sequence of TaskRow
        Every task, asked for after `known` was.
    known : sequence of KnownTask
        Every entry of the reader.
    set_aside : collection of int
        Tasks that could not be read. As long as they are there they are neither gone nor foreign,
        whatever their data say.

    Returns
    -------
    Comparison
        Nothing is in it when both agree.
    """
    images = {one.entry_id: one.image_id for one in known}
    tasks_of: dict[int, dict[int, TaskRow]] = {one.entry_id: {} for one in known}
    foreign = []
    for row in rows:
        # The number of an entry means another image in a store that was thrown away or restored.
        if row.entry is not None and images.get(row.entry) == row.image_id:
            tasks_of[row.entry][row.task_id] = row
        elif row.task_id not in set_aside:
            foreign.append(row)
    unreadable = {row.task_id for row in rows}.intersection(set_aside)
    gone = [
        one
        for one in known
        if one.task_id is not None and one.task_id not in {*tasks_of[one.entry_id], *unreadable}
    ]
    second = [
        row
        for one in known
        for row in tasks_of[one.entry_id].values()
        if row.task_id != (one.task_id or min(tasks_of[one.entry_id]))
    ]
    return Comparison(
        gone_unread=tuple(one for one in gone if one.state is EntryState.OPEN),
        gone_ended=tuple(one for one in gone if one.state is not EntryState.OPEN),
        older=tuple(one for one in known if _is_older(one, tasks_of[one.entry_id])),
        second=tuple(second),
        foreign=tuple(foreign),
    )


def _is_older(one: KnownTask, tasks: dict[int, TaskRow]) -> bool:
    row = None if one.task_id is None else tasks.get(one.task_id)
    return row is not None and one.updated_at is not None and row.updated_at < one.updated_at
