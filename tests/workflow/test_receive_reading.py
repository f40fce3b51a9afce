"""What a reader did in Label Studio, taken into the store."""

import itertools
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from backend.domain.boxes import Box
from backend.domain.findings import Finding
from backend.domain.predictions import Prediction
from backend.domain.readings import Arm, Origin
from backend.domain.worklists import EntryState, Skip, SkipReason
from backend.label_studio import regions
from backend.label_studio.tasks import AnnotationState, TaskState
from backend.store.readings import KeptReading
from backend.store.unit_of_work import Store
from backend.workflow.receive_reading import Received, receive_reading
from tests.store.samples import HERE, LATER, NOW, enrol, entry, image, predicted, register, serve
from tests.workflow.samples import (
    CONTRADICTION,
    MALFORMED,
    NO_FINDING,
    ONE_BOX,
    TASK,
    TWO_BOXES,
    annotation,
    at,
    task,
)


@dataclass
class Desk:
    """One entry of R1 for image a, and what the store makes of its task."""

    store: Store
    entry: int

    def receive(self, state: TaskState, reader_id: str = "R1") -> Received:
        with self.store.transaction() as unit:
            return receive_reading(unit, state, reader_id, now=LATER)

    def reading(self) -> KeptReading | None:
        with self.store.snapshot() as unit:
            return unit.readings.current("a", "R1")

    def kept(self) -> KeptReading:
        found = self.reading()
        assert found is not None
        return found

    def entry_state(self) -> EntryState:
        with self.store.snapshot() as unit:
            found = unit.worklists.get(self.entry)
        assert found is not None
        return found.state

    def boxes(self) -> list[tuple[Finding, Box]]:
        return [(box.finding, box.box) for box in self.kept().reading.boxes]

    def skip(self) -> Skip | None:
        with self.store.snapshot() as unit:
            found = unit.worklists.get(self.entry)
        assert found is not None
        return found.skip

    def details(self) -> str:
        with self.store.snapshot() as unit:
            return str(unit.records.events("image:a"))

    def actions(self) -> list[str]:
        with self.store.snapshot() as unit:
            return [event.action for event in unit.records.events("image:a")]


@pytest.fixture
def desk(store: Store) -> Desk:
    register(store, image("a"))
    with store.transaction() as unit:
        unit.worklists.add([entry("a")], now=NOW)
        [added] = unit.worklists.all()
        unit.worklists.record_tasks([(added.key, TASK)], link_expires_at=LATER)
    return Desk(store, added.key)


class TestReceiveReading:
    def test_keeps_a_new_reading(self, desk: Desk) -> None:
        assert desk.receive(task(desk.entry, 1, annotation(ONE_BOX, 1))) is Received.NEW

        kept = desk.kept()
        [(finding, box)] = desk.boxes()
        assert finding is Finding.CARDIOMEGALY
        assert box == pytest.approx(HERE)
        assert (kept.reading.revision, kept.reading.lead_time_seconds) == (1, 30.0)
        assert (kept.receipt.annotation_id, kept.receipt.state) == (1, "valid")
        assert desk.entry_state() is EntryState.READ
        assert desk.actions() == ["read"]

    def test_keeps_no_finding_as_a_reading_without_boxes(self, desk: Desk) -> None:
        assert desk.receive(task(desk.entry, 1, annotation(NO_FINDING, 1))) is Received.NEW
        assert desk.boxes() == []
        assert desk.kept().receipt.state == "valid"

    def test_takes_the_same_state_once(self, desk: Desk) -> None:
        state = task(desk.entry, 1, annotation(ONE_BOX, 1))
        desk.receive(state)

        assert desk.receive(state) is Received.UNCHANGED
        assert desk.kept().reading.revision == 1

    def test_adds_a_change_as_a_revision(self, desk: Desk) -> None:
        desk.receive(task(desk.entry, 1, annotation(ONE_BOX, 1)))

        state = task(desk.entry, 2, annotation(TWO_BOXES, 2))
        assert desk.receive(state) is Received.REVISED
        assert len(desk.boxes()) == 2
        with desk.store.snapshot() as unit:
            kept = unit.readings.revisions("a", "R1")
        assert [len(one.reading.boxes) for one in kept] == [1, 2]

    def test_withdraws_what_the_reader_deleted(self, desk: Desk) -> None:
        desk.receive(task(desk.entry, 1, annotation(ONE_BOX, 1)))

        assert desk.receive(task(desk.entry, 2)) is Received.WITHDRAWN
        assert desk.receive(task(desk.entry, 2)) is Received.UNCHANGED
        kept = desk.kept()
        assert (kept.reading.revision, kept.receipt.state) == (2, "withdrawn")
        assert "deleted the annotation" in str(kept.receipt.reason)
        assert len(desk.boxes()) == 1
        assert desk.entry_state() is EntryState.OPEN
        assert desk.receive(task(desk.entry, 3, annotation(ONE_BOX, 3, key=2))) is Received.REVISED
        assert desk.entry_state() is EntryState.READ

    def test_goes_back_to_the_older_annotation_when_the_newer_is_deleted(self, desk: Desk) -> None:
        older, newer = annotation(ONE_BOX, 1), annotation(TWO_BOXES, 2, key=2)
        desk.receive(task(desk.entry, 2, older, newer))

        assert desk.receive(task(desk.entry, 3, older)) is Received.REVISED
        assert len(desk.boxes()) == 1

    def test_notes_a_skip_and_its_end(self, desk: Desk) -> None:
        skip = annotation((), 1, was_cancelled=True)

        assert desk.receive(task(desk.entry, 1, skip)) is Received.SKIPPED
        assert desk.receive(task(desk.entry, 1, skip)) is Received.UNCHANGED
        assert desk.entry_state() is EntryState.SKIPPED
        assert desk.reading() is None
        assert desk.receive(task(desk.entry, 2)) is Received.REOPENED
        assert desk.entry_state() is EntryState.OPEN
        assert desk.actions() == ["skip", "reopen"]

    @pytest.mark.parametrize("was_cancelled", [True, False], ids=["skipped", "submitted"])
    def test_keeps_why_an_image_cannot_be_read(
        self, desk: Desk, caplog: pytest.LogCaptureFixture, *, was_cancelled: bool
    ) -> None:
        untouched = {**ONE_BOX[0], "origin": "prediction"}
        poor = regions.unreadable_item(SkipReason.TOO_POOR_TO_JUDGE)
        result = (untouched, poor, regions.note_item("moved\nwhile breathing"))
        first = annotation(result, 1, was_cancelled=was_cancelled)

        assert desk.receive(task(desk.entry, 1, first)) is Received.SKIPPED
        assert desk.skip() == Skip(SkipReason.TOO_POOR_TO_JUDGE, "moved while breathing")
        assert desk.reading() is None
        assert "breathing" not in caplog.text
        assert "breathing" not in desk.details()

        other = (regions.unreadable_item(SkipReason.OTHER),)
        changed = annotation(other, 2, was_cancelled=was_cancelled)
        desk.receive(task(desk.entry, 2, changed))
        assert desk.skip() == Skip(SkipReason.OTHER)

        read = task(desk.entry, 3, annotation(ONE_BOX, 3))
        assert desk.receive(read) is Received.NEW
        assert desk.skip() is None

    def test_quarantines_a_reason_beside_the_readers_own_box(self, desk: Desk) -> None:
        result = (*ONE_BOX, regions.unreadable_item(SkipReason.OTHER))

        assert desk.receive(task(desk.entry, 1, annotation(result, 1))) is Received.QUARANTINED
        assert "Cannot be read" in str(desk.kept().receipt.reason)
        assert len(desk.boxes()) == 1

    def test_keeps_the_note_with_the_revision_that_it_was_written_in(self, desk: Desk) -> None:
        noted = (*ONE_BOX, regions.note_item("first"))
        desk.receive(task(desk.entry, 1, annotation(noted, 1)))
        desk.receive(task(desk.entry, 2, annotation(TWO_BOXES, 2)))

        with desk.store.snapshot() as unit:
            kept = unit.readings.revisions("a", "R1")
        assert [one.reading.note for one in kept] == ["first", None]

    def test_withdraws_a_reading_that_is_skipped_afterwards(self, desk: Desk) -> None:
        desk.receive(task(desk.entry, 1, annotation(ONE_BOX, 1)))

        skipped = task(desk.entry, 2, annotation(ONE_BOX, 2, was_cancelled=True))
        assert desk.receive(skipped) is Received.WITHDRAWN
        assert "skipped the image" in str(desk.kept().receipt.reason)
        assert desk.entry_state() is EntryState.SKIPPED

    @pytest.mark.parametrize("result", [MALFORMED, CONTRADICTION, (), ("odd",), ({"id": 1},)])
    def test_quarantines_what_it_cannot_use_and_loses_nothing(
        self, desk: Desk, result: tuple[Any, ...]
    ) -> None:
        state = task(desk.entry, 1, annotation(result, 1))

        assert desk.receive(state) is Received.QUARANTINED
        assert desk.receive(state) is Received.UNCHANGED
        kept = desk.kept()
        assert kept.receipt.state == "quarantined"
        assert kept.receipt.reason
        assert kept.receipt.submitted == result or len(kept.reading.boxes) == len(result[:1])
        with desk.store.snapshot() as unit:
            assert unit.readings.valid() == []
        assert desk.receive(task(desk.entry, 2, annotation(ONE_BOX, 2))) is Received.REVISED
        assert desk.kept().receipt.state == "valid"

    def test_leaves_foreign_tasks_alone(self, desk: Desk) -> None:
        made = annotation(ONE_BOX, 1)

        assert desk.receive(task(None, 1, made)) is Received.FOREIGN
        assert desk.receive(task(desk.entry + 1, 1, made)) is Received.FOREIGN
        assert desk.receive(task(desk.entry, 1, made), "R2") is Received.FOREIGN
        assert desk.reading() is None

    def test_ignores_an_old_state_after_a_new_one(self, desk: Desk) -> None:
        desk.receive(task(desk.entry, 2))

        assert desk.receive(task(desk.entry, 1, annotation(ONE_BOX, 1))) is Received.OUTDATED
        assert desk.reading() is None
        assert desk.entry_state() is EntryState.OPEN

    def test_drops_a_lead_time_that_cannot_be(self, desk: Desk) -> None:
        desk.receive(task(desk.entry, 1, annotation(ONE_BOX, 1, lead_time_seconds=-5.0)))

        assert desk.kept().reading.lead_time_seconds is None

    def test_loses_nothing_that_was_read_in_a_second_task(self, desk: Desk) -> None:
        twin = {"task_id": TASK + 1}
        assert desk.receive(task(desk.entry, 5, **twin)) is Received.UNCHANGED
        desk.receive(task(desk.entry, 9))

        state = task(desk.entry, 8, annotation(ONE_BOX, 8), **twin)
        assert desk.receive(state) is Received.NEW
        assert desk.receive(task(desk.entry, 10)) is Received.UNCHANGED
        assert desk.receive(state) is Received.UNCHANGED
        assert len(desk.boxes()) == 1

    def test_counts_the_answer_of_the_reader_before_that_of_another_user(self, desk: Desk) -> None:
        enrol(desk.store, "R1")
        with desk.store.transaction() as unit:
            unit.readers.set_user("R1", 1)
        own = annotation(ONE_BOX, 1)
        foreign = replace(annotation(TWO_BOXES, 2, key=2), completed_by=9)

        assert desk.receive(task(desk.entry, 2, foreign)) is Received.QUARANTINED
        assert "another Label Studio user" in str(desk.kept().receipt.reason)
        assert desk.receive(task(desk.entry, 3, own, foreign)) is Received.REVISED
        assert (desk.kept().receipt.state, len(desk.boxes())) == ("valid", 1)
        changed = replace(annotation(TWO_BOXES, 4), updated_by=9)
        assert desk.receive(task(desk.entry, 4, changed)) is Received.QUARANTINED
        assert desk.receive(task(desk.entry, 5, annotation(ONE_BOX, 5))) is Received.REVISED

    def test_accounts_for_every_box_that_was_shown(self, store: Store) -> None:
        register(store, image("a"))
        serve(store, Prediction("a", "m1", (predicted(), predicted(), predicted())))
        with store.transaction() as unit:
            assisted = replace(entry("a"), arm=Arm.ASSISTED, model_version="m1")
            unit.worklists.add([assisted], now=NOW)
            key = unit.worklists.all()[0].key
            shown = unit.predictions.of_model("m1")["a"].boxes
        same, other, _ = regions.result_of_prediction(shown, 1000, 800)
        moved = {**other, "value": {**other["value"], "x": 40.0}}
        desk = Desk(store, key)

        desk.receive(task(key, 1, annotation((same, moved), 1)))

        reading = desk.kept().reading
        assert [box.origin for box in reading.boxes] == [Origin.ACCEPTED, Origin.ADJUSTED]
        assert [box.origin for box in reading.deleted] == [Origin.DELETED]
        accounted = [box.predicted_box_id for box in (*reading.boxes, *reading.deleted)]
        assert accounted == [box.id for box in shown]
        assert (reading.arm, reading.model_version) == (Arm.ASSISTED, "m1")


@dataclass
class History:
    """The states of one task, as a reader's deeds make them."""

    entry: int
    states: list[TaskState] = field(default_factory=list)
    standing: dict[int, AnnotationState] = field(default_factory=dict)

    def do(self, deed: str, key: int, result: tuple[Any, ...]) -> None:
        minute = len(self.states) + 1
        if deed == "delete":
            self.standing.pop(key, None)
        elif deed != "touch":
            self.standing[key] = annotation(result, minute, key=key, was_cancelled=deed == "skip")
        self.states.append(task(self.entry, minute, *self.standing.values()))


POOR, OTHER = (
    (regions.unreadable_item(reason),)
    for reason in (SkipReason.TOO_POOR_TO_JUDGE, SkipReason.OTHER)
)
DEEDS = st.lists(
    st.tuples(
        st.sampled_from(["submit", "submit", "delete", "skip", "touch"]),
        st.integers(1, 2),
        st.sampled_from([ONE_BOX, TWO_BOXES, NO_FINDING, MALFORMED, CONTRADICTION, POOR, OTHER]),
    ),
    min_size=1,
    max_size=6,
)


class TestAnyOrder:
    counter = itertools.count()

    def fresh(self, store: Store) -> Desk:
        """Another image and entry in the same store."""
        name = f"n{next(self.counter)}"
        register(store, image(name), readers=("R1",))
        with store.transaction() as unit:
            unit.worklists.add([entry(name)], now=NOW)
            return Desk(store, unit.worklists.all()[-1].key)

    def outcome(self, store: Store, states: list[TaskState]) -> object:
        desk = self.fresh(store)
        with store.transaction() as unit:
            for state in states:
                receive_reading(unit, replace(state, entry=desk.entry), "R1", now=LATER)
            found = unit.worklists.get(desk.entry)
            assert found is not None
            unit.worklists.forget_task(desk.entry)
            kept = unit.readings.current(found.image_id, "R1")
        if kept is None or kept.receipt.state == "withdrawn":
            return found.state, found.skip, None
        boxes = [replace(box, id=None) for box in kept.reading.boxes]
        return found.state, found.skip, replace(kept.receipt, received_at=at(0)), boxes

    @given(deeds=DEEDS, data=st.data())
    @settings(
        max_examples=40,
        deadline=None,
        suppress_health_check=[HealthCheck.function_scoped_fixture],
    )
    def test_of_states_however_often_ends_as_the_last_state_alone(
        self, store: Store, deeds: list[tuple[str, int, Any]], data: st.DataObject
    ) -> None:
        history = History(entry=0)
        for deed in deeds:
            history.do(*deed)
        last = history.states[-1]
        arrived = data.draw(st.lists(st.sampled_from(history.states), max_size=8))
        place = data.draw(st.integers(0, len(arrived)))

        mixed = self.outcome(store, [*arrived[:place], last, *arrived[place:]])

        assert mixed == self.outcome(store, [last])
