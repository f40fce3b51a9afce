"""The tasks in Label Studio beside the worklist."""

from datetime import datetime

from backend.domain.worklists import EntryState
from backend.label_studio.task_rows import TaskRow
from backend.store.entry_tasks import KnownTask
from backend.workflow.compare_tasks import Comparison, compare_tasks
from tests.workflow.samples import at

THEN = at(1)


def row(
    task_id: int, entry: int | None, image_id: str | None = "a", updated_at: datetime = THEN
) -> TaskRow:
    return TaskRow(task_id, entry, image_id, updated_at, annotations=0)


def known(
    entry_id: int,
    task_id: int | None,
    *,
    state: EntryState = EntryState.OPEN,
    updated_at: datetime | None = THEN,
) -> KnownTask:
    return KnownTask(entry_id, "a", state, task_id, updated_at, is_lost=False)


class TestCompareTasks:
    def test_finds_nothing_when_both_agree(self) -> None:
        agreed = [known(1, 11), known(2, None), known(3, 13, state=EntryState.READ)]

        assert compare_tasks([row(11, 1), row(13, 3)], agreed) == Comparison((), (), (), (), ())
        assert compare_tasks([], []) == Comparison((), (), (), (), ())

    def test_tells_what_vanished_unread_from_what_vanished_afterwards(self) -> None:
        unread, read = known(1, 11), known(2, 12, state=EntryState.READ)
        skipped = known(3, 13, state=EntryState.SKIPPED)

        found = compare_tasks([], [unread, read, skipped, known(4, None)])

        assert found.gone_unread == (unread,)
        assert found.gone_ended == (read, skipped)

    def test_finds_tasks_that_went_back_in_time(self) -> None:
        older, same, newer = (
            known(key, 10 + key, updated_at=at(key), state=EntryState.READ) for key in (3, 2, 1)
        )

        found = compare_tasks([row(key, key - 10, "a", at(2)) for key in (11, 12, 13)],
                              [older, same, newer])  # fmt: skip

        assert found.older == (older,)

    def test_finds_second_tasks_of_an_entry(self) -> None:
        found = compare_tasks(
            [row(11, 1), row(12, 1), row(21, 2), row(22, 2)], [known(1, 12), known(2, None)]
        )

        assert [one.task_id for one in found.second] == [11, 22]

    def test_takes_a_number_given_a_second_time_for_what_it_now_is(self) -> None:
        """Label Studio gives one again only when it was restored from a backup."""
        before, after = known(1, 11, state=EntryState.READ), known(2, None)

        found = compare_tasks([row(11, 2)], [before, after])

        assert found.gone_ended == (before,)
        assert found.second == ()

    def test_calls_foreign_what_no_entry_knows(self) -> None:
        by_hand, of_another_store = row(11, None, None), row(12, 9)
        of_another_image = row(13, 1, "b")

        found = compare_tasks([by_hand, of_another_store, of_another_image], [known(1, None)])

        assert found.foreign == (by_hand, of_another_store, of_another_image)

    def test_calls_what_cannot_be_read_neither_gone_nor_foreign_while_it_is_there(self) -> None:
        unread, read = known(1, 11), known(2, 12, state=EntryState.READ)
        rows = [row(11, None, None), row(12, 9)]

        assert compare_tasks(rows, [unread, read], {11, 12}) == Comparison((), (), (), (), ())

        found = compare_tasks(rows[:1], [unread, read], {11, 12})
        assert (found.gone_unread, found.gone_ended) == ((), (read,))
