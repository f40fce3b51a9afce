"""A case comes back once where reader and model disagree strongly, and changes nothing before."""

import itertools
from collections import Counter
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from backend.desk import queue_rules
from backend.domain.boxes import Box
from backend.domain.findings import Finding
from backend.domain.predictions import PredictedBox, Prediction
from backend.domain.readings import Arm, Certainty, Origin, ReadBox, Reading, ReadingKind
from backend.domain.second_look_changes import changes
from backend.domain.worklists import EntryKind, EntryState, WorklistEntry
from backend.label_studio import regions, second_look
from backend.settings import Settings
from backend.store.readings import KeptReading, Receipt
from backend.store.second_looks import LostReadingError
from backend.store.unit_of_work import Store
from backend.workflow.assess_readers import assess_readers, readings_in_store
from backend.workflow.count_second_looks import count_second_looks
from backend.workflow.list_own_readings import list_own_readings
from backend.workflow.offer_second_looks import offer_second_looks
from backend.workflow.plan_worklists import QueueRules
from backend.workflow.reach_consensus import reach_consensus
from backend.workflow.receive_reading import Received, receive_reading
from backend.workflow.receive_second_look import both_sets
from backend.workflow.reconcile_store import reconcile_store
from backend.workflow.show_queue import show_queue
from tests.store.samples import (
    HERE,
    NOW,
    THERE,
    enrol,
    entry,
    image,
    keep,
    mark,
    model,
    reading,
    register,
    serve,
)
from tests.workflow.samples import MALFORMED, NO_FINDING, ONE_BOX, TWO_BOXES, annotation, at, task

RULES = QueueRules(
    readers_per_image=3,
    worklist_size=40,
    random_share=0.0,
    unassisted_share=0.0,
    seed=7,
    second_look_share=0.1,
)
OFF = replace(RULES, second_look_share=0.0)
QUIET = at(30)
HEART = PredictedBox(Finding.CARDIOMEGALY, HERE, 0.8)
COLLAPSE = PredictedBox(Finding.PNEUMOTHORAX, THERE, 0.91)
REASON = "The model sees a Pneumothorax (0.91) that you did not mark."


@dataclass
class Practice:
    """A store in which R1 reads, and what comes back.

    All minutes are our clock's; Label Studio's is `ahead` of it.
    """

    store: Store
    ahead: float = 0

    def ask(
        self, image_id: str = "a", *, reader_id: str = "R1", model_version: str | None = None
    ) -> int:
        """Put an image on a worklist, assisted if there is a model version."""
        asked = replace(entry(image_id, reader_id), model_version=model_version)
        if model_version:
            asked = replace(asked, arm=Arm.ASSISTED)
        with self.store.transaction() as unit:
            unit.worklists.add([asked], now=NOW)
            return max(one.key for one in unit.worklists.all())

    def receive(
        self,
        entry_id: int,
        result: tuple[Any, ...],
        minutes: float = 1,
        *,
        reader_id: str = "R1",
        late: float | None = None,
        **made: Any,  # noqa: ANN401 - what `annotation` takes
    ) -> Received:
        told = minutes + self.ahead
        state = task(entry_id, told, annotation(result, told, **made), task_id=900 + entry_id)
        with self.store.transaction() as unit:
            return receive_reading(unit, state, reader_id, now=at(late or minutes))

    def take_back(self, entry_id: int, minutes: float) -> Received:
        state = task(entry_id, minutes + self.ahead, task_id=900 + entry_id)
        with self.store.transaction() as unit:
            return receive_reading(unit, state, "R1", now=at(minutes))

    def show(self, minutes: float = 31) -> None:
        """Push the second looks; they can be seen from now on."""
        with self.store.transaction() as unit:
            for one in unit.worklists.all(state=EntryState.OPEN):
                if one.kind is EntryKind.SECOND_LOOK:
                    unit.worklists.set_shown_from(one.key, at(minutes + self.ahead))

    def read(self, result: tuple[Any, ...] = ONE_BOX, image_id: str = "a") -> int:
        asked = self.ask(image_id)
        assert self.receive(asked, result) is Received.NEW
        return asked

    def offer(self, rules: QueueRules = RULES, now: datetime = QUIET) -> list[WorklistEntry]:
        with self.store.transaction() as unit:
            return offer_second_looks(unit, rules, now=now)

    def entries(self) -> list[WorklistEntry]:
        with self.store.snapshot() as unit:
            every = unit.worklists.all()
        return [one for one in every if one.kind is EntryKind.SECOND_LOOK]

    def shown(self) -> tuple[Any, ...]:
        """Return what the only second look shows, as Label Studio's result."""
        [asked] = self.entries()
        with self.store.snapshot() as unit:
            own, predicted = both_sets(unit, asked)
        return tuple(second_look.result_of_second_look(own, predicted, 1000, 800))

    def look_again(self, result: tuple[Any, ...], minutes: float = 60, **made: Any) -> Received:  # noqa: ANN401 - as above
        [asked] = self.entries()
        return self.receive(asked.key, result, minutes, **made)

    def reading(self, reading_round: int = 1) -> KeptReading:
        with self.store.snapshot() as unit:
            found = unit.readings.current("a", "R1", reading_round)
        assert found is not None
        return found

    def counting(self) -> list[KeptReading]:
        """Return what counts of image a."""
        with self.store.snapshot() as unit:
            found, ids = unit.readings.counting(["a"]), unit.readings.counting_ids(["a"])
            assert ids == ({"a": tuple(one.id for one in found)} if found else {})
            revisions = {one.reading.id: one for one in unit.readings.revisions("a")}
            return [revisions[one.id] for one in found]

    def second(self) -> Reading:
        return self.reading(2).reading

    def trust(self) -> object:
        """Return all that is made of blind readings."""
        with self.store.snapshot() as unit:
            counting = unit.readings.counting()
            estimates = assess_readers(readings_in_store(unit))
            return (
                counting,
                unit.readings.counting_ids(["a", "b"]),
                unit.consensus.current(),
                unit.readings.counts(),
                unit.images.readers_by_image(),
                unit.model_readers.get("m1", ["a", "b"]).shown_on,
                [repr(getattr(estimates, name)) for name in estimates.__slots__],
            )


@pytest.fixture
def practice(store: Store) -> Practice:
    """Two images; the champion sees a heart and a pneumothorax on the first one."""
    register(store, image("a"), image("b"))
    enrol(store, "R1", "R2")
    serve(
        store, Prediction("a", "m1", (HEART, COLLAPSE)), Prediction("b", "m1", (HEART, COLLAPSE))
    )
    return Practice(store)


class TestOfferSecondLooks:
    def test_brings_a_case_back_with_the_reason_in_words(self, practice: Practice) -> None:
        practice.read()

        [offered] = practice.offer()

        assert offered.reason == REASON
        assert (offered.image_id, offered.reader_id, offered.round) == ("a", "R1", 2)
        assert offered.kind is EntryKind.SECOND_LOOK
        assert offered.reading_id == practice.reading().reading.id
        assert offered.model_version == "m1"
        assert offered.score == pytest.approx(0.91)

    def test_comes_after_what_is_open(self, practice: Practice) -> None:
        practice.read()
        with practice.store.transaction() as unit:
            unit.worklists.add([entry("b", rank=17)], now=NOW)

        assert [one.rank for one in practice.offer()] == [18]

    def test_waits_until_the_reading_is_quiet(self, practice: Practice) -> None:
        asked = practice.read()

        assert practice.offer(now=at(10)) == []
        practice.receive(asked, ONE_BOX, 9)
        assert practice.offer(now=at(18)) == []
        assert len(practice.offer(now=at(20))) == 1

    @pytest.mark.parametrize("ending", ["open", "done", "skipped", "deleted"])
    def test_asks_once(self, practice: Practice, ending: str) -> None:
        practice.read()
        practice.offer()
        if ending != "open":
            was_cancelled = ending == "skipped"
            practice.look_again(practice.shown(), was_cancelled=was_cancelled)
        if ending == "deleted":
            [asked] = practice.entries()
            with practice.store.transaction() as unit:
                receive_reading(
                    unit, task(asked.key, 70, task_id=900 + asked.key), "R1", now=at(70)
                )

        assert practice.offer(now=at(600)) == []
        assert len(practice.entries()) == 1

    def test_offers_nothing_when_switched_off(self, practice: Practice) -> None:
        practice.read()

        assert practice.offer(OFF) == []
        assert practice.entries() == []

    @pytest.mark.parametrize(("said", "share"), [("false", 0.0), ("true", 0.1)])
    def test_is_switched_by_the_setting(
        self, monkeypatch: pytest.MonkeyPatch, said: str, share: float
    ) -> None:
        monkeypatch.setenv("OVERREAD_SECOND_LOOKS", said)

        rules = queue_rules(Settings())

        assert rules.second_look_share == share
        assert rules.second_look_quiet == timedelta(minutes=10)

    def test_withdraws_what_waits_when_switched_off(self, practice: Practice) -> None:
        practice.read()
        practice.offer()

        practice.offer(OFF)

        assert [one.state for one in practice.entries()] == [EntryState.WITHDRAWN]

    def test_withdraws_what_waits_when_the_reading_is_taken_back(self, practice: Practice) -> None:
        asked = practice.read()
        practice.offer()
        assert practice.take_back(asked, 40) is Received.WITHDRAWN

        practice.offer(now=at(60))

        assert [one.state for one in practice.entries()] == [EntryState.WITHDRAWN]

    def test_withdraws_what_waits_when_the_reading_was_made_anew(self, practice: Practice) -> None:
        asked = practice.read()
        practice.offer()
        practice.take_back(asked, 40)
        practice.receive(asked, ONE_BOX, 41, key=2)

        practice.offer(now=at(60))

        assert [one.state for one in practice.entries()] == [EntryState.WITHDRAWN]

    @pytest.mark.parametrize("ahead", [-60, 60])
    def test_waits_by_our_own_clock(self, practice: Practice, ahead: float) -> None:
        practice.ahead = ahead
        asked = practice.ask()
        practice.receive(asked, ONE_BOX, 9)

        assert practice.offer(now=at(18)) == []
        assert len(practice.offer(now=at(20))) == 1

    def test_needs_a_valid_reading_from_label_studio(self, practice: Practice) -> None:
        keep(practice.store, reading("b", "R1", mark()))
        practice.receive(practice.ask(), MALFORMED)

        assert practice.offer() == []

    def test_needs_the_champions_answer(self, store: Store) -> None:
        register(store, image("a"))
        enrol(store, "R1")
        practice = Practice(store)
        practice.read()
        assert practice.offer() == []

        with store.transaction() as unit:
            unit.models.add(model("m2"))
            unit.models.crown("m2", now=NOW)
        assert practice.offer() == []

    def test_does_not_nag_about_a_deleted_pre_annotation(self, practice: Practice) -> None:
        asked = practice.ask(model_version="m1")
        practice.receive(asked, NO_FINDING)

        assert practice.offer() == []

    def test_is_the_same_whatever_other_readers_marked(self, practice: Practice) -> None:
        other = practice.ask(reader_id="R2")
        practice.receive(
            other,
            (regions.region_from_box(THERE, Finding.PNEUMOTHORAX, 1000, 800, key="x"),),
            reader_id="R2",
        )
        keep(practice.store, reading("a", "R3", mark(Box(500, 500, 600, 600), Finding.ILD)))
        practice.read()

        [offered] = [one for one in practice.offer() if one.reader_id == "R1"]

        assert offered.reason == REASON
        assert practice.offer(now=at(90)) == []

    def test_asks_for_no_more_than_the_share_and_the_gravest_first(self, store: Store) -> None:
        scores = [round(0.61 + number / 100, 2) for number in range(30)]
        names = [f"n{number:02d}" for number in range(30)]
        register(store, *(image(name) for name in names))
        enrol(store, "R1")
        serve(
            store,
            *(
                Prediction(name, "m1", (replace(COLLAPSE, score=score),))
                for name, score in zip(names, scores, strict=True)
            ),
        )
        practice = Practice(store)
        for name in names:
            practice.read(NO_FINDING, name)

        offered = practice.offer()

        assert [one.image_id for one in offered] == ["n29", "n28", "n27"]
        assert [one.rank for one in offered] == [2, 3, 4]
        assert practice.offer(now=at(90)) == []

    def test_stands_apart_in_the_queue(self, practice: Practice) -> None:
        practice.read()
        practice.ask(reader_id="R2")
        practice.offer()

        with practice.store.snapshot() as unit:
            rows = show_queue(unit)

        assert [(row.channel, row.readers) for row in rows] == [
            ("uncertain", ("R2",)),
            ("second-look", ("R1",)),
        ]


class TestReceiveSecondLook:
    def test_is_made_of_a_kept_reading(self, practice: Practice) -> None:
        practice.ask()
        with practice.store.snapshot() as unit:
            [asked] = unit.worklists.all()
            with pytest.raises(LostReadingError, match="second look at a kept reading"):
                unit.second_looks.first_of(asked)

    @pytest.fixture
    def asked(self, practice: Practice) -> Practice:
        """One own box and one of the model's wait."""
        sure = regions.certainty_item(ONE_BOX[0], Certainty.PROBABLE)
        practice.read((*ONE_BOX, sure))
        practice.offer()
        return practice

    def ids(self, practice: Practice) -> tuple[int | None, int | None]:
        """Return the keys of the own box and of the model's."""
        with practice.store.snapshot() as unit:
            predicted = unit.predictions.of_model("m1", ["a"])["a"].boxes[1].id
        return practice.reading().reading.boxes[0].id, predicted

    def test_keeps_both_states(self, asked: Practice) -> None:
        assert asked.look_again(asked.shown()) is Received.NEW

        own_id, predicted_id = self.ids(asked)
        second = asked.second()
        assert (second.kind, second.round, second.revision) == (ReadingKind.SECOND_LOOK, 2, 1)
        assert (second.arm, second.model_version) == (Arm.ASSISTED, "m1")
        own, taken = second.boxes
        assert (own.finding, own.origin, own.own_box_id) == (
            Finding.CARDIOMEGALY,
            Origin.ACCEPTED,
            own_id,
        )
        assert own.certainty is Certainty.PROBABLE
        assert (taken.finding, taken.box, taken.origin) == (
            Finding.PNEUMOTHORAX,
            THERE,
            Origin.ACCEPTED,
        )
        assert taken.predicted_box_id == predicted_id
        assert asked.reading().reading.boxes[0].box == pytest.approx(HERE)
        assert asked.reading().reading.revision == 1

    def test_accounts_for_both_sets(self, asked: Practice) -> None:
        own, sure, source, predicted = asked.shown()
        moved = {**own, "value": {**own["value"], "x": 40.0}}
        renamed = {
            **predicted,
            "value": {**predicted["value"], "rectanglelabels": ["Other lesion"]},
        }

        asked.look_again(
            (moved, {**sure, "value": moved["value"] | {"choices": ["Definite"]}}, source, renamed)
        )
        own_id, predicted_id = self.ids(asked)
        first, other = asked.second().boxes
        assert (first.origin, first.own_box_id, first.predicted_box_id) == (
            Origin.ADJUSTED,
            own_id,
            None,
        )
        assert (other.origin, other.own_box_id, other.predicted_box_id) == (
            Origin.ADJUSTED,
            None,
            predicted_id,
        )
        assert other.finding is Finding.OTHER_LESION

        asked.look_again(NO_FINDING, 61)
        second = asked.second()
        assert second.is_no_finding
        assert [(box.own_box_id, box.predicted_box_id) for box in second.deleted] == [
            (own_id, None),
            (None, predicted_id),
        ]
        assert second.revision == 2

    def test_a_skip_declines(self, asked: Practice) -> None:
        assert asked.look_again(asked.shown(), was_cancelled=True) is Received.SKIPPED

        assert [one.state for one in asked.entries()] == [EntryState.SKIPPED]
        with asked.store.snapshot() as unit:
            assert unit.readings.current("a", "R1", 2) is None
            assert unit.second_looks.done() == []

    def test_quarantines_what_cannot_be_used_and_tells_the_reader(self, asked: Practice) -> None:
        assert asked.look_again(MALFORMED) is Received.QUARANTINED

        with asked.store.snapshot() as unit:
            own = list_own_readings(unit, "R1")
            assert unit.second_looks.done() == []
        assert [one.kept.receipt.state for one in own] == ["valid", "quarantined"]

    def test_ends_the_same_in_any_order_and_however_often(self, asked: Practice) -> None:
        [entry_of] = asked.entries()
        full, none = asked.shown(), NO_FINDING
        states = [
            task(entry_of.key, 60, annotation(full, 60), task_id=5),
            task(entry_of.key, 61, annotation(none, 61), task_id=5),
            task(entry_of.key, 62, task_id=5),
            task(entry_of.key, 63, annotation(full, 63, key=2), task_id=5),
        ]
        outcomes = set()
        for order in itertools.permutations(states):
            with asked.store.transaction() as unit:
                for state in (*order, *order):
                    receive_reading(unit, state, "R1", now=at(70))
            kept = asked.reading(2)
            outcomes.add(
                (
                    kept.receipt.state,
                    kept.receipt.annotation_id,
                    tuple(replace(box, id=None) for box in kept.reading.boxes),
                )
            )
            assert [one.state for one in asked.entries()] == [EntryState.READ]
        assert len(outcomes) == 1


class TestBlindReadings:
    def prepare(self, practice: Practice) -> None:
        """Read image a by R1 and R2, image b by R3, and reconcile."""
        practice.read()
        practice.receive(practice.ask(reader_id="R2"), NO_FINDING, reader_id="R2")
        keep(practice.store, reading("b", "R3", mark()))
        reconcile_store(practice.store, clock=lambda: at(20))

    def test_and_all_that_is_made_of_them_stay_to_the_byte(self, practice: Practice) -> None:
        self.prepare(practice)
        before = practice.trust()
        with practice.store.snapshot() as unit:
            revisions = unit.readings.revisions("a", "R1")
        practice.offer()
        assert practice.trust() == before

        [mine] = [one for one in practice.entries() if one.reader_id == "R1"]
        with practice.store.snapshot() as unit:
            shown = second_look.result_of_second_look(*both_sets(unit, mine), 1000, 800)
        assert practice.receive(mine.key, tuple(shown), 60) is Received.NEW
        with practice.store.transaction() as unit:
            reach_consensus(unit, ["a"], now=at(61))
        assert practice.trust() == before
        reconcile_store(practice.store, clock=lambda: at(62))

        assert practice.trust() == before
        with practice.store.snapshot() as unit:
            *first, second = unit.readings.revisions("a", "R1")
            assert first == revisions
            assert second.reading.kind is ReadingKind.SECOND_LOOK
            assert len(unit.readings.valid(["a"])) == 3

    def test_count_as_before_when_changed_with_open_eyes(self, practice: Practice) -> None:
        self.prepare(practice)
        before = practice.trust()
        [asked] = [one for one in practice.offer() if one.reader_id == "R1"]
        practice.show()
        with practice.store.snapshot() as unit:
            [first] = [
                one
                for one in unit.worklists.all()
                if one.kind is EntryKind.READING and one.reader_id == "R1"
            ]
        both = (
            *ONE_BOX,
            regions.region_from_box(THERE, Finding.PNEUMOTHORAX, 1000, 800, key="x"),
        )

        assert practice.receive(first.key, both, 60) is Received.REVISED
        with practice.store.transaction() as unit:
            reach_consensus(unit, ["a"], now=at(61))

        assert practice.trust() == before
        assert len(practice.reading().reading.boxes) == 2
        with practice.store.snapshot() as unit:
            assert len(unit.second_looks.first_of(asked).boxes) == 1

    @pytest.mark.parametrize("ahead", [-60, 0, 60])
    def test_are_told_by_label_studios_clock_alone(self, practice: Practice, ahead: float) -> None:
        practice.ahead = ahead
        asked = practice.read()
        practice.offer()
        practice.show(31)

        practice.receive(asked, NO_FINDING, 30.5, late=33)
        [in_time] = practice.counting()
        practice.receive(asked, TWO_BOXES, 31.5)

        assert in_time.reading.is_no_finding
        [still] = practice.counting()
        assert still.reading.id == in_time.reading.id
        assert len(practice.reading().reading.boxes) == 2

    def test_may_be_changed_while_the_second_look_is_not_pushed(self, practice: Practice) -> None:
        asked = practice.read()
        practice.offer()

        practice.receive(asked, NO_FINDING, 40)

        assert [one.reading.is_no_finding for one in practice.counting()] == [True]

    def test_made_anew_count_when_the_second_look_was_not_seen(self, practice: Practice) -> None:
        asked = practice.read()
        practice.offer()
        practice.show()
        practice.take_back(asked, 40)
        practice.offer(now=at(60))

        practice.receive(asked, NO_FINDING, 70, key=2)

        [counting] = practice.counting()
        assert counting == practice.reading()
        assert (counting.reading.revision, counting.reading.is_no_finding) == (3, True)

    def test_count_as_corrected_when_second_looks_are_switched_off(
        self, practice: Practice
    ) -> None:
        asked = practice.read()
        practice.offer()
        practice.show()
        practice.offer(OFF)

        practice.receive(asked, NO_FINDING, 60)

        assert [one.reading.is_no_finding for one in practice.counting()] == [True]

    def test_are_none_when_taken_back_and_made_anew_with_open_eyes(
        self, practice: Practice
    ) -> None:
        asked = practice.read()
        practice.offer()
        practice.show()
        practice.look_again(practice.shown())
        practice.take_back(asked, 70)

        practice.receive(asked, TWO_BOXES, 71, key=2)

        assert practice.reading().receipt.state == "valid"
        assert practice.counting() == []

    def test_of_several_rounds_still_count_by_their_last_round(self, practice: Practice) -> None:
        again = replace(reading("a", "R1", mark(THERE, Finding.ILD)), round=2, read_at=at(2))
        practice.read()
        with practice.store.transaction() as unit:
            unit.readings.add([again], Receipt(NOW, annotation_id=7, annotation_updated_at=at(2)))

        [offered] = practice.offer()

        assert offered.round == 3
        with practice.store.snapshot() as unit:
            [counting] = unit.readings.counting(["a"])
        assert counting.round == 2
        [asked] = practice.entries()
        assert practice.receive(asked.key, practice.shown(), 60) is Received.NEW
        with practice.store.snapshot() as unit:
            assert unit.readings.counting(["a"]) == [counting]
            assert unit.second_looks.done()[0].second.round == 3


class TestChanges:
    FIRST = Reading(
        "a",
        "R1",
        (
            ReadBox(Finding.CARDIOMEGALY, HERE, id=1),
            ReadBox(Finding.NODULE_MASS, THERE, id=2),
            ReadBox(Finding.ILD, Box(600, 100, 700, 200), id=3),
        ),
        NOW,
    )

    def test_are_counted_box_by_box(self) -> None:
        second = replace(
            self.FIRST,
            boxes=(
                ReadBox(Finding.CARDIOMEGALY, HERE, origin=Origin.ACCEPTED, own_box_id=1),
                ReadBox(Finding.CONSOLIDATION, THERE, origin=Origin.ACCEPTED, predicted_box_id=8),
                ReadBox(Finding.PNEUMOTHORAX, Box(1, 1, 9, 9), predicted_box_id=9),
            ),
            deleted=(
                ReadBox(Finding.NODULE_MASS, THERE, origin=Origin.DELETED, own_box_id=2),
                ReadBox(Finding.ILD, Box(600, 100, 700, 200), origin=Origin.DELETED, own_box_id=3),
                ReadBox(Finding.ATELECTASIS, HERE, origin=Origin.DELETED, predicted_box_id=10),
            ),
        )

        found = changes(self.FIRST, second)

        assert [box.finding for box in found.added] == [Finding.PNEUMOTHORAX]
        assert [box.finding for box in found.withdrawn] == [Finding.ILD]
        assert [(old.finding, new.finding) for old, new in found.relabelled] == [
            (Finding.NODULE_MASS, Finding.CONSOLIDATION)
        ]
        assert [box.finding for box in found.declined] == [Finding.ATELECTASIS]
        assert found.changed_answer

    def test_are_none_when_everything_own_stays_and_the_rest_is_declined(self) -> None:
        kept = tuple(
            replace(box, id=None, own_box_id=box.id, origin=Origin.ACCEPTED)
            for box in self.FIRST.boxes
        )
        moved = replace(kept[0], box=THERE, origin=Origin.ADJUSTED)
        declined = ReadBox(Finding.ATELECTASIS, HERE, origin=Origin.DELETED, predicted_box_id=10)

        found = changes(
            self.FIRST, replace(self.FIRST, boxes=(moved, *kept[1:]), deleted=(declined,))
        )

        assert not found.changed_answer
        assert len(found.declined) == 1

    def test_are_told_to_the_manager_in_numbers(self, practice: Practice) -> None:
        practice.read()
        with practice.store.snapshot() as unit:
            assert count_second_looks(unit).offered == 0
        practice.offer()
        practice.look_again(practice.shown())

        with practice.store.snapshot() as unit:
            numbers = count_second_looks(unit)
            assert count_second_looks(unit, "R1") == numbers
            assert count_second_looks(unit, "R2").offered == 0

        assert (numbers.offered, numbers.waiting, numbers.done, numbers.skipped) == (1, 0, 1, 0)
        assert numbers.changed_answer == 1
        assert numbers.added == Counter({Finding.PNEUMOTHORAX: 1})
        assert not numbers.withdrawn + numbers.relabelled + numbers.declined
