"""What must hold of any answer, whatever the readings and whatever is known of the readers."""

from collections.abc import Mapping
from dataclasses import replace
from random import Random

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from backend.domain.boxes import Box
from backend.domain.consensus.clusters import ClusterState
from backend.domain.consensus.fusion import plain_means
from backend.domain.consensus.panel import Panel
from backend.domain.consensus.survey import Survey
from backend.domain.consensus.verdict import Verdict, answers, reconcile
from backend.domain.findings import Finding
from backend.domain.reading_table import ReadingTable
from tests.unit.domain.consensus.crowds import (
    EFFUSION,
    READERS,
    THICKENING,
    Known,
    Readings,
    fitted_panel,
    knowns,
    readings_of_images,
    readings_of_one_image,
    square,
    strange_knowns,
    verdict_of,
    votes_of,
)

any_knowns = st.one_of(knowns, strange_knowns)
Mark = tuple[str, Finding, Box]


def supporters(verdict: Verdict, cluster: int) -> frozenset[Mark]:
    """Return reader, finding and box of the marks of a cluster."""
    table = verdict.table
    return frozenset(
        (
            table.reader_ids[table.mark_readers[mark]],
            Finding(int(table.mark_findings[mark])),
            Box(*table.mark_boxes[mark].tolist()),
        )
        for mark in np.flatnonzero(verdict.cluster_of_mark == cluster)
    )


def by_supporters(verdict: Verdict) -> dict[tuple[str, frozenset[Mark]], list[float]]:
    """Return score, p_true and box of every cluster, by its image and marks."""
    return {
        (verdict.table.image_ids[image], supporters(verdict, cluster)): [
            float(verdict.scores[cluster]),
            float(verdict.p_true[cluster]),
            *verdict.boxes[cluster].tolist(),
        ]
        for cluster, image in enumerate(verdict.images)
    }


def assert_equal(one: Verdict, other: Verdict) -> None:
    """Assert that two answers are the same to the last bit."""
    for name in (
        *("images", "findings", "places", "boxes", "scores", "p_true"),
        *("states", "cluster_of_mark", "p_no_finding"),
    ):
        assert np.array_equal(getattr(one, name), getattr(other, name)), name
    for name in ("clusters", "findings", "scores"):
        left, right = (getattr(verdict.alternatives, name) for verdict in (one, other))
        assert np.array_equal(left, right), name


def assert_close(
    found: Mapping[tuple[str, frozenset[Mark]], list[float]],
    expected: Mapping[tuple[str, frozenset[Mark]], list[float]],
) -> None:
    """Assert that the clusters are the same, their numbers but for rounding."""
    assert found.keys() == expected.keys()
    for cluster, numbers in expected.items():
        assert found[cluster] == pytest.approx(numbers, abs=1e-9, rel=1e-9)


def renamed_panel(panel: Panel, names: Mapping[str, str]) -> Panel:
    """Return a panel of readers with other names, sorted by those."""
    found = panel.of(sorted(names, key=names.__getitem__))
    return replace(found, reader_ids=tuple(names[reader] for reader in found.reader_ids))


class TestOrder:
    @given(readings_of_images(), knowns, st.randoms(use_true_random=False))
    def test_of_rows_does_not_matter(
        self, readings: Readings, known: Known, random: Random
    ) -> None:
        pairs = random.sample(list(readings), len(readings))
        mixed = {pair: random.sample(list(readings[pair]), len(readings[pair])) for pair in pairs}

        panel = known.panel()
        assert_equal(verdict_of(readings, panel), verdict_of(mixed, panel))

    @given(readings_of_images(), any_knowns, st.permutations(READERS))
    def test_of_readers_does_not_matter(
        self, readings: Readings, known: Known, order: list[str]
    ) -> None:
        names = dict(zip(READERS, order, strict=True))
        renamed = {(image, names[reader]): marks for (image, reader), marks in readings.items()}
        panel = known.panel()

        before = verdict_of(readings, panel)
        after = verdict_of(renamed, renamed_panel(panel.of(READERS), names))

        expected = {}
        for (image, marks), numbers in by_supporters(before).items():
            own = frozenset((names[reader], finding, box) for reader, finding, box in marks)
            expected[image, own] = numbers
        assert_close(by_supporters(after), expected)
        assert after.p_no_finding == pytest.approx(before.p_no_finding, abs=1e-9)

    @given(readings_of_images(), any_knowns)
    def test_of_images_does_not_matter(self, readings: Readings, known: Known) -> None:
        # Incremental = batch: nothing passes from one image to another.
        panel = known.panel()
        together = verdict_of(readings, panel)

        found: dict[tuple[str, frozenset[Mark]], list[float]] = {}
        for row, image in enumerate(together.table.image_ids):
            own = {pair: marks for pair, marks in readings.items() if pair[0] == image}
            alone = verdict_of(own, panel)
            found |= by_supporters(alone)
            assert alone.p_no_finding[0] == pytest.approx(together.p_no_finding[row])
        assert_close(found, by_supporters(together))


class TestRepeats:
    @given(readings_of_images(), knowns)
    def test_of_the_work_change_nothing(self, readings: Readings, known: Known) -> None:
        panel = known.panel()

        assert_equal(verdict_of(readings, panel), verdict_of(readings, panel))

    @given(readings_of_images(), knowns)
    def test_of_rows_change_nothing(self, readings: Readings, known: Known) -> None:
        twice = {pair: [*marks, *marks] for pair, marks in readings.items()}

        panel = known.panel()
        assert_equal(verdict_of(readings, panel), verdict_of(twice, panel))

    @given(readings_of_images(), any_knowns)
    def test_of_one_box_by_all_give_that_box(self, readings: Readings, known: Known) -> None:
        found = verdict_of(readings, known.panel())

        for cluster, box in enumerate(found.boxes.tolist()):
            drawn = {mark for _, _, mark in supporters(found, cluster)}
            if len(drawn) == 1:
                assert box == list(*drawn)


class TestScale:
    @given(readings_of_images(), any_knowns, st.sampled_from([0.125, 2.0, 3.0, 7.0, 1024.0]))
    def test_of_an_image_does_not_matter(
        self, readings: Readings, known: Known, factor: float
    ) -> None:
        assert_scales(readings, known.panel(), factor)

    @given(readings_of_images(), any_knowns, st.floats(0.1, 10.0))
    def test_does_not_matter_where_coordinates_are_rounded(
        self, readings: Readings, known: Known, factor: float
    ) -> None:
        # Then equal overlaps are no longer quite equal.
        assert_scales(readings, known.panel(), factor)


def assert_scales(readings: Readings, panel: Panel, factor: float) -> None:
    def scaled(box: Box) -> Box:
        return Box(*(edge * factor for edge in box))

    larger = {
        pair: [(finding, scaled(box)) for finding, box in marks]
        for pair, marks in readings.items()
    }
    expected = {
        (image, frozenset((reader, finding, scaled(box)) for reader, finding, box in marks)): [
            *numbers[:2],
            *scaled(Box(*numbers[2:])),
        ]
        for (image, marks), numbers in by_supporters(verdict_of(readings, panel)).items()
    }
    assert_close(by_supporters(verdict_of(larger, panel)), expected)


def with_one_vote_more(
    readings: Readings, verdict: Verdict, cluster: int, reader: str
) -> tuple[Readings, Mark]:
    """Let a reader of the one image mark the mean box of a cluster's marks."""
    own = verdict.cluster_of_mark == cluster
    boxes = verdict.table.mark_boxes[own]
    mean = Box(*plain_means(boxes, np.zeros(len(boxes), dtype=np.int64), 1)[0].tolist())
    finding = Finding(int(verdict.findings[cluster]))
    marks = [*readings["a", reader], (finding, mean)]
    return {**readings, ("a", reader): marks}, (reader, finding, mean)


def assert_rises(readings: Readings, known: Known, data: st.DataObject) -> None:
    """Assert that one vote more, by somebody who was silent, lowers neither probability."""
    panel = known.panel()
    before = verdict_of(readings, panel)
    assume(len(before.states))
    cluster = data.draw(st.integers(0, len(before.states) - 1))
    old = supporters(before, cluster)
    silent = sorted({reader for _, reader in readings} - {reader for reader, _, _ in old})
    assume(silent)
    more, mark = with_one_vote_more(readings, before, cluster, data.draw(st.sampled_from(silent)))

    after = verdict_of(more, panel)

    now = next(row for row in range(len(after.states)) if mark in supporters(after, row))
    # A mark may also join what lay apart, or part what lay together: then it is another lesion.
    assume(supporters(after, now) == old | {mark})
    assert after.p_true[now] >= before.p_true[cluster] - 1e-9
    assert after.scores[now] >= before.scores[cluster] - 1e-9


class TestOneVoteMore:
    @settings(max_examples=300)
    @given(readings_of_one_image, knowns, st.data())
    def test_never_lowers_a_probability(
        self, readings: Readings, known: Known, data: st.DataObject
    ) -> None:
        assert_rises(readings, known, data)

    @settings(max_examples=300)
    @given(readings_of_one_image, strange_knowns, st.data())
    def test_never_lowers_a_probability_by_adversaries(
        self, readings: Readings, known: Known, data: st.DataObject
    ) -> None:
        assert_rises(readings, known, data)


class TestSilence:
    @given(readings_of_one_image)
    def test_of_a_further_reader_is_evidence(self, readings: Readings) -> None:
        before = verdict_of(readings)
        after = verdict_of({**readings, ("a", "a silent one"): []})

        assert by_supporters(after).keys() == by_supporters(before).keys()
        assert (after.p_true <= before.p_true).all()
        assert (after.scores <= before.scores).all()
        assert (after.p_no_finding >= before.p_no_finding).all()

    @given(readings_of_one_image)
    def test_of_a_further_reader_is_evidence_for_those_who_know_the_panel(
        self, readings: Readings
    ) -> None:
        before = verdict_of(readings, fitted_panel())
        after = verdict_of({**readings, ("a", "a silent one"): []}, fitted_panel())

        assert (after.p_true <= before.p_true + 1e-9).all()

    def test_of_one_who_did_not_read_is_none(self) -> None:
        one = verdict_of(votes_of(1, of=1))
        two = verdict_of({**votes_of(1, of=1), ("b", READERS[1]): []})

        assert two.p_true.tolist() == one.p_true.tolist()


class TestOneReader:
    def test_cannot_vote_twice(self) -> None:
        nested = [(EFFUSION, square(0.0)), (EFFUSION, square(0.0, side=90.0))]
        readings: Readings = {("a", "R1"): nested, ("a", "R2"): [], ("a", "R3"): []}

        found = verdict_of(readings)

        once = verdict_of(votes_of(1, of=3))
        assert found.p_true.tolist() == [once.p_true[0]] * 2
        assert found.states == (ClusterState.SINGLE_READER,) * 2

    def test_is_not_believed_less_for_a_second_name(self) -> None:
        both: Readings = {("a", "R1"): [(EFFUSION, square(0.0)), (THICKENING, square(0.0))]}

        found = verdict_of(both)

        assert found.places.tolist() == [0, 0]
        assert found.p_true.tolist() == [verdict_of(votes_of(1, of=1)).p_true[0]] * 2


class TestReconcile:
    @given(readings_of_images(), any_knowns)
    def test_keeps_its_promises(self, readings: Readings, known: Known) -> None:
        found = verdict_of(readings, known.panel())
        table = found.table

        number = len(found.states)
        for chances in (found.scores, found.p_true, found.p_no_finding, found.alternatives.scores):
            assert np.isfinite(chances).all()
            assert ((chances >= 0.0) & (chances <= 1.0)).all()
        assert sorted(set(found.cluster_of_mark.tolist())) == list(range(number))
        votes = list(zip(found.cluster_of_mark, table.mark_readers, strict=True))
        assert len(set(votes)) == len(votes)
        at_place = list(zip(found.places, found.findings, strict=True))
        assert len(set(at_place)) == len(at_place)
        for cluster, box in enumerate(found.boxes):
            drawn = np.array([mark for _, _, mark in supporters(found, cluster)])
            assert (drawn.min(axis=0) <= box).all()
            assert (box <= drawn.max(axis=0)).all()
        assert (found.boxes[:, 2:] > found.boxes[:, :2]).all()

    @given(readings_of_images())
    def test_gives_every_place_one_image(self, readings: Readings) -> None:
        found = verdict_of(readings)

        pairs = set(zip(found.places.tolist(), found.images.tolist(), strict=True))
        assert len(pairs) == len(set(found.places.tolist()))

    def test_believes_good_readers_more(self) -> None:
        panel = fitted_panel()

        def p_true(marker: str, silent: str) -> float:
            readings: Readings = {("a", marker): [(EFFUSION, square(0.0))], ("a", silent): []}
            return float(verdict_of(readings, panel).p_true[0])

        assert p_true("R7", "R9") < 0.1
        assert p_true("R9", "R7") > 10 * p_true("R7", "R9")


class TestAnswers:
    @given(readings_of_images(), knowns)
    def test_lose_nothing(self, readings: Readings, known: Known) -> None:
        verdict = verdict_of(readings, known.panel())

        found = list(answers(verdict, "overread-2-x", {}))

        assert [one.image_id for one in found] == sorted({image for image, _ in readings})
        assert [one.p_no_finding for one in found] == verdict.p_no_finding.tolist()
        clusters = [cluster for one in found for cluster in one.clusters]
        assert sorted(cluster.score for cluster in clusters) == sorted(verdict.scores.tolist())
        marks = [
            (one.image_id, by.reader_id)
            for one in found
            for c in one.clusters
            for by in c.supporters
        ]
        assert len(marks) == len(verdict.table.mark_images)
        assert sum(len(one.alternatives) for one in clusters) == len(verdict.alternatives.scores)
        for one in found:
            scores = [cluster.score for cluster in one.clusters]
            assert scores == sorted(scores, reverse=True)
            places = {cluster.place for cluster in one.clusters}
            assert places == set(range(len(places)))
            for cluster in one.clusters:
                readers = [by.reader_id for by in cluster.supporters]
                assert readers == sorted(set(readers))

    def test_name_the_boxes_in_the_store(self) -> None:
        table = ReadingTable.of_rows(
            [("a", "R2"), ("b", "R1")],
            [("a", "R2", EFFUSION), ("a", "R1", EFFUSION)],
            np.array([square(0.0), square(0.0)]),
            [7, -1],
        )
        verdict = reconcile(Survey.of(table), fitted_panel())

        first, second = answers(verdict, "overread-2-x", {"a": [5, 3]})

        supporters = [(by.reader_id, by.read_box_id) for by in first.clusters[0].supporters]
        assert supporters == [("R1", None), ("R2", 7)]
        assert first.reading_ids == (3, 5)
        assert (second.clusters, second.reading_ids) == ((), ())
        assert first.method_version == second.method_version == "overread-2-x"
        assert first.clusters[0].state is ClusterState.UNANIMOUS
