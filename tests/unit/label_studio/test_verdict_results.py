"""What an adjudicator's hands did, as decisions."""

import json
from pathlib import Path
from typing import Any

import pytest

from backend.domain.adjudication.request import Choice, ProposedBox
from backend.domain.adjudication.verdict import Act, Decision, Subject
from backend.domain.boxes import Box
from backend.domain.consensus.clusters import ClusterState
from backend.domain.findings import Finding
from backend.label_studio import regions
from backend.label_studio.labelled_boxes import MalformedRegionError, UnknownLabelError
from backend.label_studio.verdict_results import (
    MergedIntoNothingError,
    ReadVerdict,
    read_verdict,
)

RECORD = Path(__file__).parent / "records" / "adjudication_submitted.json"
WIDTH, HEIGHT = 1000, 800
LEFT, RIGHT = Box(100, 100, 300, 300), Box(600, 100, 800, 300)


def proposed(
    finding: Finding, box: Box, *, is_disputed: bool = True, drawn: bool = False
) -> ProposedBox:
    return ProposedBox(
        subject=None if drawn else Subject(finding, box),
        finding=finding,
        box=box,
        state=ClusterState.CLASS_CONFLICT,
        p_true=0.5,
        is_disputed=is_disputed,
        preset=None if is_disputed else Choice.LEAVE,
    )


PROPOSAL = (proposed(Finding.ILD, LEFT), proposed(Finding.INFILTRATION, RIGHT))


def box(
    key: str, finding: Finding, where: Box, act: str | None = None, reason: str = ""
) -> list[dict[str, Any]]:
    region = regions.region_from_box(where, finding, WIDTH, HEIGHT, key=key)
    items = [region]
    if act:
        items.append(
            {**region, "from_name": "act", "type": "choices", "value": {"choices": [act]}}
        )
    if reason:
        items.append(
            {**region, "from_name": "reason", "type": "textarea", "value": {"text": [reason]}}
        )
    return items


def read(
    *items: list[dict[str, Any]], proposal: tuple[ProposedBox, ...] = PROPOSAL
) -> ReadVerdict:
    return read_verdict([item for one in items for item in one], proposal, WIDTH, HEIGHT)


def ild(act: str | None = "Accept", where: Box = LEFT) -> list[dict[str, Any]]:
    return box("c0", Finding.ILD, where, act)


class TestRecordedSubmission:
    """As Label Studio sent it: accept one, reject one with a reason, rename one, draw one."""

    def test_is_understood(self) -> None:
        record = json.loads(RECORD.read_text())
        subjects = [
            (Finding.LUNG_OPACITY, (17, 29, 17, 27), True),
            (Finding.INFILTRATION, (18, 30, 16, 28), True),
            (Finding.PNEUMOTHORAX, (17, 6, 24, 8), True),
            (Finding.CARDIOMEGALY, (40, 55, 40, 25), True),
        ]
        proposal = tuple(
            proposed(
                finding,
                Box(x * 10.24, y * 10.24, (x + w) * 10.24, (y + h) * 10.24),
                is_disputed=disputed,
            )
            for finding, (x, y, w, h), disputed in subjects
        )

        found = read_verdict(record["result"], proposal, 1024, 1024)

        assert found.nothing_missing
        assert found.undecided == 0
        assert [(one.act, one.finding, one.reason) for one in found.decisions] == [
            (Act.ACCEPT, Finding.LUNG_OPACITY, None),
            (Act.REJECT, None, "same lesion, worse name"),
            (Act.RELABEL, Finding.NODULE_MASS, None),
            (Act.ACCEPT, Finding.CARDIOMEGALY, None),
            (Act.DRAW, Finding.CALCIFICATION, None),
        ]
        assert found.decisions[0].box == proposal[0].box


class TestReadVerdict:
    def test_keeps_what_is_left_out_of_it(self) -> None:
        found = read(ild(None), box("c1", Finding.INFILTRATION, RIGHT, "Leave"))

        assert found == ReadVerdict((), nothing_missing=False, undecided=2)

    def test_takes_a_moved_box_for_a_decision_whatever_is_chosen(self) -> None:
        moved = Box(120, 100, 320, 300)

        [decision, _] = read(ild("Leave", moved)).decisions

        assert decision.act is Act.ADJUST
        assert decision.box == pytest.approx(moved)

    def test_takes_a_deleted_box_for_rejected(self) -> None:
        found = read(ild())

        assert [one.act for one in found.decisions] == [Act.ACCEPT, Act.REJECT]
        assert found.decisions[1].subject == PROPOSAL[1].subject

    def test_merges_into_the_box_that_is_overlapped_most(self) -> None:
        near, far = Box(110, 110, 290, 290), Box(0, 500, 50, 550)
        found = read(
            ild(), box("c1", Finding.INFILTRATION, near, "Merge", "one lesion"),
            box("new", Finding.NODULE_MASS, far),
        )  # fmt: skip

        assert found.decisions[1] == Decision(
            Act.MERGE, PROPOSAL[1].subject, Finding.ILD, LEFT, "one lesion"
        )

    def test_merges_into_the_nearest_box_when_none_is_overlapped(self) -> None:
        found = read(
            ild(), box("c1", Finding.INFILTRATION, RIGHT, "Merge"),
            box("new", Finding.NODULE_MASS, Box(600, 320, 700, 380), "Accept"),
        )  # fmt: skip

        assert found.decisions[1].finding is Finding.NODULE_MASS

    def test_refuses_a_merge_into_nothing(self) -> None:
        with pytest.raises(MergedIntoNothingError):
            read(ild("Reject"), box("c1", Finding.INFILTRATION, RIGHT, "Merge"))

    def test_is_silent_on_a_foreign_drawn_box_that_is_rejected(self) -> None:
        drawn = proposed(Finding.NODULE_MASS, LEFT, drawn=True)

        rejected = read(box("c0", Finding.NODULE_MASS, LEFT, "Reject"), proposal=(drawn,))
        accepted = read(box("c0", Finding.NODULE_MASS, LEFT, "Accept"), proposal=(drawn,))

        assert rejected.decisions == ()
        assert accepted.decisions == (Decision(Act.DRAW, None, Finding.NODULE_MASS, LEFT),)

    def test_ignores_the_candidates(self) -> None:
        candidate = {**regions.region_from_box(LEFT, Finding.ILD, WIDTH, HEIGHT, key="k0")}
        candidate |= {"from_name": "candidate", "readonly": True}

        assert len(read(ild(), [candidate]).decisions) == 2

    @pytest.mark.parametrize(
        ("items", "error"),
        [
            (box("c0", Finding.ILD, LEFT, "Maybe"), UnknownLabelError),
            ([{"id": "x", "from_name": "foreign", "value": {}}], UnknownLabelError),
            ([{"id": "x"}], MalformedRegionError),
            ([*ild(), *ild()], MalformedRegionError),
        ],
    )
    def test_refuses_what_it_cannot_understand(
        self, items: list[dict[str, Any]], error: type[Exception]
    ) -> None:
        with pytest.raises(error):
            read(items)
