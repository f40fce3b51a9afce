"""Who serves: one champion, always."""

from datetime import timedelta

import pytest

from backend.domain.metrics.average_precision import DetectionQuality
from backend.domain.models import ModelVersion
from backend.domain.promotion import GateDecision, IncomparableModelsError
from backend.store.models import UnknownModelVersionError
from backend.store.unit_of_work import Store
from backend.workflow.promote_model import (
    NoPreviousChampionError,
    promote_by_hand,
    promote_model,
    roll_back,
)
from tests.store.samples import NOW, model


def quality(score: float | None, *, images: int = 10) -> DetectionQuality:
    return DetectionQuality(map=score, by_finding={}, positives={}, images=images)


def challenge(
    store: Store, name: str, score: float, against: float | None, *, images: int = 10
) -> GateDecision:
    with store.transaction() as unit:
        champion = None if against is None else quality(against)
        now = NOW + timedelta(hours=int(name[1:]))
        return promote_model(unit, model(name), quality(score, images=images), champion, now=now)


def standing(store: Store) -> dict[str, str]:
    with store.snapshot() as unit:
        return {one.name: one.state.value for one in unit.models.all()}


def step_back(store: Store) -> ModelVersion:
    with store.transaction() as unit:
        return roll_back(unit, actor="ann", now=NOW + timedelta(days=1))


class TestPromoteModel:
    def test_makes_the_first_model_champion(self, store: Store) -> None:
        assert challenge(store, "m1", 0.1, None).promoted
        assert standing(store) == {"m1": "champion"}

    def test_retires_a_champion_that_is_not_better(self, store: Store) -> None:
        challenge(store, "m1", 0.1, None)

        assert challenge(store, "m2", 0.1, 0.1).promoted
        assert standing(store) == {"m1": "retired", "m2": "champion"}

    def test_turns_a_worse_one_away(self, store: Store) -> None:
        challenge(store, "m1", 0.2, None)

        decision = challenge(store, "m2", 0.1, 0.2)

        assert not decision.promoted
        assert standing(store) == {"m1": "champion", "m2": "rejected"}
        with store.snapshot() as unit:
            [event] = unit.records.events("model:m2")
        assert (event.actor, event.action) == ("gate", "reject")
        assert event.detail["why"] == decision.reason

    def test_leaves_nothing_behind_when_the_two_cannot_be_compared(self, store: Store) -> None:
        challenge(store, "m1", 0.2, None)

        with pytest.raises(IncomparableModelsError):
            challenge(store, "m2", 0.9, 0.2, images=3)
        assert standing(store) == {"m1": "champion"}


class TestPromoteByHand:
    def test_overrules_the_gate_and_names_who(self, store: Store) -> None:
        challenge(store, "m1", 0.2, None)
        challenge(store, "m2", 0.1, 0.2)

        with store.transaction() as unit:
            champion = promote_by_hand(unit, "m2", actor="ann", now=NOW)
            events = unit.records.events("model:m2")

        assert champion.name == "m2"
        assert standing(store) == {"m1": "retired", "m2": "champion"}
        assert [event.actor for event in events] == ["gate", "ann"]

    def test_refuses_an_unknown_one(self, store: Store) -> None:
        with (
            store.transaction() as unit,
            pytest.raises(UnknownModelVersionError, match="none yet"),
        ):
            promote_by_hand(unit, "m9", actor="ann", now=NOW)


class TestRollBack:
    def test_goes_back_step_by_step_and_never_to_what_was_left(self, store: Store) -> None:
        for name in ("m1", "m2", "m3"):
            challenge(store, name, 0.2, None if name == "m1" else 0.2)

        assert step_back(store).name == "m2"
        assert standing(store) == {"m1": "retired", "m2": "champion", "m3": "rejected"}
        assert step_back(store).name == "m1"
        assert standing(store) == {"m1": "champion", "m2": "rejected", "m3": "rejected"}
        with pytest.raises(NoPreviousChampionError, match="overread models list"):
            step_back(store)
        assert standing(store)["m1"] == "champion"
