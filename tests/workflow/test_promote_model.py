"""Who serves: one champion, always."""

from datetime import timedelta

import pytest

from backend.domain.models import ModelState, ModelVersion
from backend.domain.promotion.decision import GateDecision
from backend.domain.promotion.verdicts import Verdict
from backend.store.models import UnknownModelVersionError
from backend.store.unit_of_work import Store
from backend.workflow.promote_model import (
    ChampionChangedError,
    NoPreviousChampionError,
    ReasonMissingError,
    promote_by_hand,
    promote_model,
    roll_back,
)
from tests.store.samples import NOW, model


def said(verdict: Verdict) -> GateDecision:
    return GateDecision(verdict, f"It is {verdict.value}.", (), 0.2, 0.1, 1, 0.2)


def challenge(
    store: Store,
    name: str,
    verdict: Verdict = Verdict.BETTER,
    *,
    against: str | None,
    shadow_images: int = 0,
) -> ModelState:
    decision = said(verdict)
    with store.transaction() as unit:
        return promote_model(
            unit,
            model(name),
            decision,
            {**decision.as_json(), "champion": against},
            shadow_images=shadow_images,
            now=NOW + timedelta(hours=int(name[1:])),
        ).state


def standing(store: Store) -> dict[str, str]:
    with store.snapshot() as unit:
        return {one.name: one.state.value for one in unit.models.all()}


def step_back(store: Store) -> ModelVersion:
    with store.transaction() as unit:
        return roll_back(unit, actor="ann", now=NOW + timedelta(days=1))


class TestPromoteModel:
    def test_makes_the_first_model_champion(self, store: Store) -> None:
        assert challenge(store, "m1", Verdict.FIRST, against=None) is ModelState.CHAMPION
        assert standing(store) == {"m1": "champion"}

    def test_retires_the_champion_when_a_challenger_passes(self, store: Store) -> None:
        challenge(store, "m1", Verdict.FIRST, against=None)

        assert challenge(store, "m2", against="m1") is ModelState.CHAMPION
        assert standing(store) == {"m1": "retired", "m2": "champion"}
        with store.snapshot() as unit:
            first, second = unit.model_history.service()
            kept = unit.models.get("m2").gate
        assert (first.model_version, first.ended_at) == ("m1", second.began_at)
        assert (second.actor, second.reason, second.ended_at) == ("gate", "It is better.", None)
        assert kept is not None
        assert (kept["verdict"], kept["passed"], kept["champion"]) == ("better", True, "m1")

    def test_turns_away_one_that_does_not(self, store: Store) -> None:
        challenge(store, "m1", Verdict.FIRST, against=None)

        assert challenge(store, "m2", Verdict.WORSE, against="m1") is ModelState.REJECTED

        assert standing(store) == {"m1": "champion", "m2": "rejected"}
        with store.snapshot() as unit:
            [event] = unit.records.events("model:m2")
            assert unit.model_history.service("m2") == []
        assert (event.actor, event.action) == ("gate", "reject")
        assert event.detail["why"] == "It is worse."

    def test_leaves_nothing_behind_when_another_became_champion_meanwhile(
        self, store: Store
    ) -> None:
        challenge(store, "m1", Verdict.FIRST, against=None)

        with pytest.raises(ChampionChangedError, match="held against nothing, but m1 serves now"):
            challenge(store, "m2", against=None)
        assert standing(store) == {"m1": "champion"}


class TestShadow:
    def test_is_where_a_challenger_goes_that_passes(self, store: Store) -> None:
        challenge(store, "m1", Verdict.FIRST, against=None, shadow_images=9)

        entered = challenge(store, "m2", against="m1", shadow_images=9)

        assert entered is ModelState.CHALLENGER
        assert standing(store) == {"m1": "champion", "m2": "challenger"}
        with store.snapshot() as unit:
            waiting = unit.models.challenger()
        assert waiting is not None
        assert waiting.shadow_since == NOW + timedelta(hours=2)

    def test_has_room_for_one_and_is_left_to_who_came_first(self, store: Store) -> None:
        challenge(store, "m1", Verdict.FIRST, against=None)
        challenge(store, "m2", against="m1", shadow_images=9)

        entered = challenge(store, "m3", against="m1", shadow_images=9)

        assert entered is ModelState.REJECTED
        assert standing(store) == {"m1": "champion", "m2": "challenger", "m3": "rejected"}
        with store.snapshot() as unit:
            waiting, turned_away = unit.models.get("m2"), unit.models.get("m3")
            [event] = unit.records.events("model:m3")
        assert waiting.shadow_since == NOW + timedelta(hours=2)
        assert turned_away.gate is not None
        assert turned_away.gate["shadow"] == {
            "passed": False,
            "reason": "m2 scores in the shadow of m1 still, so m3 is turned away. It is better.",
        }
        assert event.detail["why"] == turned_away.gate["shadow"]["reason"]

    def test_is_not_for_one_that_does_not_pass(self, store: Store) -> None:
        challenge(store, "m1", Verdict.FIRST, against=None)
        challenge(store, "m2", Verdict.TOO_LITTLE, against="m1", shadow_images=9)

        assert standing(store)["m2"] == "rejected"

    def test_is_left_when_a_person_crowns_another(self, store: Store) -> None:
        challenge(store, "m1", Verdict.FIRST, against=None)
        challenge(store, "m2", Verdict.WORSE, against="m1")
        challenge(store, "m3", against="m1", shadow_images=9)

        with store.transaction() as unit:
            promote_by_hand(unit, "m1", actor="ann", reason="it serves already", now=NOW)
        assert standing(store)["m3"] == "challenger"
        with store.transaction() as unit:
            promote_by_hand(unit, "m2", actor="ann", reason="R8 likes it", now=NOW)

        assert standing(store) == {"m1": "retired", "m2": "champion", "m3": "rejected"}
        left_because = "m3 leaves the shadow: it was held against m1, and m2 serves now."
        with store.snapshot() as unit:
            left, event = unit.models.get("m3"), unit.records.events("model:m3")[-1]
        assert left.shadow_since is None
        assert left.gate is not None
        assert left.gate["shadow"] == {"passed": False, "reason": left_because}
        assert (event.actor, event.action, event.detail["why"]) == ("ann", "reject", left_because)

    def test_is_left_at_a_rollback(self, store: Store) -> None:
        challenge(store, "m1", Verdict.FIRST, against=None)
        challenge(store, "m2", against="m1")
        challenge(store, "m3", against="m2", shadow_images=9)

        assert step_back(store).name == "m1"

        assert standing(store) == {"m1": "champion", "m2": "rejected", "m3": "rejected"}

    def test_is_left_when_another_serves_at_once(self, store: Store) -> None:
        challenge(store, "m1", Verdict.FIRST, against=None)
        challenge(store, "m2", against="m1", shadow_images=9)

        challenge(store, "m3", against="m1", shadow_images=0)

        assert standing(store) == {"m1": "retired", "m2": "rejected", "m3": "champion"}


class TestPromoteByHand:
    def test_overrules_the_gate_and_names_who(self, store: Store) -> None:
        challenge(store, "m1", Verdict.FIRST, against=None)
        challenge(store, "m2", Verdict.WORSE, against="m1")

        with store.transaction() as unit:
            champion = promote_by_hand(unit, "m2", actor="ann", reason="R8 likes it", now=NOW)
            events = unit.records.events("model:m2")
            [service] = unit.model_history.service("m2")

        assert champion.name == "m2"
        assert standing(store) == {"m1": "retired", "m2": "champion"}
        assert [event.actor for event in events] == ["gate", "ann"]
        assert events[-1].detail["why"] == "R8 likes it"
        assert (service.actor, service.reason) == ("ann", "R8 likes it")

    def test_asks_for_a_reason(self, store: Store) -> None:
        challenge(store, "m1", Verdict.FIRST, against=None)

        with store.transaction() as unit, pytest.raises(ReasonMissingError):
            promote_by_hand(unit, "m1", actor="ann", reason=" ", now=NOW)

    def test_refuses_an_unknown_one(self, store: Store) -> None:
        with (
            store.transaction() as unit,
            pytest.raises(UnknownModelVersionError, match="none yet"),
        ):
            promote_by_hand(unit, "m9", actor="ann", reason="why not", now=NOW)


class TestRollBack:
    def test_goes_back_step_by_step_and_never_to_what_was_left(self, store: Store) -> None:
        for name, before in (("m1", None), ("m2", "m1"), ("m3", "m2")):
            challenge(store, name, against=before)

        assert step_back(store).name == "m2"
        assert standing(store) == {"m1": "retired", "m2": "champion", "m3": "rejected"}
        assert step_back(store).name == "m1"
        assert standing(store) == {"m1": "champion", "m2": "rejected", "m3": "rejected"}
        with pytest.raises(NoPreviousChampionError, match="overread models list"):
            step_back(store)
        assert standing(store)["m1"] == "champion"
