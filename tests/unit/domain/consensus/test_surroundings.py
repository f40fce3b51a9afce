"""What a cluster looks like, by hand and by a slow twin."""

from math import log

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from backend.domain.boxes import Box, areas, pairwise_iou
from backend.domain.consensus.fusion import plain_means
from backend.domain.consensus.surroundings import FEATURES, Surroundings
from backend.domain.consensus.survey import Survey
from backend.domain.findings import Finding
from backend.domain.overlaps import shared_areas
from tests.unit.domain.consensus.crowds import (
    EFFUSION,
    THICKENING,
    Readings,
    readings_of_images,
    readings_of_one_image,
    square,
    table_of,
)


def survey_of(readings: Readings) -> Survey:
    return Survey.of(table_of(readings))


def plain_description(survey: Survey, cluster: int, left_out: int) -> list[float] | None:
    """Describe a cluster as if a reader had not read; None if nobody else marked it."""
    table, groups = survey.table, survey.groups
    image, finding = survey.images[cluster], survey.votes.findings[cluster]
    every = np.flatnonzero(table.mark_images == image).tolist()
    marks = [mark for mark in every if table.mark_readers[mark] != left_out]
    inside = [mark for mark in marks if groups.cluster_of_mark[mark] == cluster]
    outside = [mark for mark in marks if groups.cluster_of_mark[mark] != cluster]
    if not inside:
        return None
    readers = table.reading_readers[table.reading_images == image].tolist()
    x_min, y_min, x_max, y_max = np.mean([table.mark_boxes[mark] for mark in inside], axis=0)
    span_x, span_y = np.max([table.mark_boxes[mark, 2:] for mark in every], axis=0)
    width, height = (x_max - x_min) / span_x, (y_max - y_min) / span_y
    x, y = (x_min + x_max) / 2 / span_x, (y_min + y_max) / 2 / span_y
    shape = [log(width * height), log(width / height), abs(x - 0.5), x, y]
    touching = [0.0] * (3 + len(Finding))
    for one in outside:
        own, other = np.array([[x_min, y_min, x_max, y_max]]), table.mark_boxes[[one]]
        iou = float(pairwise_iou(own, other)[0, 0])
        smaller = min(float(areas(box)[0]) for box in (own, other))
        contained = float(shared_areas(own, other)[0]) / smaller
        named = int(table.mark_findings[one])
        if named == finding:
            touching[0] = max(touching[0], iou)
            touching[1] = max(touching[1], contained)
        else:
            touching[2] = max(touching[2], iou)
            touching[3 + named] = max(touching[3 + named], iou)
    remaining = max(len(set(readers) - {left_out}), 1)
    return [*shape, log(1 + len(outside) / remaining), *touching]


def listed(description: Surroundings, row: int) -> list[float]:
    return [
        *description.shapes[row].tolist(),
        float(description.other_marks[row]),
        *description.overlaps[row].tolist(),
    ]


class TestDescribe:
    @given(readings_of_images())
    def test_equals_its_slow_twin(self, readings: Readings) -> None:
        survey = survey_of(readings)

        for cluster in range(len(survey.groups.first_marks)):
            expected = plain_description(survey, cluster, -1)
            assert listed(survey.by_all, cluster) == pytest.approx(expected)
        votes = zip(survey.votes.clusters.tolist(), survey.votes.readers.tolist(), strict=True)
        for row, (cluster, reader) in enumerate(votes):
            expected = plain_description(survey, cluster, reader)
            if expected is not None:
                assert listed(survey.by_others, row) == pytest.approx(expected)

    @given(readings_of_one_image, st.data())
    def test_does_not_change_with_a_vote_for_the_mean_box(
        self, readings: Readings, data: st.DataObject
    ) -> None:
        before = survey_of(readings)
        clusters = len(before.groups.first_marks)
        assume(clusters)
        cluster = data.draw(st.integers(0, clusters - 1))
        means = plain_means(before.table.mark_boxes, before.groups.cluster_of_mark, clusters)
        vote = (Finding(int(before.votes.findings[cluster])), Box(*means[cluster].tolist()))
        # Whoever has marked nothing cannot bring another cluster along.
        image = {**readings, ("a", "Z"): []}
        before = survey_of(image)

        after = survey_of({**image, ("a", "Z"): [vote]})

        own = np.flatnonzero(after.table.mark_readers == len(after.table.reader_ids) - 1)[0]
        now = int(after.groups.cluster_of_mark[own])
        marks = after.groups.cluster_of_mark == now
        marks[own] = False
        old = before.groups.cluster_of_mark == cluster
        others = np.delete(marks, own)
        assume(np.array_equal(others, old))
        assert listed(after.by_all, now) == pytest.approx(listed(before.by_all, cluster))

    def test_knows_where_and_how_large(self) -> None:
        # The marks of the image span 400 x 200.
        found = survey_of(
            {
                ("a", "R1"): [(EFFUSION, Box(0.0, 0.0, 200.0, 100.0))],
                ("a", "R2"): [(THICKENING, Box(300.0, 100.0, 400.0, 200.0))],
            }
        ).by_all

        assert found.shapes[0].tolist() == pytest.approx([log(0.25), 0.0, 0.25, 0.25, 0.25])
        assert found.shapes[1].tolist() == pytest.approx(
            [log(0.125), log(0.5), 0.375, 0.875, 0.75]
        )
        assert found.other_marks.tolist() == pytest.approx([log(1.5), log(1.5)])

    def test_knows_what_it_touches(self) -> None:
        # The upper half of the box, called thickening: IoU 1/2; a neighbour moved by 80: 1/9.
        half = Box(0.0, 0.0, 100.0, 50.0)
        found = survey_of(
            {
                ("a", "R1"): [(EFFUSION, square(0.0))],
                ("a", "R2"): [(THICKENING, half), (EFFUSION, square(80.0))],
            }
        ).by_all

        overlaps = dict(enumerate(found.overlaps[0].tolist()))
        assert overlaps.pop(0) == pytest.approx(1 / 9)
        assert overlaps.pop(1) == pytest.approx(0.2)
        assert overlaps.pop(2) == overlaps.pop(3 + THICKENING) == pytest.approx(0.5)
        assert set(overlaps.values()) == {0.0}


class TestSurroundings:
    def test_counts_in_standard_deviations_from_the_usual(self) -> None:
        shapes = np.zeros((6, 5))
        shapes[:, 0] = [1.0, 1.0, 1.0, 3.0, 3.0, 3.0]
        found = Surroundings(shapes, np.ones(6), np.zeros((6, 17)))
        findings = np.full(6, EFFUSION)

        usual = found.usual(findings)
        features = found.features(findings, usual)

        assert usual.means[EFFUSION].tolist() == [2.0, 0.0, 0.0, 0.0, 0.0]
        assert usual.deviations[EFFUSION, 0] == 1.0
        assert usual.means[THICKENING].tolist() == [0.0] * 5
        assert usual.deviations[THICKENING].tolist() == [1.0] * 5
        assert features.shape == (6, FEATURES)
        assert features[:, 0].tolist() == [-1.0] * 3 + [1.0] * 3
        assert features[:, 5].tolist() == [1.0] * 6
        assert features[:, -1].tolist() == [1.0] * 6

    def test_takes_fewer_than_six_for_no_evidence(self) -> None:
        found = Surroundings(np.full((5, 5), 9.0), np.ones(5), np.zeros((5, 17)))

        usual = found.usual(np.full(5, EFFUSION))

        assert usual.means[EFFUSION].tolist() == [0.0] * 5
