"""Worklist entries to tasks, and tasks back."""

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.domain.boxes import Box
from backend.domain.findings import Finding
from backend.domain.readings import Arm
from backend.label_studio import regions, tasks

RESULT = [regions.region_from_box(Box(1, 2, 30, 40), Finding.ILD, 100, 100, key="p1")]


def task_answer(**changes: object) -> dict[str, Any]:
    """Return a task as Label Studio 1.23 lists it."""
    annotation = {
        "id": 5,
        "created_at": "2026-11-23T09:07:14.672903Z",
        "updated_at": "2026-11-23T09:08:00.000000Z",
        "result": RESULT,
        "was_cancelled": False,
        "lead_time": 3.5,
        "parent_prediction": 9,
        "completed_by": 2,
    }
    prediction = {"id": 9, "model_version": "w1", "score": 0.1, "result": RESULT}
    return {
        "id": 3,
        "data": tasks.task_data(
            entry=17, image_id="im1", image_url="http://127.0.0.1/im1.png", arm=Arm.ASSISTED
        ),
        "created_at": "2026-11-23T09:00:00.000000Z",
        "updated_at": "2026-11-23T09:08:00.100000Z",
        "annotations": [annotation],
        "predictions": [prediction],
        "drafts": [{"id": 1}],
        **changes,
    }


class TestTaskData:
    def test_names_image_entry_and_arm_and_nothing_else(self) -> None:
        data = tasks.task_data(entry=17, image_id="im1", image_url="u", arm=Arm.UNASSISTED)
        assert data == {
            "image": "u",
            "image_id": "im1",
            "entry": 17,
            "arm": "unassisted",
            "message": "",
            "overread": 1,
        }


class TestScoreOfRank:
    @given(st.integers(0, 999_998))
    def test_rises_with_the_rank_and_stays_below_one(self, rank: int) -> None:
        assert 0 <= tasks.score_of_rank(rank) < tasks.score_of_rank(rank + 1) < 1

    @pytest.mark.parametrize("rank", [-1, 1_000_000])
    def test_refuses_a_rank_out_of_range(self, rank: int) -> None:
        with pytest.raises(ValueError, match="expected a rank"):
            tasks.score_of_rank(rank)


class TestPredictionOfEntry:
    def test_shows_the_boxes_in_the_assisted_arm_only(self) -> None:
        shown, hidden = (
            tasks.prediction_of_entry(task_id=3, rank=4, arm=arm, result=RESULT) for arm in Arm
        )
        assert (shown.result, hidden.result) == (tuple(RESULT), ())
        assert shown.score == hidden.score


class TestTaskState:
    def test_keeps_what_matters(self) -> None:
        state = tasks.task_state(task_answer())
        (annotation,) = state.annotations
        assert (state.task_id, state.entry) == (3, 17)
        assert state.created_at == datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
        assert state.updated_at == datetime(2026, 11, 23, 9, 8, 0, 100000, tzinfo=UTC)
        assert (annotation.id, annotation.lead_time_seconds) == (5, 3.5)
        assert (annotation.parent_prediction, annotation.completed_by) == (9, 2)
        assert state.predictions[0].version == "w1"

    def test_reads_the_submitter_of_a_single_task_too(self) -> None:
        answer = task_answer()
        answer["annotations"][0]["completed_by"] = {"id": 2, "email": "r8@example.com"}
        assert tasks.task_state(answer).annotations[0].completed_by == 2

    def test_has_no_entry_when_the_task_is_not_ours(self) -> None:
        foreign = task_answer(data={"image": "u", "entry": 17})
        assert tasks.task_state(foreign).entry is None

    @pytest.mark.parametrize("missing", ["id", "data", "updated_at", "annotations", "predictions"])
    def test_names_an_answer_that_is_no_task(self, missing: str) -> None:
        answer = task_answer()
        del answer[missing]
        with pytest.raises(tasks.MalformedTaskError, match=missing):
            tasks.task_state(answer)


class TestAuthor:
    @pytest.mark.parametrize(("updated_by", "author"), [(None, 2), (9, 9)])
    def test_is_who_changed_the_annotation_last(self, updated_by: int | None, author: int) -> None:
        [annotation] = task_answer()["annotations"]
        answer = task_answer(annotations=[{**annotation, "updated_by": updated_by}])
        assert tasks.task_state(answer).annotations[0].author == author
