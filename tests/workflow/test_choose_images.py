"""What decides on the next images is gathered from what was read and what models marked."""

from collections import Counter
from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest

from backend.domain.acquisition.cost import CostModel
from backend.domain.adjudication.request import Request
from backend.domain.boxes import Box
from backend.domain.findings import Finding
from backend.domain.images import Split
from backend.domain.predictions import PredictedBox, Prediction
from backend.domain.readings import Origin, ReadBox, Reading
from backend.domain.worklists import WorklistEntry
from backend.store.readers import ReaderProject
from backend.store.unit_of_work import Store
from backend.workflow.candidates import look_closer, score_candidates
from backend.workflow.gather_demand import gather_demand
from backend.workflow.gather_evidence import gather_cost, gather_evidence
from backend.workflow.plan_worklists import QueueRules, plan_worklists
from backend.workflow.reach_consensus import reach_consensus
from backend.workflow.reconcile_store import reconcile_store
from backend.workflow.top_up_worklists import top_up_worklists
from tests.store.samples import (
    HERE,
    LATER,
    NOW,
    THERE,
    enrol,
    image,
    keep,
    mark,
    model,
    predicted,
    reading,
    register,
    serve,
)

RULES = QueueRules(3, 20, random_share=0.0, unassisted_share=0.0, seed=1)
UP_TO_FOUR = replace(RULES, readers_per_image=4, adaptive_panels=True)
CROWD = ("I1", "I2", "I3")


def fill(store: Store, rules: QueueRules = RULES) -> list[WorklistEntry]:
    return list(top_up_worklists(store, rules, clock=lambda: NOW).entries)


def looks(*numbers: float) -> bytes:
    return np.array(numbers, dtype="<f2").tobytes()


@pytest.fixture
def read(store: Store) -> Store:
    """Images "a" to "c", read by three; they dispute "b", and R1 has not read anything."""
    register(store, *(image(name) for name in "abcd"), readers=CROWD)
    enrol(store, "R1")
    keep(store, *(reading("a", one, mark()) for one in CROWD))
    keep(store, reading("b", "I1", mark(THERE, Finding.ILD), mark(HERE, Finding.ILD)))
    keep(store, *(reading("b", one) for one in ("I2", "I3")))
    keep(store, *(reading("c", one) for one in CROWD))
    serve(store, *(Prediction(name, "m1", (predicted(),)) for name in "abcd"))
    with store.transaction() as unit:
        reach_consensus(unit, "abc", now=NOW)
    return store


class TestDisputedImages:
    def test_come_back_once_to_somebody_who_has_not_read_them(self, read: Store) -> None:
        entries = {one.image_id: one for one in fill(read, UP_TO_FOUR)}

        assert set(entries) == {"b", "d"}
        again = entries["b"]
        assert (again.channel, again.reader_id, again.top_finding) == (
            "re-read",
            "R1",
            Finding.ILD,
        )
        keep(read, reading("b", "R1"))
        reconcile_store(read, clock=lambda: LATER)
        with read.transaction() as unit:
            unit.readers.ensure(["R2"], now=NOW)
            unit.readers.add_project(ReaderProject("R2", "r2@example.org", 2, 202))
        assert "b" not in {one.image_id for one in fill(read, UP_TO_FOUR)}

    def test_do_not_come_back_when_the_panel_is_fixed(self, read: Store) -> None:
        assert {one.image_id for one in fill(read)} == {"d"}

    def test_do_not_come_back_while_an_adjudicator_is_asked(self, read: Store) -> None:
        with read.transaction() as unit:
            asked = Request(
                "b", 1, 1, ("a conflict",), 1.0, is_test=False, proposal=(), candidates=()
            )
            unit.adjudication_requests.add([asked], now=NOW)

        assert {one.image_id for one in fill(read, UP_TO_FOUR)} == {"d"}

    def test_do_not_come_back_where_one_reading_is_enough(self, read: Store) -> None:
        rules = replace(UP_TO_FOUR, readers_per_image=1)

        assert {one.image_id for one in fill(read, rules)} == {"d"}


class TestGatherEvidence:
    def test_counts_images_by_what_is_real_there(self, read: Store) -> None:
        with read.snapshot() as unit:
            answers = [answer for _, answer in unit.consensus.current().values()]
            evidence = gather_evidence(unit, answers, with_features=True)

        assert evidence.positive_images[Finding.CARDIOMEGALY] == 1
        assert evidence.positive_images.sum() <= 2
        assert evidence.average_precision is None
        assert evidence.features is None

    def test_holds_the_champion_against_the_validation_split(self, read: Store) -> None:
        with read.transaction() as unit:
            unit.images.set_splits([("a", Split.VALIDATION), ("c", Split.TRAIN)])
            answers = [answer for _, answer in unit.consensus.current().values()]
            evidence = gather_evidence(unit, answers, with_features=False)

        assert evidence.average_precision is not None
        assert evidence.average_precision[Finding.CARDIOMEGALY] == pytest.approx(1.0)
        assert np.isnan(evidence.average_precision[Finding.ILD])

    def test_knows_what_read_images_look_like(self, read: Store) -> None:
        with read.transaction() as unit:
            unit.models.add(model("m2"))
            unit.models.crown("m2", now=LATER)
            seen = {"a": looks(1, 2, 3), "c": looks(4, 5, 6), "d": looks(7, 8, 9)}
            unit.predictions.add(
                [Prediction(name, "m2", (), features=one) for name, one in seen.items()], now=NOW
            )
            answers = [answer for _, answer in unit.consensus.current().values()]
            evidence = gather_evidence(unit, answers, with_features=True)

        assert evidence.features is not None
        assert evidence.is_positive is not None
        assert evidence.features.tolist() == [[1, 2, 3], [4, 5, 6]]
        assert evidence.is_positive.tolist() == [True, False]


class TestGatherCost:
    def test_is_fitted_to_times_without_idle_time_and_boxes_that_stand(self, store: Store) -> None:
        names = [f"n{number:02d}" for number in range(60)]
        register(store, *map(image, names))
        for number, name in enumerate(names):
            boxes = [mark(Box(9 * one, 9, 9 * one + 8, 40)) for one in range(number % 4)]
            deleted = (ReadBox(Finding.ILD, HERE, origin=Origin.DELETED),)
            seconds = 3600.0 if number == 7 else 20.0 + 10.0 * len(boxes)
            keep(
                store,
                Reading(
                    name,
                    "R1",
                    tuple(boxes),
                    NOW + timedelta(minutes=number),
                    deleted=deleted,
                    lead_time_seconds=seconds,
                ),
            )

        with store.snapshot() as unit:
            cost = gather_cost(unit)

        assert cost.readings == 60
        assert cost.seconds_per_image == pytest.approx(20.0, abs=0.5)
        assert cost.seconds_per_box == pytest.approx(10.0, abs=0.5)

    def test_is_assumed_before_anything_was_read(self, store: Store) -> None:
        with store.snapshot() as unit:
            assert gather_cost(unit) == CostModel()


class TestScoreCandidates:
    def test_sees_what_the_champion_sees(self, store: Store) -> None:
        register(store, *(image(name) for name in "abc"))
        boxes = (
            PredictedBox(Finding.ILD, HERE, 0.5, spread_px=4.0),
            PredictedBox(Finding.NODULE_MASS, THERE, 0.25, spread_px=40.0),
        )
        serve(store, Prediction("b", "m1", boxes), Prediction("c", "m1", ()))

        with store.snapshot() as unit:
            pool = score_candidates(unit, [image("c"), image("b", patient="p"), image("a")])

        assert pool.image_ids.tolist() == ["c", "b", "a"]
        assert pool.patients.tolist() == ["c", "p", "a"]
        assert pool.has_score.tolist() == [True, True, False]
        assert pool.best[1, [Finding.ILD, Finding.NODULE_MASS]].tolist() == [0.5, 0.25]
        assert pool.shares[1, Finding.ILD] == 1.5
        assert pool.boxes.tolist() == [0.0, 0.75, 0.0]

    def test_measures_spread_by_all_that_the_champion_marked(self, store: Store) -> None:
        register(store, *(image(name) for name in "ab"))
        wide = PredictedBox(Finding.ILD, HERE, 0.5, spread_px=40.0)
        serve(
            store,
            Prediction("a", "m1", (PredictedBox(Finding.ILD, HERE, 0.5, spread_px=20.0),)),
            Prediction("b", "m1", (wide,) * 30),
        )

        with store.snapshot() as unit:
            pool = score_candidates(unit, [image("a")])

        assert pool.shares[0, Finding.ILD] == 1.25

    def test_measures_spread_by_the_size_of_the_box(self, store: Store) -> None:
        register(store, *map(image, ("large", "small", "unsure")))
        large, small = Box(0, 0, 400, 400), Box(0, 0, 40, 40)
        serve(
            store,
            Prediction("large", "m1", (PredictedBox(Finding.ILD, large, 0.5, spread_px=20.0),)),
            Prediction("small", "m1", (PredictedBox(Finding.ILD, small, 0.5, spread_px=2.0),)),
            Prediction(
                "unsure", "m1", (PredictedBox(Finding.ILD, large, 0.5, spread_px=40.0),) * 30
            ),
        )

        with store.snapshot() as unit:
            pool = score_candidates(unit, [image("large"), image("small")])

        assert pool.shares[:, Finding.ILD].tolist() == [1.25, 1.25]

    def test_remembers_what_the_champion_before_marked(self, store: Store) -> None:
        register(store, *(image(name) for name in "abc"))
        serve(
            store,
            Prediction("a", "m1", (predicted(0.8),)),
            Prediction("b", "m1", (predicted(0.7),)),
            Prediction("c", "m1", (predicted(0.2),)),
        )
        with store.transaction() as unit:
            unit.models.add(model("m2"))
            unit.models.crown("m2", now=LATER)
            same = predicted(0.6, Finding.ILD)
            unit.predictions.add(
                [Prediction("b", "m2", (same,)), Prediction("a", "m2", ())], now=NOW
            )
            pool = look_closer(unit, score_candidates(unit, [image("a"), image("b")]), {})

        assert pool.unmatched is not None
        assert pool.unmatched.tolist() == [0.8, 0.0]


class TestPlanWorklists:
    def test_changes_nothing_and_is_what_is_then_done(self, read: Store) -> None:
        with read.snapshot() as unit:
            plan = plan_worklists(unit, RULES, now=NOW)
            assert unit.worklists.all() == []

        assert list(plan.entries) == fill(read)
        with read.snapshot() as unit:
            kept = unit.worklists.all()
        assert [replace(one, id=None, asked_at=None) for one in kept] == list(plan.entries)

    def test_knows_how_long_reading_takes(self, read: Store) -> None:
        by_image = {one.image_id: one for one in fill(read)}

        assert by_image["d"].expected_seconds == 15 + 12 * 0.5

    def test_uses_another_strategy_when_it_is_told(self, read: Store) -> None:
        entries = fill(read, replace(RULES, strategy="random"))

        assert {(one.image_id, one.channel) for one in entries} == {("d", "random")}

    def test_finds_something_for_a_reader_who_knows_most_images(self, store: Store) -> None:
        names = [f"n{number:02d}" for number in range(60)]
        register(store, *map(image, names))
        enrol(store, "R1", "R2")
        keep(store, *(reading(name, "R1") for name in names[:50]))
        scores = {name: 0.5 + number / 200 for number, name in enumerate(names)}
        serve(store, *(Prediction(name, "m1", (predicted(one),)) for name, one in scores.items()))

        entries = fill(store, replace(RULES, readers_per_image=2, worklist_size=5))

        mine = [one.image_id for one in entries if one.reader_id == "R1"]
        others = [one.image_id for one in entries if one.reader_id == "R2"]
        assert (mine, others) == (names[50:55], names[:5])

    def test_makes_no_larger_batch_for_a_reader_with_nothing_left_to_read(
        self, store: Store
    ) -> None:
        names = [f"n{number:03d}" for number in range(200)]
        register(store, *map(image, names))
        enrol(store, "R1", "R2")
        keep(store, *(reading(name, "R1") for name in names))
        serve(
            store,
            *(
                Prediction(name, "m1", (predicted(0.5 + number / 500),), features=looks(number, 1))
                for number, name in enumerate(names)
            ),
        )

        entries = fill(store, replace(RULES, readers_per_image=2, worklist_size=40))

        channels = Counter(one.channel for one in entries)
        assert {one.reader_id for one in entries} == {"R2"}
        assert [one.rank for one in entries] == list(range(1, 41))
        assert 18 <= channels["finding-quota"] <= 20
        assert 18 <= channels["uncertain"] <= 22

    def test_takes_no_more_images_than_the_worklists_have_room_for(self, store: Store) -> None:
        register(store, *(image(f"n{number:02d}") for number in range(40)), readers=CROWD)
        enrol(store, "R1", "R2")
        keep(store, *(reading(f"n{number:02d}", "I1") for number in range(5)))

        with store.snapshot() as unit:
            demand = gather_demand(unit, worklist_size=10, now=NOW, reservation=RULES.reservation)
            plan = plan_worklists(unit, replace(RULES, worklist_size=10), now=NOW)

        assert demand.open_slots == {"R1": 10, "R2": 10}
        assert len(plan.entries) == 20
        assert {one.rank for one in plan.entries} == set(range(1, 11))
