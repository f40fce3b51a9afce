"""What waits follows the queue: other scores move it, readings by others take it off."""

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import cast

import pytest

from backend.domain.acquisition.reordering import ENOUGH_READERS
from backend.domain.predictions import Prediction
from backend.domain.readings import Arm
from backend.domain.worklists import EntryKind, EntryState, WorklistEntry
from backend.label_studio.client import LabelStudioClient
from backend.store.unit_of_work import Store
from backend.workflow.job_lease import hold_sync_lease
from backend.workflow.label_studio_desk import LabelStudioDesk
from backend.workflow.plan_worklists import QueueRules
from backend.workflow.push_worklists import push_worklist
from backend.workflow.reorder_worklists import ReorderReport, reorder_worklists
from backend.workflow.top_up_worklists import top_up_worklists
from tests.store.samples import (
    LATER,
    NOW,
    enrol,
    entry,
    image,
    keep,
    model,
    predicted,
    reading,
    register,
    serve,
)
from tests.workflow.label_studio_model import LabelStudioModel

NAMES = [f"n{number}" for number in range(5)]
RULES = QueueRules(1, 5, 0.0, 0.0, 1)
NOTHING = ReorderReport(0, 0, ())


@dataclass
class Night:
    """A store with five pushed entries of R1, n0 to n4, the model least sure of n0."""

    store: Store
    room: LabelStudioModel

    @property
    def desk(self) -> LabelStudioDesk:
        return LabelStudioDesk(
            lambda _: cast(LabelStudioClient, self.room), "http://b", "secret", timedelta(days=9)
        )

    def push(self) -> None:
        with self.store.snapshot() as unit:
            project = unit.readers.project_of("R1")
        push_worklist(self.store, self.desk, project, now=NOW)

    def reorder(self, rules: QueueRules = RULES) -> ReorderReport:
        return reorder_worklists(self.store, self.desk, rules, clock=lambda: LATER)

    def crown_another(self) -> None:
        """Make m2 champion, which is least sure of n4."""
        with self.store.transaction() as unit:
            unit.models.add(model("m2"))
            unit.models.crown("m2", now=LATER)
            answers = [
                Prediction(name, "m2", (predicted(0.9 - number / 10),))
                for number, name in enumerate(NAMES)
            ]
            unit.predictions.add(answers, now=LATER)

    def open_entries(self) -> list[WorklistEntry]:
        with self.store.snapshot() as unit:
            return unit.worklists.all(state=EntryState.OPEN)

    def order(self) -> list[str]:
        return [one.image_id for one in self.open_entries()]


@pytest.fixture
def night(store: Store) -> Night:
    register(store, *(image(name) for name in NAMES))
    enrol(store, "R1")
    serve(
        store,
        *(
            Prediction(name, "m1", (predicted(0.5 + number / 10),))
            for number, name in enumerate(NAMES)
        ),
    )
    top_up_worklists(store, RULES, clock=lambda: NOW)
    night = Night(store, LabelStudioModel("r1@example.org"))
    night.push()
    return night


class TestReorderWorklists:
    def test_follows_the_champion_behind_what_is_open(self, night: Night) -> None:
        assert night.order() == NAMES
        before = {one.image_id: one for one in night.open_entries()}
        night.crown_another()

        report = night.reorder()

        assert report == ReorderReport(reordered=4, withdrawn=0, problems=())
        assert night.order() == ["n0", "n4", "n3", "n2", "n1"]
        after = {one.image_id: one for one in night.open_entries()}
        assert [after[name].score > before[name].score for name in NAMES] == [
            False,
            False,
            False,
            True,
            True,
        ]
        assert after["n4"].reason == (
            "Among the images that the model is least sure of: Cardiomegaly 0.50."
        )
        assert {(one.arm, one.model_version) for one in after.values()} == {(Arm.ASSISTED, "m1")}

    def test_changes_nothing_twice(self, night: Night) -> None:
        before = night.open_entries()
        assert night.reorder() == NOTHING
        assert night.open_entries() == before
        night.crown_another()
        night.reorder()

        assert night.reorder() == NOTHING

    def test_mixes_what_was_added_with_what_was_there(self, night: Night) -> None:
        register(night.store, image("new"))
        with night.store.transaction() as unit:
            unit.predictions.add([Prediction("new", "m1", (predicted(0.55),))], now=NOW)
        top_up_worklists(night.store, replace(RULES, worklist_size=6), clock=lambda: NOW)
        assert night.order()[-1] == "new"

        night.reorder()

        assert night.order() == ["n0", "new", "n1", "n2", "n3", "n4"]

    def test_takes_off_what_others_have_read(self, night: Night) -> None:
        keep(night.store, reading("n2", "R2"))

        report = night.reorder()

        assert report == ReorderReport(reordered=0, withdrawn=1, problems=())
        assert night.order() == ["n0", "n1", "n3", "n4"]
        assert night.room.not_served == {3}
        with night.store.snapshot() as unit:
            [noted] = [
                one for one in unit.records.events() if one.action == "take off the worklist"
            ]
        assert (noted.subject, noted.detail) == (
            "image:n2",
            {"reader": "R1", "reason": ENOUGH_READERS},
        )

    def test_leaves_alone_what_is_being_read(self, night: Night) -> None:
        keep(night.store, reading("n0", "R2"), reading("n3", "R2"))
        night.room.drafted = {4}

        assert night.reorder() == ReorderReport(reordered=3, withdrawn=0, problems=())
        assert night.order() == ["n0", "n3", "n1", "n2", "n4"]

    def test_keeps_the_places_of_gold_and_random_entries(self, night: Night) -> None:
        register(night.store, image("gold"), image("random"))
        with night.store.transaction() as unit:
            last = night.open_entries()[-1]
            unit.worklists.place({last.key: 9})
            gold = replace(entry("gold", rank=6), channel="gold", kind=EntryKind.GOLD)
            unit.worklists.add([gold, replace(entry("random", rank=7), channel="random")], now=NOW)
        night.crown_another()
        keep(night.store, reading("gold", "R2"), reading("random", "R2"))

        night.reorder()

        assert night.order() == ["n0", "n4", "n3", "n2", "gold", "random", "n1"]

    def test_tells_whose_worklist_stayed_as_it_was(self, night: Night) -> None:
        keep(night.store, reading("n2", "R2"))
        night.room.is_down = True

        report = night.reorder()

        assert report.problems == ("R1: Label Studio is down",)
        assert night.order() == NAMES

    def test_keeps_out_of_the_way_of_a_sync(
        self, night: Night, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        keep(night.store, reading("n2", "R2"))
        monkeypatch.setattr("backend.workflow.job_lease._WAIT_FOR_SYNC_SECONDS", 0.0)
        with hold_sync_lease(night.store, "R1", clock=lambda: LATER):
            report = night.reorder()

        assert len(report.problems) == 1
        assert night.order() == NAMES
