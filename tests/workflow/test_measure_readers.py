"""How well readers read, measured in a store in which a simulated crowd has read."""

import shutil
from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest

from backend.domain.metrics.bias_outcomes import Outcome
from backend.domain.metrics.drift_figures import Figure
from backend.domain.predictions import Prediction
from backend.domain.readings import Arm
from backend.store.unit_of_work import Store
from backend.workflow.assess_readers import NothingReadError
from backend.workflow.bias_rows import bias_tables
from backend.workflow.measure_readers import measure_readers
from backend.workflow.reader_reports import ReaderReports
from backend.workflow.reader_rows import others_median, rows_of
from tests.store.reading_crowd import BEFORE, START, read_here
from tests.store.samples import NOW, entry, image, keep, mark, model, reading, register


@pytest.fixture(params=["sqlite"])
def store_url(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> str:
    """One kind of database is enough for what is computed."""
    copy = tmp_path_factory.mktemp("crowd") / "store.sqlite3"
    shutil.copy(request.getfixturevalue("migrated_file"), copy)
    return f"sqlite:///{copy}"


class TestMeasureReaders:
    def test_ranks_good_readers_before_bad_ones(self, store: Store) -> None:
        crowd = read_here(store, images=400, adjudicated=80)
        with store.snapshot() as unit:
            report = measure_readers(unit)

        rows = rows_of(report)
        kinds = dict(zip(crowd.readings.reader_ids, crowd.readers.kinds, strict=True))
        assert len(report.judged.image_ids) == 80
        assert all(row.f1 is not None for row in rows)
        ranked = [kinds[row.reader_id] for row in rows]
        good = ranked.count("good")
        assert 0 < good < len(ranked)
        assert ranked[:good] == ["good"] * good
        assert sum(row.gold_readings for row in rows) == 160
        assert sum(row.judged_readings for row in rows) == 400

    def test_finds_what_the_model_does_to_its_readers(self, store: Store) -> None:
        read_here(store, images=500, adjudicated=160, unassisted_share=0.3)
        with store.snapshot() as unit:
            truth, others = bias_tables(measure_readers(unit))

        by_truth = {row.outcome: row for row in truth.overall}
        commission = by_truth[Outcome.COMMISSION.value]
        assert commission.has_influence
        assert commission.low is not None
        assert commission.high is not None
        assert commission.low < 0.3 < commission.high
        minutes = by_truth[Outcome.MINUTES.value]
        assert minutes.difference == pytest.approx(60 / 75, abs=0.06)
        assert minutes.has_influence
        assert {row.outcome: row.has_influence for row in others.overall}[Outcome.COMMISSION.value]
        assert truth.readings == others.readings == truth.judged + others.judged

    def test_finds_a_reader_who_became_slower_and_accuses_nobody_else(self, store: Store) -> None:
        crowd = read_here(store, images=400, adjudicated=60, slower_from=0.5)
        with store.snapshot() as unit:
            drift = measure_readers(unit).drift

        drifted = [
            (reader_id, figure)
            for reader_id, figures in drift.items()
            for figure, one in figures.items()
            if one.has_drifted
        ]
        assert drifted == [(crowd.readings.reader_ids[0], Figure.MINUTES)]

    def test_without_an_adjudicated_image_judges_by_the_others(self, store: Store) -> None:
        read_here(store, images=60, adjudicated=0)
        with store.snapshot() as unit:
            rows = rows_of(measure_readers(unit))

        assert {row.f1 for row in rows} == {None}
        assert not any(row.overall.sensitivity.is_estimable for row in rows)
        assert all(row.overall.sensitivity_by_peers.is_estimable for row in rows)
        assert others_median(rows, rows[0].reader_id).sensitivity is None

    def test_of_nothing_says_so(self, store: Store) -> None:
        with store.snapshot() as unit, pytest.raises(NothingReadError):
            measure_readers(unit)

    def test_is_the_same_again(self, store: Store) -> None:
        read_here(store, images=60, adjudicated=20)
        with store.snapshot() as unit:
            once, again = (rows_of(measure_readers(unit)) for _ in range(2))

        assert once == again


class TestDrawnEntries:
    def test_are_those_with_a_champions_answer_at_the_time(self, store: Store) -> None:
        register(store, *map(image, "abcd"))
        early, shown, hidden, late = (entry(name) for name in "abcd")
        shown = replace(shown, arm=Arm.ASSISTED, model_version="m1")
        with store.transaction() as unit:
            unit.worklists.add([early], now=BEFORE - timedelta(days=9))
            unit.models.add(model())
            unit.models.crown("m1", now=BEFORE)
            unit.predictions.add([Prediction(name, "m1", ()) for name in "abc"], now=BEFORE)
            unit.worklists.add([shown, hidden, late], now=START)
        with store.snapshot() as unit:
            drawn = unit.evidence.drawn()

        assert [(one.image_id, one.model_version) for one in drawn] == [("b", "m1"), ("c", "m1")]


class TestReaderReports:
    def test_are_made_again_only_when_something_was_read(self, store: Store) -> None:
        register(store, *map(image, "ab"))
        keep(store, reading("a", "R1", mark()), reading("a", "R2", mark()))
        reports = ReaderReports(store)
        first = reports.quality()
        assert reports.quality() is first

        keep(store, replace(reading("b", "R1"), read_at=NOW))

        assert reports.quality() is not first
        assert np.sum(reports.quality().peers.readings) == 3
