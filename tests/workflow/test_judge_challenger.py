"""What the gate is told of a challenger, and what is kept of its verdict."""

from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest

from backend.domain.dataset import DatasetVersion
from backend.domain.images import Split
from backend.domain.metrics.judged_marks import judge_marks
from backend.domain.promotion.comparison import compare
from backend.domain.promotion.decision import GateDecision
from backend.domain.promotion.measured import MeasuredModel
from backend.domain.promotion.verdicts import Verdict
from backend.store.unit_of_work import Store
from backend.workflow.cut_training_set import cut_training_set
from backend.workflow.judge_challenger import Challenge, judge_challenger, kept_verdict
from backend.workflow.promote_model import promote_by_hand, promote_model
from backend.workflow.reconcile_store import reconcile_store
from tests.store.samples import NOW, model, read_by_a_crowd
from tests.unit.domain.metrics.made_up_marks import Predictions, made_up_model

LATER = NOW + timedelta(days=1)


@pytest.fixture
def version(store: Store) -> DatasetVersion:
    """A dataset version of 200 images that four readers read."""
    read_by_a_crowd(store, 200)
    reconcile_store(store, clock=lambda: NOW)
    with store.transaction() as unit:
        return cut_training_set(unit, seed=1, now=NOW)


def measured(version: DatasetVersion, seed: int, *, sensitivity: float = 0.8) -> MeasuredModel:
    known = {
        member.image.id: [(cluster.finding, cluster.box) for cluster in member.clusters]
        for member in version.in_split(Split.TEST)
    }
    predictions: Predictions = made_up_model(known, seed, sensitivity=sensitivity)
    return MeasuredModel(judge_marks(known, predictions), {})


def challenge(
    store: Store,
    version: DatasetVersion,
    name: str,
    own: MeasuredModel,
    champion: tuple[str, MeasuredModel] | None = None,
    *,
    problems: tuple[str, ...] = (),
    shadow_images: int = 0,
) -> GateDecision:
    given = Challenge(
        name,
        version,
        own.map40,
        own.test_sha256,
        champion[0] if champion else None,
        compare(champion[1], own, np.random.default_rng(1), resamples=300) if champion else None,
        problems,
    )
    with store.transaction() as unit:
        decision = judge_challenger(unit, given)
        promote_model(
            unit,
            replace(model(name), dataset_version=version.name, map40=own.map40),
            decision,
            kept_verdict(given, decision),
            shadow_images=shadow_images,
            now=LATER,
        )
    return decision


class TestJudgeChallenger:
    def test_crowns_the_first(self, store: Store, version: DatasetVersion) -> None:
        own = measured(version, 1)

        decision = challenge(store, version, "m1", own)

        assert own.map40 is not None
        assert decision.verdict is Verdict.FIRST
        with store.snapshot() as unit:
            kept = unit.models.get("m1").gate
        assert kept is not None
        assert kept["verdict"] == "first"
        assert kept["best_map"] == own.map40
        assert kept["test_sha256"] == own.test_sha256

    def test_counts_the_looks_at_the_same_test_images(
        self, store: Store, version: DatasetVersion
    ) -> None:
        own = measured(version, 1)
        challenge(store, version, "m1", own)
        looks = [
            challenge(store, version, name, measured(version, 1), ("m1", own)).look
            for name in ("m2", "m3")
        ]

        assert looks == [2, 3]

    def test_knows_that_nothing_new_was_learned_from(
        self, store: Store, version: DatasetVersion
    ) -> None:
        own = measured(version, 1)
        challenge(store, version, "m1", own)
        decision = challenge(store, version, "m2", own, ("m1", own))

        assert decision.verdict is Verdict.NO_NEWS
        assert "only 0% of what it learned from is new" in decision.reason

    def test_takes_everything_for_new_when_weights_came_from_outside(
        self, store: Store, version: DatasetVersion
    ) -> None:
        own = measured(version, 1)
        with store.transaction() as unit:
            unit.models.add(model("m1"))
            unit.models.crown("m1", now=NOW)

        decision = challenge(store, version, "m2", own, ("m1", own))

        assert decision.verdict is Verdict.NOT_WORSE

    def test_turns_an_unsound_one_away(self, store: Store, version: DatasetVersion) -> None:
        decision = challenge(
            store, version, "m1", measured(version, 1), problems=("a weight is not finite",)
        )

        assert decision.verdict is Verdict.UNSOUND
        assert decision.reason == "m1 is not sound and is not used: a weight is not finite."
        with store.snapshot() as unit:
            assert unit.models.champion() is None

    def test_turns_a_worse_one_away(self, store: Store, version: DatasetVersion) -> None:
        good = measured(version, 1, sensitivity=1.0)
        challenge(store, version, "m1", good)
        bad = measured(version, 2, sensitivity=0.1)

        assert challenge(store, version, "m2", bad, ("m1", good)).verdict is Verdict.WORSE


class TestTheBestThatServed:
    def test_is_not_one_that_only_passed_the_gate(
        self, store: Store, version: DatasetVersion
    ) -> None:
        middling, good = (measured(version, 1, sensitivity=share) for share in (0.5, 1.0))
        challenge(store, version, "m1", middling)
        passed = challenge(store, version, "m2", good, ("m1", middling), shadow_images=9)

        decision = challenge(store, version, "m3", middling, ("m1", middling))

        assert passed.verdict is Verdict.BETTER
        assert decision.verdict is Verdict.NO_NEWS
        assert decision.best_map == middling.map40

    def test_is_remembered_when_a_person_crowns_a_worse_one(
        self, store: Store, version: DatasetVersion
    ) -> None:
        good, bad = (measured(version, 1, sensitivity=share) for share in (1.0, 0.5))
        challenge(store, version, "m1", good)
        challenge(store, version, "m2", bad, ("m1", good))
        with store.transaction() as unit:
            promote_by_hand(unit, "m2", actor="ann", reason="R8 likes it", now=LATER)

        decision = challenge(store, version, "m3", bad, ("m2", bad))

        assert decision.verdict is Verdict.SLIPPING
        assert decision.best_map == pytest.approx(good.map40)


class TestServiceAndLooks:
    def test_begin_anew_only_with_another_model(
        self, store: Store, version: DatasetVersion
    ) -> None:
        challenge(store, version, "m1", measured(version, 1))

        with store.transaction() as unit:
            unit.models.crown("m1", now=LATER)
            [service] = unit.model_history.service()

        assert service.actor == "gate"
