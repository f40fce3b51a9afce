"""What is known about readers, as numbers for a data manager."""

from dataclasses import astuple

import numpy as np
import pytest
from hypothesis import given, settings

from backend.domain.consensus.panel import fit_panel
from backend.domain.consensus.reader_estimates import ReaderEstimates, estimate_readers
from backend.domain.consensus.reader_skill import sensitivity
from backend.domain.consensus.survey import Survey
from backend.domain.consensus.verdict import reconcile
from backend.domain.findings import Finding
from tests.unit.domain.consensus.crowds import (
    EFFUSION,
    THICKENING,
    Reader,
    Readings,
    read_by,
    readings_of_images,
    table_of,
    votes_of,
)

FEW = (EFFUSION, THICKENING, Finding.CARDIOMEGALY)
CROWD = {
    "best": Reader(2.0, 0.05),
    "good": Reader(1.0, 0.2),
    "usual": Reader(0.5, 0.3),
    "weak": Reader(-0.4, 0.5),
    "worst": Reader(-1.3, 1.5),
}


def estimates(readings: Readings) -> ReaderEstimates:
    survey = Survey.of(table_of(readings))
    panel = fit_panel(survey)
    return estimate_readers(survey, panel, reconcile(survey, panel))


@pytest.fixture(scope="module")
def found() -> ReaderEstimates:
    """Five readers of 500 images, and an idle one who was given normal images only."""
    rng = np.random.default_rng(12)
    crowd = read_by(rng, CROWD, images=500, findings=FEW).readings
    idle: Readings = {(f"n{image}", "idle"): [] for image in range(50)}
    return estimates({**crowd, **idle})


class TestEstimateReaders:
    def test_rank_readers_by_reliability(self, found: ReaderEstimates) -> None:
        order = [found.reader_ids[row] for row in np.argsort(-found.reliability)]

        assert [name for name in order if name != "idle"] == list(CROWD)

    def test_put_the_truth_within_the_interval(self, found: ReaderEstimates) -> None:
        for name, reader in CROWD.items():
            row = found.reader_ids.index(name)
            true = float(sensitivity(np.array(reader.logit)))
            for column in (*FEW, -1):
                assert found.low[row, column] < true < found.high[row, column], (name, column)

    def test_say_who_is_not_estimable(self, found: ReaderEstimates) -> None:
        estimable = dict(zip(found.reader_ids, found.is_estimable.tolist(), strict=True))

        assert estimable == {**dict.fromkeys(CROWD, True), "idle": False}
        idle = found.reader_ids.index("idle")
        assert found.readings[idle] == 50
        assert found.reliability[idle] == 0.5
        assert found.false_marks[idle].tolist() == [0.0] * 15
        width = found.high - found.low
        assert width[idle, -1] == width[:, -1].max()
        assert (width[idle, list(FEW)] == width[:, list(FEW)].max(axis=0)).all()

    def test_count_false_marks(self, found: ReaderEstimates) -> None:
        marks = dict(zip(found.reader_ids, found.false_marks[:, -1].tolist(), strict=True))

        assert marks["worst"] > 1.0
        assert marks["best"] < 0.25
        assert found.false_marks[:, :-1].sum(axis=1) == pytest.approx(found.false_marks[:, -1])

    @settings(max_examples=30)
    @given(readings_of_images())
    def test_are_shares_within_their_intervals(self, readings: Readings) -> None:
        some = estimates(readings)

        readers = sorted({reader for _, reader in readings})
        assert some.reader_ids == tuple(readers)
        assert some.readings.tolist() == [
            sum(reader == other for _, other in readings) for reader in readers
        ]
        assert (some.low > 0.0).all()
        assert (some.low < some.sensitivity).all()
        assert (some.sensitivity < some.high).all()
        assert (some.high < 1.0).all()
        assert ((some.reliability > 0.0) & (some.reliability < 1.0)).all()
        assert (some.false_marks >= 0.0).all()

    def test_of_nobody_are_empty(self) -> None:
        assert [len(column) for column in astuple(estimates({}))] == [0] * 8

    def test_of_readers_who_agree_are_the_same(self) -> None:
        some = estimates(votes_of(3, of=3))

        assert some.sensitivity[0] == pytest.approx(some.sensitivity[1])
        assert some.reliability == pytest.approx(np.full(3, some.reliability[0]))
