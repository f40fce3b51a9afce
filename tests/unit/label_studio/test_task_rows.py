"""Rows of Label Studio's lists of tasks, odd ones included."""

from typing import Any

import pytest

from backend.label_studio import task_rows, tasks
from tests.unit.label_studio.test_tasks import task_answer


class TestReadable:
    def test_is_the_task_when_nothing_is_odd(self) -> None:
        assert task_rows.readable(task_answer()) == tasks.task_state(task_answer())

    @pytest.mark.parametrize(
        "odd",
        [{"data": None}, {"annotations": [{"id": 5}]}, {"updated_at": None}, {"predictions": 7}],
    )
    def test_says_why_and_which_when_something_is(self, odd: dict[str, Any]) -> None:
        found = task_rows.readable(task_answer(**odd))

        assert isinstance(found, task_rows.UnreadableTask)
        assert found.task_id == 3
        assert "expected a Label Studio 1.23 task" in found.why
        assert (found.updated_at is None) == ("updated_at" in odd)

    def test_gives_up_on_what_has_not_even_a_key(self) -> None:
        with pytest.raises(tasks.MalformedTaskError):
            task_rows.readable({})


class TestTaskRow:
    ANSWER = task_answer(total_annotations=1, cancelled_annotations=2)

    def test_counts_every_annotation(self) -> None:
        row = task_rows.task_row(self.ANSWER)
        assert (row.task_id, row.entry, row.image_id, row.annotations) == (3, 17, "im1", 3)

    @pytest.mark.parametrize(
        "data",
        [
            {},
            None,
            [],
            {"entry": 17, "image_id": "a"},
            {"overread": 1, "entry": "abc", "image_id": "a"},
            {"overread": 1, "entry": 10**30, "image_id": "a"},
            {"overread": 1, "entry": 17},
            {"overread": 1, "entry": 17, "image_id": ["a"]},
        ],
    )
    def test_calls_a_task_without_a_proper_entry_not_ours(self, data: object) -> None:
        row = task_rows.task_row({**self.ANSWER, "data": data})
        assert (row.entry, row.image_id) == (None, None)


class TestTasksOfEntries:
    def test_are_the_oldest_task_of_each_and_nothing_that_is_not_ours(self) -> None:
        answers = [
            {**TestTaskRow.ANSWER, "id": 3},
            {**TestTaskRow.ANSWER, "id": 4},
            {**TestTaskRow.ANSWER, "id": 5, "data": {"overread": 1, "entry": "abc"}},
            {**TestTaskRow.ANSWER, "id": 6, "data": {"overread": 1, "image_id": "a"}},
        ]
        rows = [task_rows.task_row(answer) for answer in answers]

        assert task_rows.tasks_of_entries(rows) == {(17, "im1"): 3}
