"""Two readers first; a further one where they leave an image uncertain."""

from collections import Counter
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial

import numpy as np
import pytest

from backend.domain.acquisition.batch import Channel, Choice
from backend.domain.acquisition.reordering import ENOUGH_READERS
from backend.domain.acquisition.reservation import KEPT_FOR_A_RETURN, NOBODY_STARTED
from backend.domain.findings import Finding
from backend.domain.predictions import Prediction
from backend.domain.worklists import EntryState, WorklistEntry
from backend.store.unit_of_work import Store
from backend.workflow.plan_worklists import QueueRules
from backend.workflow.reach_consensus import reach_consensus
from backend.workflow.reorder_worklists import reorder_worklists
from backend.workflow.set_duties import set_away
from backend.workflow.top_up_worklists import top_up_worklists
from tests.store.samples import (
    NOW,
    enrol,
    entry,
    image,
    keep,
    mark,
    predicted,
    reading,
    register,
    serve,
)
from tests.workflow.label_studio_model import LabelStudioModel
from tests.workflow.test_reorder_worklists import Night

RULES = QueueRules(3, 40, 0.0, 0.0, 7, adaptive_panels=True)
NAMES = [f"n{number:02d}" for number in range(12)]
READERS = ("R1", "R2", "R3")
LONG_AFTER = NOW + timedelta(days=15)


def fill(
    store: Store, rules: QueueRules = RULES, *, now: datetime = NOW, size: int | None = None
) -> list[WorklistEntry]:
    return list(top_up_worklists(store, rules, clock=lambda: now, size=size).entries)


def read(store: Store, *readings: tuple[str, str, bool]) -> None:
    """Keep readings by image, reader, and whether the reader marks something."""
    keep(
        store, *(reading(name, who, *([mark()] if marks else [])) for name, who, marks in readings)
    )
    with store.transaction() as unit:
        reach_consensus(unit, {name for name, *_ in readings}, now=NOW)


@pytest.fixture
def pool(store: Store) -> Store:
    """Keep twelve images that the model is sure of, and three readers."""
    register(store, *map(image, NAMES))
    enrol(store, *READERS)
    serve(store, *(Prediction(name, "m1", (predicted(0.97),)) for name in NAMES))
    return store


class TestAdaptivePanels:
    def test_start_with_two_readers(self, pool: Store) -> None:
        entries = fill(pool)

        assert Counter(one.image_id for one in entries) == dict.fromkeys(NAMES, 2)
        assert Counter(one.reader_id for one in entries) == dict.fromkeys(READERS, 8)

    def test_ask_a_third_where_the_two_disagree(self, pool: Store) -> None:
        read(pool, ("n00", "R1", True), ("n00", "R2", False))
        read(pool, ("n01", "R1", True), ("n01", "R2", True))
        read(pool, ("n02", "R1", False), ("n02", "R2", False))

        entries = fill(pool)

        asked = {
            name: [one for one in entries if one.image_id == name]
            for name in ("n00", "n01", "n02")
        }
        [third] = asked["n00"]
        assert (third.reader_id, third.channel) == ("R3", "re-read")
        assert (
            third.reason
            == "Its readers dispute Cardiomegaly; a further reading helps to settle it."
        )
        assert asked["n01"] == asked["n02"] == []

    def test_ask_no_fourth(self, pool: Store) -> None:
        with pool.transaction() as unit:
            unit.readers.ensure(["R4"], now=NOW)
        enrol(pool, *READERS, "R4")
        read(pool, ("n00", "R1", True), ("n00", "R2", False), ("n00", "R3", False))

        assert "n00" not in {one.image_id for one in fill(pool)}

    def test_ask_a_third_only_once(self, pool: Store) -> None:
        read(pool, ("n00", "R1", True), ("n00", "R2", False))

        first, again = fill(pool), fill(pool)

        assert Counter(one.image_id for one in first)["n00"] == 1
        assert again == []

    def test_give_what_is_drawn_at_random_to_the_whole_panel(self, pool: Store) -> None:
        entries = fill(pool, replace(RULES, random_share=0.25))

        number = Counter((one.channel, one.image_id) for one in entries)
        assert Counter(number.values()) == {3: 3, 2: 9}
        assert {name for (channel, name), panel in number.items() if panel == 3} == {
            name for channel, name in number if channel == "random"
        }

    def test_are_not_for_a_manager_who_wants_fixed_ones(self, pool: Store) -> None:
        read(pool, ("n01", "R1", True), ("n01", "R2", True))

        entries = fill(pool, replace(RULES, adaptive_panels=False))

        assert Counter(one.image_id for one in entries)["n01"] == 1
        assert Counter(one.image_id for one in entries)["n02"] == 3

    def test_prefer_a_dispute_to_an_image_that_the_model_is_sure_of(self, pool: Store) -> None:
        read(pool, *((name, who, who == "R1") for name in NAMES[:4] for who in ("R1", "R2")))

        entries = fill(pool, size=4)

        assert sum(one.channel == "re-read" for one in entries) == 2  # half of them at most

    def test_prefer_an_image_that_the_model_is_unsure_of(self, pool: Store) -> None:
        unsure = [f"u{number}" for number in range(4)]
        register(pool, *map(image, unsure))
        with pool.transaction() as unit:
            unit.predictions.add(
                [
                    Prediction(
                        name, "m1", tuple(predicted(0.5, finding) for finding in list(Finding)[:6])
                    )
                    for name in unsure
                ],
                now=NOW,
            )
        read(pool, ("n00", "R1", True), ("n00", "R2", False))

        assert {one.image_id for one in fill(pool, size=4)} == set(unsure)


class TestReservation:
    def test_lapses_and_the_image_goes_to_others(self, pool: Store) -> None:
        with pool.transaction() as unit:
            unit.worklists.add([entry("n00", "R1"), entry("n00", "R2")], now=NOW)

        assert "n00" not in {one.image_id for one in fill(pool, now=NOW + timedelta(days=13))}
        with pool.transaction() as unit:
            for one in unit.worklists.all():
                if one.image_id != "n00":
                    unit.worklists.set_state(one.key, EntryState.SKIPPED, now=LONG_AFTER)

        late = [one for one in fill(pool, now=LONG_AFTER) if one.image_id == "n00"]
        assert [one.reader_id for one in late] == ["R3"]

    def test_gives_nothing_to_a_reader_who_has_stopped(self, pool: Store) -> None:
        with pool.transaction() as unit:
            unit.worklists.add([entry(name, "R1") for name in NAMES[:3]], now=NOW)

        entries = fill(pool, now=LONG_AFTER)

        assert Counter(one.reader_id for one in entries) == {"R2": 12, "R3": 12}

    def test_gives_nothing_to_a_reader_who_is_away(self, pool: Store) -> None:
        more = [f"m{number:02d}" for number in range(12)]
        register(pool, *map(image, more))
        with pool.transaction() as unit:
            unit.duties.set_away("R2", NOW + timedelta(days=2))
        assert {one.reader_id for one in fill(pool, size=12)} == {"R1", "R3"}

        later = fill(pool, now=NOW + timedelta(days=3))

        assert {one.reader_id for one in later} == set(READERS)

    @pytest.mark.parametrize("is_told", [True, False])
    def test_gives_images_to_a_reader_after_a_long_absence(
        self, pool: Store, *, is_told: bool
    ) -> None:
        keep(pool, reading("n11", "R1"))
        with pool.transaction() as unit:
            unit.worklists.add([entry("n11", "R1"), entry("n00", "R1")], now=NOW)
            [first, _] = unit.worklists.all()
            unit.worklists.set_state(first.key, EntryState.READ, now=NOW)
            back = NOW + timedelta(days=365) if is_told else LONG_AFTER
            set_away(unit, ["R1"], back, now=NOW)
        if is_told:
            with pool.transaction() as unit:
                set_away(unit, ["R1"], None, now=LONG_AFTER)

        assert "R1" in {one.reader_id for one in fill(pool, now=LONG_AFTER)}

    def test_goes_on_when_the_reader_comes_back(self, pool: Store) -> None:
        with pool.transaction() as unit:
            unit.worklists.add([entry("n00", "R1"), entry("n01", "R1")], now=NOW)
            [first, _] = unit.worklists.all()
            unit.worklists.set_state(first.key, EntryState.READ, now=LONG_AFTER)

        assert "R1" in {one.reader_id for one in fill(pool, now=LONG_AFTER)}


class TestReorderWorklists:
    @pytest.fixture
    def night(self, pool: Store) -> Night:
        register(pool, *(image(f"m{number:02d}") for number in range(12)))
        night = Night(pool, LabelStudioModel("r1@example.org"))
        with pool.transaction() as unit:
            names = [*NAMES, *(f"m{number:02d}" for number in range(12))]
            unit.worklists.add(
                [entry(name, "R1", rank=place) for place, name in enumerate(names, start=1)],
                now=NOW,
            )
        night.push()
        return night

    def withdrawn(self, night: Night) -> dict[str, str]:
        with night.store.snapshot() as unit:
            return {
                one.subject: str(one.detail["reason"])
                for one in unit.records.events()
                if one.action == "take off the worklist"
            }

    def test_leaves_a_reader_who_has_stopped_a_few_to_go_on_with(self, night: Night) -> None:
        report = reorder_worklists(night.store, night.desk, RULES, clock=lambda: LONG_AFTER)

        assert report.withdrawn == 24 - KEPT_FOR_A_RETURN
        assert set(self.withdrawn(night).values()) == {NOBODY_STARTED}
        assert len(night.order()) == KEPT_FOR_A_RETURN

    def test_goes_on_giving_nothing_to_a_reader_whose_images_others_have_read(
        self, night: Night
    ) -> None:
        with night.store.snapshot() as unit:
            names = {one.image_id for one in unit.worklists.all()}
        read(night.store, *((name, who, True) for name in names for who in ("R2", "R3")))

        for days in range(15, 18):
            clock = partial(NOW.__add__, timedelta(days=days))
            reorder_worklists(night.store, night.desk, RULES, clock=clock)

        assert len(night.order()) == KEPT_FOR_A_RETURN
        register(night.store, image("new"))
        assert {one.reader_id for one in fill(night.store, now=NOW + timedelta(days=18))} == {
            "R2",
            "R3",
        }

    def test_releases_what_a_slow_reader_did_not_start(self, night: Night) -> None:
        with night.store.transaction() as unit:
            [first, *_] = unit.worklists.all()
            unit.worklists.set_state(first.key, EntryState.READ, now=LONG_AFTER)
            unit.worklists.add([entry("n00", "R2", rank=99)], now=LONG_AFTER)

        report = reorder_worklists(night.store, night.desk, RULES, clock=lambda: LONG_AFTER)

        # The head of the list may be open on a screen.
        assert report.withdrawn == 22
        assert night.order() == ["n01", "n00"]

    def test_takes_a_third_reader_off_whom_nobody_needs(self, night: Night) -> None:
        read(night.store, ("n05", "R2", True), ("n05", "R3", True))
        read(night.store, ("n06", "R2", True), ("n06", "R3", False))
        with night.store.transaction() as unit:
            asked = [one for one in unit.worklists.all() if one.image_id in {"n05", "n06"}]
            unit.worklists.explain(
                {
                    one.key: Choice(one.image_id, one.rank, 0.4, Channel.REREAD, one.reason)
                    for one in asked
                }
            )

        reorder_worklists(night.store, night.desk, RULES, clock=lambda: NOW)

        assert self.withdrawn(night) == {"image:n05": ENOUGH_READERS}


class TestAWholeProject:
    def test_ends_with_two_readers_where_they_agree_and_three_where_they_do_not(
        self, store: Store
    ) -> None:
        names = [f"n{number:02d}" for number in range(16)]
        register(store, *map(image, names))
        enrol(store, "R1", "R2", "R3", "R4")
        serve(store, *(Prediction(name, "m1", (predicted(0.6),)) for name in names))
        rng = np.random.default_rng(5)
        rules = replace(RULES, worklist_size=3, random_share=0.0)

        nights = 0
        while entries := fill(store, rules):
            nights += 1
            assert nights < 40
            read(store, *((e.image_id, e.reader_id, bool(rng.random() < 0.5)) for e in entries))
            with store.transaction() as unit:
                for one in unit.worklists.all(state=EntryState.OPEN):
                    unit.worklists.set_state(one.key, EntryState.READ, now=NOW)

        with store.snapshot() as unit:
            readers = unit.images.readers_by_image()
            answers = unit.consensus.current()
        panels = [len(readers[name]) for name in names]
        assert set(panels) == {2, 3}
        for name, panel in zip(names, panels, strict=True):
            marks = sum(len(one.supporters) for one in answers[name][1].clusters)
            assert panel == 3 or marks in {0, 2}, "two readers who disagree are not enough"
        load = Counter(who for panel in readers.values() for who in panel)
        assert max(load.values()) - min(load.values()) <= 2
