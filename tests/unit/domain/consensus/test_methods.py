"""The methods that a user can name."""

from dataclasses import fields

import numpy as np
import pytest
from ensemble_boxes import weighted_boxes_fusion
from hypothesis import given, settings

from backend.domain.boxes import Box
from backend.domain.consensus.clusters import ClusterState
from backend.domain.consensus.methods import METHODS, OVERREAD, WBF_IOU
from backend.domain.consensus.panel import fit_panel
from backend.domain.consensus.survey import Survey
from backend.domain.consensus.verdict import Verdict, reconcile
from backend.domain.overlaps import aligned_iou
from tests.unit.domain.consensus.crowds import (
    EFFUSION,
    THICKENING,
    Readings,
    readings_of_images,
    square,
    table_of,
    votes_of,
)

BASELINES = ("wbf", "majority", "union")


def by(method: str, readings: Readings) -> Verdict:
    return METHODS[method](table_of(readings))


class TestMethods:
    def test_have_four_names(self) -> None:
        assert sorted(METHODS) == ["majority", "overread", "union", "wbf"]
        assert OVERREAD in METHODS

    @pytest.mark.parametrize("method", sorted(METHODS))
    @pytest.mark.parametrize(
        "readings", [{}, {("a", "R1"): []}, votes_of(0, of=17)], ids=["none", "one", "silent"]
    )
    def test_answer_where_nobody_marked_anything(self, method: str, readings: Readings) -> None:
        found = by(method, readings)

        assert found.boxes.shape == (0, 4)
        assert found.states == ()
        assert len(found.p_no_finding) == len({image for image, _ in readings})
        assert (found.p_no_finding > 0.4).all()

    @pytest.mark.parametrize("method", sorted(METHODS))
    @settings(max_examples=25)
    @given(readings_of_images())
    def test_agree_on_the_form_of_an_answer(self, method: str, readings: Readings) -> None:
        found = by(method, readings)

        number = len(found.states)
        columns = (found.images, found.findings, found.places, found.boxes, found.scores)
        assert all(len(column) == number for column in (*columns, found.p_true))
        for chances in (found.scores, found.p_true, found.p_no_finding):
            assert ((chances >= 0.0) & (chances <= 1.0)).all()
        assert (found.boxes[:, 2:] > found.boxes[:, :2]).all()
        assert len(found.cluster_of_mark) == len(found.table.mark_images)
        for mark, cluster in enumerate(found.cluster_of_mark):
            if cluster >= 0:
                assert found.images[cluster] == found.table.mark_images[mark]
                assert found.findings[cluster] == found.table.mark_findings[mark]


class TestByOverread:
    def test_learns_from_the_readings_that_it_reconciles(self) -> None:
        readings = votes_of(2, of=3)
        survey = Survey.of(table_of(readings))

        found, expected = by("overread", readings), reconcile(survey, fit_panel(survey))

        assert found.p_true.tolist() == expected.p_true.tolist()


class TestByWeightedBoxes:
    def test_equals_the_package_on_one_image(self) -> None:
        readings = {
            ("a", "R1"): [(EFFUSION, square(0.0)), (THICKENING, square(300.0))],
            ("a", "R2"): [(EFFUSION, square(20.0)), (EFFUSION, square(600.0, 40.0))],
            ("a", "R3"): [],
        }
        # Any frame will do: the largest coordinates are 700 and 140.
        frame = np.array([700.0, 140.0, 700.0, 140.0])
        boxes, scores, labels = weighted_boxes_fusion(
            [
                np.array([square(0.0), square(300.0)]) / frame,
                np.array([square(20.0), square(600.0, 40.0)]) / frame,
                np.zeros((0, 4)),
            ],
            [np.ones(2), np.ones(2), np.zeros(0)],
            [np.array([EFFUSION, THICKENING]), np.array([EFFUSION] * 2), np.zeros(0)],
            iou_thr=WBF_IOU,
        )

        found = by("wbf", readings)

        def key(row: tuple[float, ...]) -> tuple[float, ...]:
            return tuple(round(one, 3) for one in row)

        rows = zip(found.findings, found.scores, *found.boxes.T, strict=True)
        expected = zip(labels, scores, *(boxes * frame).T, strict=True)
        assert sorted(map(key, rows)) == sorted(map(key, expected))
        assert (EFFUSION, 0.667, 10.0, 0.0, 110.0, 100.0) in map(
            key, zip(labels, scores, *(boxes * frame).T, strict=True)
        )
        assert found.p_true.tolist() == found.scores.tolist()

    @settings(max_examples=50)
    @given(readings_of_images())
    def test_supports_every_mark(self, readings: Readings) -> None:
        found = by("wbf", readings)

        table = found.table
        assert (found.cluster_of_mark >= 0).all()
        for mark, cluster in enumerate(found.cluster_of_mark):
            rivals = (found.images == table.mark_images[mark]) & (
                found.findings == table.mark_findings[mark]
            )
            own = table.mark_boxes[[mark]]
            ious = aligned_iou(np.repeat(own, rivals.sum(), axis=0), found.boxes[rivals])
            assert aligned_iou(own, found.boxes[[cluster]])[0] == ious.max() > 0.0

    def test_gives_what_all_marked_the_full_score(self) -> None:
        found = by("wbf", votes_of(3, of=3))

        assert found.scores.tolist() == pytest.approx([1.0])
        assert found.boxes.tolist() == [pytest.approx(list(square(0.0)))]
        assert found.states == (ClusterState.UNANIMOUS,)
        assert found.p_no_finding.tolist() == pytest.approx([0.0])

    def test_does_not_call_one_reader_unanimous(self) -> None:
        # The package counts both boxes of one reader; a state counts readers.
        nested = [(EFFUSION, square(0.0)), (EFFUSION, square(0.0, side=90.0))]

        found = by("wbf", {("a", "R1"): nested, ("a", "R2"): []})

        assert found.states == (ClusterState.SINGLE_READER,)


class TestByMajority:
    @pytest.mark.parametrize(
        ("marks", "readers", "kept"),
        [(1, 1, 1), (1, 2, 0), (1, 3, 0), (2, 3, 1), (2, 4, 0), (9, 17, 1)],
    )
    def test_keeps_what_more_than_half_marked(self, marks: int, readers: int, kept: int) -> None:
        found = by("majority", votes_of(marks, of=readers))

        assert len(found.states) == kept
        assert (found.cluster_of_mark >= 0).tolist() == [kept == 1] * marks
        assert found.scores.tolist() == [marks / readers] * kept

    def test_of_two_of_three_is_their_mean(self) -> None:
        found = by(
            "majority",
            {
                ("a", "R1"): [(EFFUSION, square(0.0)), (THICKENING, square(500.0))],
                ("a", "R2"): [(EFFUSION, square(20.0))],
                ("a", "R3"): [],
            },
        )

        assert found.boxes.tolist() == [list(Box(10.0, 0.0, 110.0, 100.0))]
        assert found.findings.tolist() == [EFFUSION]
        assert found.scores.tolist() == found.p_true.tolist() == [2 / 3]
        assert found.states == (ClusterState.MAJORITY,)
        assert found.cluster_of_mark.tolist() == [0, 0, -1]
        assert found.p_no_finding.tolist() == pytest.approx([1 / 3])


class TestByUnion:
    @given(readings_of_images())
    def test_keeps_every_mark_as_it_is(self, readings: Readings) -> None:
        found = by("union", readings)

        assert np.array_equal(found.boxes, found.table.mark_boxes)
        assert np.array_equal(found.findings, found.table.mark_findings)
        assert found.scores.tolist() == [1.0] * len(found.boxes)
        assert found.cluster_of_mark.tolist() == list(range(len(found.boxes)))
        marked = {found.table.image_ids[image] for image in found.images}
        assert found.p_no_finding.tolist() == [
            float(image not in marked) for image in found.table.image_ids
        ]

    def test_of_baselines_has_no_alternatives(self) -> None:
        for method in BASELINES:
            found = by(method, votes_of(2, of=3)).alternatives
            assert [len(getattr(found, one.name)) for one in fields(found)] == [0, 0, 0]
