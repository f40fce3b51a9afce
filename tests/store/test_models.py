"""Model versions, training runs and predictions in the store."""

from dataclasses import replace
from datetime import timedelta
from math import inf, nan

import pytest
from sqlalchemy.exc import IntegrityError

from backend.domain.findings import Finding
from backend.domain.models import ModelState
from backend.domain.predictions import Prediction
from backend.store.models import UnknownModelVersionError
from backend.store.unit_of_work import Store
from tests.store.samples import LATER, NOW, image, model, predicted, register, serve


class TestModels:
    def test_come_back_as_they_went_in(self, store: Store) -> None:
        rejected = replace(model("m2"), state=ModelState.REJECTED, map40=0.25, report={"seed": 1})

        with store.transaction() as unit:
            unit.models.add(model("m1"))
            unit.models.add(rejected)

        with store.snapshot() as unit:
            assert unit.models.get("m2") == rejected
            assert unit.models.all() == [model("m1"), rejected]
            assert unit.models.champion() is None
            assert unit.models.previous_champion() is None

    def test_have_nothing_in_their_verdict_where_a_number_is_none(self, store: Store) -> None:
        verdict = {"challenger_map": nan, "checks": [{"p": (inf, 0.5)}], "look": 1}

        with store.transaction() as unit:
            unit.models.add(replace(model("m1"), gate=verdict))

        with store.snapshot() as unit:
            assert unit.models.get("m1").gate == {
                "challenger_map": None,
                "checks": [{"p": [None, 0.5]}],
                "look": 1,
            }

    def test_are_counted_on_around_taken_names(self, store: Store) -> None:
        with store.transaction() as unit:
            assert unit.models.next_name() == "m1"
            unit.models.add(model("m2"))
            assert unit.models.next_name() == "m3"

    def test_have_one_champion(self, store: Store) -> None:
        with store.transaction() as unit:
            for name in ("m1", "m2", "m3"):
                unit.models.add(model(name))
                unit.models.crown(name, now=NOW + timedelta(hours=int(name[1])))
            states = {one.name: one.state.value for one in unit.models.all()}
            previous = unit.models.previous_champion()

        assert states == {"m1": "retired", "m2": "retired", "m3": "champion"}
        assert previous is not None
        assert previous.name == "m2"

    def test_refuse_two_champions(self, store: Store) -> None:
        serve(store)

        with pytest.raises(IntegrityError), store.transaction() as unit:
            unit.models.add(replace(model("m2"), state=ModelState.CHAMPION))

    def test_keep_their_champion_when_an_unknown_one_is_crowned(self, store: Store) -> None:
        serve(store)

        with (
            store.transaction() as unit,
            pytest.raises(UnknownModelVersionError, match="no model version 'm7'; there are: m1"),
        ):
            unit.models.crown("m7", now=NOW)
        with store.snapshot() as unit:
            champion = unit.models.champion()
        assert champion is not None
        assert champion.name == "m1"

    def test_remember_their_training(self, store: Store) -> None:
        with pytest.raises(IntegrityError), store.transaction() as unit:
            unit.training_runs.begin_or_continue("d1", {"epochs": 3}, now=NOW)


class TestPredictions:
    def test_come_back_as_they_went_in(self, store: Store) -> None:
        register(store, image("a"), image("b"))
        both = Prediction("b", "m1", (predicted(0.1), predicted(0.9, Finding.ILD)))
        serve(store, both, Prediction("a", "m1", ()))

        with store.snapshot() as unit:
            found = unit.predictions.of_model("m1")
            one = unit.predictions.of_model("m1", [*(f"z{n}" for n in range(40_000)), "b"])
            assert unit.predictions.image_ids("m1") == {"a", "b"}
            assert unit.predictions.image_ids("m2") == set()
            assert unit.predictions.count() == 2

        assert list(found) == ["a", "b"]
        assert found["a"] == Prediction("a", "m1", ())
        assert [replace(box, id=None) for box in found["b"].boxes] == list(both.boxes)
        assert one == {"b": found["b"]}

    def test_are_made_once(self, store: Store) -> None:
        register(store, image("a"))
        serve(store, Prediction("a", "m1", ()))

        with pytest.raises(IntegrityError), store.transaction() as unit:
            unit.predictions.add([Prediction("a", "m1", ())], now=LATER)
