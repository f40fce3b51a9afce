"""Readings in the store: revisions are added, never changed."""

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy.exc import IntegrityError

from backend.domain.boxes import Box
from backend.domain.findings import Finding
from backend.domain.predictions import Prediction
from backend.domain.readings import Arm, Certainty, Origin, ReadBox, Reading, ReadingKind
from backend.store.readings import KeptReading, Receipt
from backend.store.unit_of_work import Store
from tests.store.samples import (
    HERE,
    LATER,
    NOW,
    THERE,
    image,
    keep,
    mark,
    model,
    predicted,
    register,
)
from tests.store.samples import reading as read

EDGES = st.floats(0, 500, allow_nan=False)
BOXES = st.builds(
    lambda left, top, width, height, finding: ReadBox(
        finding, Box(left, top, left + width, top + height)
    ),
    EDGES,
    EDGES,
    st.floats(0.5, 400),
    st.floats(0.5, 400),
    st.sampled_from(Finding),
)


def without_keys(reading: Reading) -> Reading:
    def bare(boxes: tuple[ReadBox, ...]) -> tuple[ReadBox, ...]:
        return tuple(replace(box, id=None) for box in boxes)

    return replace(reading, id=None, boxes=bare(reading.boxes), deleted=bare(reading.deleted))


def only(store: Store) -> KeptReading:
    with store.snapshot() as unit:
        kept = unit.readings.current("a", "R1")
    assert kept is not None
    return kept


class TestReadings:
    def test_come_back_as_they_went_in(self, store: Store) -> None:
        register(store, image("a"))
        with store.transaction() as unit:
            unit.models.add(model())
            unit.predictions.add([Prediction("a", "m1", (predicted(), predicted()))], now=NOW)
            shown = [box.id for box in unit.predictions.of_model("m1")["a"].boxes]
        full = Reading(
            image_id="a",
            reader_id="R1",
            boxes=(
                ReadBox(Finding.ILD, HERE, Certainty.POSSIBLE, Origin.ADJUSTED, shown[0]),
                ReadBox(Finding.NODULE_MASS, THERE),
            ),
            deleted=(ReadBox(Finding.ILD, THERE, None, Origin.DELETED, shown[1]),),
            read_at=NOW,
            round=2,
            arm=Arm.ASSISTED,
            model_version="m1",
            lead_time_seconds=12.5,
        )
        receipt = Receipt(LATER, 17, NOW, "quarantined", "odd", ({"id": "x"}, 3, None))

        with store.transaction() as unit:
            unit.readings.add([full], receipt)
            kept = unit.readings.current("a", "R1", 2)

        assert kept is not None
        assert without_keys(kept.reading) == full
        assert kept.receipt == receipt

    @given(boxes=st.lists(BOXES, max_size=6))
    @settings(
        max_examples=15,
        deadline=None,
        suppress_health_check=[HealthCheck.function_scoped_fixture],
    )
    def test_keep_every_bit_of_a_box(self, store: Store, boxes: list[ReadBox]) -> None:
        with store.snapshot() as unit:
            is_new = not unit.images.count()
        if is_new:
            register(store, image("a"))

        with store.transaction() as unit:
            unit.readings.revise(read("a", "R1", *boxes), Receipt(NOW))

        assert without_keys(only(store).reading).boxes == tuple(boxes)

    def test_never_overwrite_a_revision(self, store: Store) -> None:
        register(store, image("a"))
        first, second = read("a", "R1", mark(HERE)), read("a", "R1", mark(THERE))

        with store.transaction() as unit:
            revisions = [unit.readings.revise(one, Receipt(NOW)) for one in (first, second)]
            kept = unit.readings.revisions("a", "R1")

        assert revisions == [1, 2]
        assert [without_keys(one.reading) for one in kept] == [first, replace(second, revision=2)]
        assert without_keys(only(store).reading) == replace(second, revision=2)

    def test_refuse_a_second_current_one(self, store: Store) -> None:
        register(store, image("a"))
        keep(store, read("a", "R1"))

        with pytest.raises(IntegrityError):
            keep(store, replace(read("a", "R1"), revision=2))

    def test_refuse_the_same_revision_twice(self, store: Store) -> None:
        register(store, image("a"))
        keep(store, read("a", "R1"))

        with pytest.raises(IntegrityError):
            keep(store, read("a", "R1"))

    def test_refuse_an_unknown_image(self, store: Store) -> None:
        register(store, image("a"))

        with pytest.raises(IntegrityError):
            keep(store, read("b", "R1"))

    def test_count_only_when_they_are_valid(self, store: Store) -> None:
        register(store, image("a"), image("b"), image("c"))
        keep(store, read("c", "R2"), read("c", "R1"), read("a", "R1"))
        with store.transaction() as unit:
            unit.readings.add([read("b", "R1")], Receipt(NOW, 5, NOW, "quarantined", "odd"))
            unit.readings.revise(read("a", "R1"), Receipt(NOW, 6, NOW, "withdrawn", "deleted"))

        with store.snapshot() as unit:
            valid = [(one.image_id, one.reader_id) for one in unit.readings.valid()]
            many = unit.readings.valid([*(f"z{number}" for number in range(40_000)), "a", "c"])
            none = unit.readings.valid([])
            first = unit.readings.first_round(["a", "b"])
            counts = unit.readings.counts()

        assert valid == [("c", "R1"), ("c", "R2")]
        assert [one.reader_id for one in many] == ["R1", "R2"]
        assert none == []
        assert {key: kept.receipt.state for key, kept in first.items()} == {
            ("a", "R1"): "withdrawn",
            ("b", "R1"): "quarantined",
        }
        assert counts == {"valid": 2, "quarantined": 1, "withdrawn": 1}

    def test_keep_times_in_utc(self, store: Store) -> None:
        register(store, image("a"))
        moment = NOW.astimezone().astimezone(tz=None) + timedelta(microseconds=1)
        keep(store, replace(read("a", "R1"), read_at=moment))

        found = only(store).reading.read_at

        assert found == moment
        assert found.utcoffset() == timedelta(0)

    def test_know_the_lead_times_of_first_readings_alone(self, store: Store) -> None:
        register(store, image("a"), image("b"))
        first = [
            replace(read("a", "R1"), lead_time_seconds=60.0),
            replace(read("b", "R1"), lead_time_seconds=50.0, read_at=LATER),
        ]
        again = replace(first[0], kind=ReadingKind.SECOND_LOOK, round=2, lead_time_seconds=5.0)
        keep(store, *first, again)

        with store.snapshot() as unit:
            assert unit.readings.lead_times("R1") == [60.0, 50.0]
