"""A challenger in the shadow, until enough was read."""

from dataclasses import replace
from datetime import timedelta
from typing import Any, cast

from backend.domain.boxes import Box
from backend.domain.findings import Finding
from backend.domain.models import ModelState
from backend.domain.predictions import PredictedBox, Prediction
from backend.domain.promotion.shadow import ShadowVerdict
from backend.store.unit_of_work import Store
from backend.workflow.settle_shadow import settle_shadow
from tests.store.samples import HERE, LATER, NOW, image, keep, mark, model, reading, register

AFTERWARDS = LATER + timedelta(hours=1)
WRONG = PredictedBox(Finding.ILD, Box(500, 500, 600, 600), 0.9)
RIGHT = PredictedBox(Finding.CARDIOMEGALY, HERE, 0.9)


def in_the_shadow(store: Store, *, champion: PredictedBox, challenger: PredictedBox) -> None:
    """Let m1 serve and m2 score in its shadow, on ten images."""
    ids = [f"i{number}" for number in range(10)]
    register(store, *map(image, ids))
    with store.transaction() as unit:
        for name in ("m1", "m2"):
            unit.models.add(model(name))
        unit.models.crown("m1", now=NOW)
        unit.model_history.enter_shadow("m2", LATER)
        for name, box in (("m1", champion), ("m2", challenger)):
            unit.predictions.add([Prediction(each, name, (box,)) for each in ids], now=NOW)


def read(store: Store, number: int) -> None:
    """Read so many images while m2 is in the shadow, all with a large heart."""
    keep(
        store,
        *(
            replace(reading(f"i{each}", "R1", mark()), read_at=AFTERWARDS)
            for each in range(number)
        ),
    )


def settle(store: Store, *, wanted: int = 5) -> ShadowVerdict | None:
    with store.transaction() as unit:
        return settle_shadow(unit, wanted=wanted, seed=1, now=AFTERWARDS)


def standing(store: Store) -> dict[str, str]:
    with store.snapshot() as unit:
        return {one.name: one.state.value for one in unit.models.all()}


class TestSettleShadow:
    def test_waits_until_enough_images_are_read(self, store: Store) -> None:
        in_the_shadow(store, champion=WRONG, challenger=RIGHT)
        read(store, 4)

        verdict = settle(store)

        assert verdict is not None
        assert (verdict.passed, verdict.images) == (None, 4)
        assert standing(store) == {"m1": "champion", "m2": "challenger"}
        with store.snapshot() as unit:
            kept = unit.models.get("m2").gate
        assert kept is not None
        assert kept["shadow"] == verdict.as_json()

    def test_does_not_count_what_was_read_before(self, store: Store) -> None:
        in_the_shadow(store, champion=WRONG, challenger=RIGHT)
        keep(store, *(reading(f"i{each}", "R1", mark()) for each in range(10)))

        verdict = settle(store)

        assert verdict is not None
        assert verdict.images == 0

    def test_lets_one_serve_whose_boxes_need_fewer_changes(self, store: Store) -> None:
        in_the_shadow(store, champion=WRONG, challenger=RIGHT)
        read(store, 6)

        verdict = settle(store)

        assert verdict is not None
        assert verdict.passed
        assert "0.00 boxes per image of m2, against 2.00 of m1" in verdict.reason
        assert standing(store) == {"m1": "retired", "m2": "champion"}
        with store.snapshot() as unit:
            assert unit.models.get("m2").shadow_since is None
            assert unit.model_history.service("m2")[0].actor == "gate"
            assert unit.records.events("model:m2")[-1].action == "promote"

    def test_turns_one_away_whose_boxes_need_more(self, store: Store) -> None:
        in_the_shadow(store, champion=RIGHT, challenger=WRONG)
        read(store, 6)

        settle(store)

        assert standing(store) == {"m1": "champion", "m2": ModelState.REJECTED.value}
        assert settle(store) is None
        with store.snapshot() as unit:
            kept, event = unit.models.get("m2").gate, unit.records.events("model:m2")[-1]
        assert kept is not None
        shadow = cast("dict[str, Any]", kept["shadow"])
        assert (shadow["passed"], shadow["images"]) == (False, 6)
        assert shadow["reason"].startswith("m1 stays: on 6 images")
        assert (event.action, event.detail["why"]) == ("reject", shadow["reason"])

    def test_ends_when_shadow_mode_is_switched_off(self, store: Store) -> None:
        in_the_shadow(store, champion=RIGHT, challenger=WRONG)

        settle(store, wanted=0)

        assert standing(store) == {"m1": "retired", "m2": "champion"}

    def test_has_nothing_to_do_without_a_challenger(self, store: Store) -> None:
        assert settle(store) is None
