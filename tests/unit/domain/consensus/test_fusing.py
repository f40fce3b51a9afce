"""The box that stands for marks."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.domain.boxes import Box, Boxes
from backend.domain.consensus.fusion import (
    Precision,
    fit_precision,
    fuse,
    plain_means,
    usual_precision,
)
from backend.domain.consensus.survey import Survey
from tests.unit.domain.consensus.crowds import (
    EFFUSION,
    THICKENING,
    Reader,
    Readings,
    boxes,
    read_by,
    readings_of_images,
    square,
    table_of,
    votes_of,
)

FOUR = ("R1", "R2", "R3", "R4")


def fused(readings: Readings, precision: Precision | None = None) -> Boxes:
    survey = Survey.of(table_of(readings))
    known = precision or usual_precision(len(survey.table.reader_ids))
    return fuse(survey.table, survey.groups, known)


def drawn(*marks: Box) -> Readings:
    """Return readings of one image by as many readers, one mark each."""
    return {("a", f"R{reader}"): [(EFFUSION, box)] for reader, box in enumerate(marks, 1)}


@st.composite
def precisions(draw: st.DrawFn) -> Precision:
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    return Precision(
        rng.choice([1e-6, 0.0081, 4.0], (14, 4)),
        rng.choice([1e-3, 1.0, 1e3], 17),
        rng.normal(0.0, 0.5, (17, 4)),
    )


class TestFuse:
    @given(readings_of_images(), precisions())
    def test_lies_within_what_was_drawn(self, readings: Readings, precision: Precision) -> None:
        survey = Survey.of(table_of(readings))

        found = fuse(survey.table, survey.groups, precision)

        assert found.shape == (len(survey.groups.first_marks), 4)
        assert (found[:, 2:] > found[:, :2]).all()
        for cluster, box in enumerate(found):
            marks = survey.table.mark_boxes[survey.groups.cluster_of_mark == cluster]
            assert (marks.min(axis=0) <= box).all()
            assert (box <= marks.max(axis=0)).all()

    @given(boxes, st.integers(1, 5), precisions())
    def test_is_the_box_that_all_drew(self, box: Box, of: int, precision: Precision) -> None:
        assert fused(votes_of(of, of=of, box=box), precision).tolist() == [list(box)]

    def test_of_two_typical_readers_is_their_mean(self) -> None:
        found = fused(drawn(square(0.0), square(10.0)))

        assert found.tolist() == [pytest.approx([5.0, 0.0, 105.0, 100.0])]

    def test_follows_the_readers_who_agree(self) -> None:
        found = fused(drawn(square(0.0), square(0.0), square(0.0), square(50.0)))

        assert 0.0 < found[0, 0] < 50.0 / 4

    def test_follows_the_more_exact_reader(self) -> None:
        usual = usual_precision(2)
        exact = Precision(usual.variance, np.array([1.0, 9.0]), usual.bias)

        found = fused(drawn(square(0.0), square(10.0)), exact)

        # Weights 1 and 1/9 before the tails: at most 1 px from the exact reader's edge.
        assert 0.0 < found[0, 0] <= 1.0

    def test_takes_a_known_bias_back(self) -> None:
        usual = usual_precision(2)
        biased = Precision(usual.variance, usual.reader_factor, np.array([[0.0] * 4, [0.1] * 4]))

        # The second one draws everything 10 px too far right and down.
        found = fused(drawn(square(0.0, 0.0), square(10.0, 10.0)), biased)

        assert found.tolist() == [pytest.approx([0.0, 0.0, 100.0, 100.0])]

    def test_of_nothing_is_nothing(self) -> None:
        assert fused({("a", "R1"): []}).shape == (0, 4)


class TestFitPrecision:
    def test_finds_the_unsteady_hand(self) -> None:
        rng = np.random.default_rng(2)
        readers = {name: Reader(2.0, slip=0.12 if name == "R3" else 0.04) for name in FOUR}
        survey = Survey.of(table_of(read_by(rng, readers, images=300).readings))

        found = fit_precision(survey.table, survey.groups)

        assert np.argmax(found.reader_factor) == 2
        assert found.reader_factor[2] > 3.0 * np.delete(found.reader_factor, 2).max()
        assert np.abs(found.bias).max() < 0.02

    def test_finds_a_bias(self) -> None:
        rng = np.random.default_rng(2)
        crowd = read_by(rng, {name: Reader(2.0) for name in FOUR}, images=300)
        moved = {
            (image, reader): [
                (finding, Box(*(np.array(box) + (8.0 if reader == "R2" else 0.0)).tolist()))
                for finding, box in marks
            ]
            for (image, reader), marks in crowd.readings.items()
        }
        survey = Survey.of(table_of(moved))

        found = fit_precision(survey.table, survey.groups)

        # Boxes are 60 to 110 px wide, and a bias is known only against the others' mean.
        assert (found.bias[1] > 0.04).all()
        assert (np.delete(found.bias, 1, axis=0) < 0.0).all()

    def test_knows_edges_apart(self) -> None:
        rng = np.random.default_rng(3)
        readings = {
            (f"i{image}", reader): [
                (THICKENING, Box(0.0, 0.0, 100.0, 100.0 + rng.normal(0.0, 20.0)))
            ]
            for image in range(100)
            for reader in FOUR
        }
        survey = Survey.of(table_of(readings))

        found = fit_precision(survey.table, survey.groups).variance[THICKENING]

        assert found[:3].max() < 0.0081 < found[3]

    def test_is_the_usual_one_without_evidence(self) -> None:
        survey = Survey.of(table_of(votes_of(1, of=3)))

        found, usual = fit_precision(survey.table, survey.groups), usual_precision(3)

        assert found.variance == pytest.approx(usual.variance)
        assert found.reader_factor == pytest.approx(usual.reader_factor)
        assert found.bias == pytest.approx(usual.bias)


class TestPlainMeans:
    @given(st.lists(st.tuples(st.integers(0, 3), boxes), min_size=1))
    def test_equals_its_slow_twin(self, rows: list[tuple[int, Box]]) -> None:
        names = sorted({group for group, _ in rows})
        groups = np.array([names.index(group) for group, _ in rows])

        found = plain_means(np.array([box for _, box in rows]), groups, len(names))

        for group, mean in enumerate(found.tolist()):
            own = [box for row, (_, box) in zip(groups, rows, strict=True) if row == group]
            assert mean == pytest.approx([sum(edge) / len(own) for edge in zip(*own, strict=True)])
