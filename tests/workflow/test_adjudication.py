"""From a dispute to a verdict that stands: routed, decided, revised, reopened."""

from dataclasses import dataclass, field, replace
from datetime import timedelta
from itertools import permutations
from typing import Any

import pytest

from backend.domain.adjudication.request import Request, RequestState
from backend.domain.adjudication.verdict import Act, Verdict
from backend.domain.boxes import Box
from backend.domain.consensus.clusters import Cluster, ClusterState, Consensus
from backend.domain.findings import Finding
from backend.domain.images import Split
from backend.domain.readings import ReadBox, ReadingKind
from backend.domain.worklists import EntryKind, EntryState
from backend.label_studio import regions
from backend.label_studio.tasks import AnnotationState, TaskState
from backend.store.adjudicators import Adjudicator
from backend.store.readers import ReaderProject
from backend.store.readings import Receipt
from backend.store.unit_of_work import Store
from backend.workflow.adjudicated_images import adjudicated_images
from backend.workflow.cut_training_set import cut_training_set
from backend.workflow.further_readings import gather_panels
from backend.workflow.pull_verdicts import receive_adjudication
from backend.workflow.reach_consensus import reach_consensus
from backend.workflow.receive_reading import Received
from backend.workflow.reconcile_store import reconcile_store
from backend.workflow.route_conflicts import (
    NothingToReopenError,
    RouteReport,
    RoutingRules,
    reopen,
    route_conflicts,
)
from tests.store.samples import LATER, NOW, enrol, entry, image, keep, mark, reading, register
from tests.workflow.samples import at

PLACE, SHIFTED, ELSEWHERE = (
    Box(100, 100, 200, 200),
    Box(104, 100, 204, 200),
    Box(500, 300, 700, 500),
)
RULES = RoutingRules(readings_per_image=2, adjudicators=1, size=10, seed=1)
TWO = RoutingRules(readings_per_image=2, adjudicators=2, size=10, seed=1)
PEOPLE = {"A1": 11, "A2": 12}


@dataclass
class Bench:
    """One image that three readers dispute, and what an adjudicator does about it."""

    store: Store
    rules: RoutingRules = RULES
    minutes: float = 0
    tasks: dict[int, list[AnnotationState]] = field(default_factory=dict)

    def consensus(self) -> Consensus:
        with self.store.snapshot() as unit:
            return unit.consensus.current(["a"])["a"][1]

    def clusters(self) -> dict[Finding, Cluster]:
        return {one.finding: one for one in self.consensus().clusters}

    def route(self) -> RouteReport:
        with self.store.transaction() as unit:
            return route_conflicts(unit, self.rules, now=LATER)

    def look_again(self, image_id: str, reader_id: str, *boxes: ReadBox) -> None:
        """Let a reader answer a second look, with these boxes drawn."""
        with self.store.transaction() as unit:
            first = unit.readings.current(image_id, reader_id)
            assert first is not None
            again = replace(
                entry(image_id, reader_id),
                round=2,
                kind=EntryKind.SECOND_LOOK,
                reading_id=first.reading.id,
            )
            second = replace(
                first.reading, round=2, kind=ReadingKind.SECOND_LOOK, boxes=boxes, id=None
            )
            unit.worklists.add([again], now=LATER)
            unit.readings.add([second], Receipt(LATER))

    def requests(self) -> list[Request]:
        with self.store.snapshot() as unit:
            return unit.adjudication_requests.all(image_ids=["a"])

    def open_request(self) -> Request:
        [found] = [one for one in self.requests() if one.state is RequestState.OPEN]
        return found

    def standing(self) -> Verdict | None:
        with self.store.snapshot() as unit:
            return unit.adjudications.standing().get("a")

    def items(self, request: Request, **acts: str) -> list[dict[str, Any]]:
        """Return what is submitted when the boxes of findings are acted on."""
        items = []
        for row, one in enumerate(request.proposal):
            region = regions.region_from_box(one.box, one.finding, 1000, 800, key=f"c{row}")
            act = acts.get(one.finding.name, one.preset)
            items.append(region)
            if act:
                value = {"choices": [act]}
                items.append({**region, "from_name": "act", "type": "choices", "value": value})
        if acts.get("missing", "nothing") == "nothing":
            value = {"choices": ["Nothing is missing"]}
            items.append({"id": "s", "from_name": "study", "type": "choices", "value": value})
        return items

    def submit(
        self, request: Request, items: list[dict[str, Any]], *, who: str = "A1", key: int = 1
    ) -> TaskState:
        self.minutes += 1
        number = PEOPLE.get(who, 99)
        said = AnnotationState(
            key, at(0), at(self.minutes), tuple(items), False, 20.0, None, number
        )
        return TaskState(
            900 + request.key, request.key, at(self.minutes), (said,), image_id=request.image_id
        )

    def receive(self, task: TaskState) -> Received:
        return receive_adjudication(self.store, task, now=LATER)

    def decide(self, who: str = "A1", **acts: str) -> Received:
        request = self.open_request()
        return self.receive(self.submit(request, self.items(request, **acts), who=who))


@pytest.fixture
def bench(store: Store) -> Bench:
    """Readers dispute a nodule or calcification, and agree on a large heart."""
    register(store, image("a"), image("b"), readers=("R1", "R2", "R3", "R4"))
    heart = mark(ELSEWHERE, Finding.CARDIOMEGALY)
    keep(
        store,
        reading("a", "R1", mark(PLACE, Finding.NODULE_MASS), heart),
        reading("a", "R2", mark(SHIFTED, Finding.CALCIFICATION), heart),
        reading("a", "R3", heart),
        reading("b", "R1"),
        reading("b", "R2"),
    )
    with store.transaction() as unit:
        unit.adjudicators.put(
            [Adjudicator(who, f"{who}@x", number) for who, number in PEOPLE.items()], now=NOW
        )
        reach_consensus(unit, ["a", "b"], now=NOW)
    return Bench(store)


def reconcile(store: Store) -> None:
    reconcile_store(store, clock=lambda: LATER)


class TestRouteConflicts:
    def test_sends_what_is_disputed_with_letters_for_readers(self, bench: Bench) -> None:
        report = bench.route()

        request = bench.open_request()
        assert [one.image_id for one in report.sent] == ["a"]
        assert {one.finding for one in request.proposal if one.is_disputed} == {
            Finding.NODULE_MASS,
            Finding.CALCIFICATION,
        }
        assert len(request.proposal) == len(bench.consensus().clusters) == 3
        names = {one.source for one in request.candidates}
        assert names == {"Reader A", "Reader B", "Reader C"}
        assert not {"R1", "R2", "R3"} & {
            name for one in request.proposal for name in (*one.sources, one.remark)
        }

    def test_changes_nothing_the_second_time(self, bench: Bench) -> None:
        bench.route()
        before = bench.requests()

        assert bench.route().sent == ()
        assert bench.requests() == before

    def test_waits_for_the_readings_that_are_wanted(self, bench: Bench) -> None:
        enrol(bench.store, "R1", "R2", "R3", "R4")
        bench.rules = RoutingRules(readings_per_image=4, adjudicators=1, size=10, seed=1)

        assert bench.route().sent == ()

    def test_waits_for_no_reader_who_does_not_exist(self, bench: Bench) -> None:
        enrol(bench.store, "R1", "R2", "R3")
        bench.rules = RoutingRules(readings_per_image=4, adjudicators=1, size=10, seed=1)

        assert {one.image_id for one in bench.route().sent} == {"a"}

    @pytest.mark.parametrize(
        ("state", "is_sent"),
        [
            (EntryState.OPEN, False),
            (EntryState.WITHDRAWN, False),  # may be asked again
            (EntryState.SKIPPED, True),
        ],
    )
    def test_waits_for_no_reader_who_skipped_the_image(
        self, bench: Bench, state: EntryState, *, is_sent: bool
    ) -> None:
        enrol(bench.store, "R1", "R2", "R3", "R4")
        bench.rules = RoutingRules(readings_per_image=4, adjudicators=1, size=10, seed=1)
        with bench.store.transaction() as unit:
            unit.worklists.add([entry("a", "R4")], now=NOW)
            [asked] = unit.worklists.all()
            unit.worklists.set_state(asked.key, state, now=NOW)

        assert bool(bench.route().sent) is is_sent

    def test_waits_for_no_reader_who_is_away(self, bench: Bench) -> None:
        enrol(bench.store, "R1", "R2", "R3", "R4")
        bench.rules = RoutingRules(readings_per_image=4, adjudicators=1, size=10, seed=1)
        with bench.store.transaction() as unit:
            unit.duties.set_away("R4", LATER + timedelta(days=1))

        assert {one.image_id for one in bench.route().sent} == {"a"}

    def test_waits_for_no_reader_who_let_the_image_lapse(self, bench: Bench) -> None:
        enrol(bench.store, "R1", "R2", "R3", "R4")
        bench.rules = RoutingRules(readings_per_image=4, adjudicators=1, size=10, seed=1)
        with bench.store.transaction() as unit:
            unit.worklists.add([entry("a", "R4")], now=LATER - bench.rules.reservation)

        assert {one.image_id for one in bench.route().sent} == {"a"}

    def test_waits_with_adaptive_panels_only_where_a_third_reader_is_asked(
        self, bench: Bench
    ) -> None:
        register(bench.store, image("extent"), image("lone"))
        keep(
            bench.store,
            reading("extent", "R1", mark(Box(100, 100, 300, 300), Finding.PNEUMOTHORAX)),
            reading("extent", "R2", mark(Box(100, 100, 420, 420), Finding.PNEUMOTHORAX)),
            reading("lone", "R1", mark(PLACE, Finding.PNEUMOTHORAX)),
            reading("lone", "R2"),
        )
        with bench.store.transaction() as unit:
            reach_consensus(unit, ["extent", "lone"], now=NOW)
        enrol(bench.store, "R1", "R2", "R3")
        bench.rules = RoutingRules(3, adjudicators=1, size=10, seed=1)
        assert {one.image_id for one in bench.route().sent} == {"a"}

        bench.rules = replace(bench.rules, adaptive_panels=True)

        assert {one.image_id for one in bench.route().sent} == {"extent"}

    def test_lets_a_request_stand_when_a_third_reader_would_be_asked_now(
        self, bench: Bench
    ) -> None:
        register(bench.store, image("lone"))
        keep(
            bench.store,
            reading("lone", "R1", mark(PLACE, Finding.PNEUMOTHORAX)),
            reading("lone", "R2"),
        )
        with bench.store.transaction() as unit:
            reach_consensus(unit, ["lone"], now=NOW)
        enrol(bench.store, "R1", "R2")
        bench.rules = RoutingRules(3, adjudicators=1, size=10, seed=1, adaptive_panels=True)
        assert {one.image_id for one in bench.route().sent} == {"a", "lone"}

        with bench.store.transaction() as unit:  # somebody joins the team
            unit.readers.add_project(ReaderProject("R3", "r3@example.org", 3, 103))

        assert bench.route().withdrawn == {}
        with bench.store.snapshot() as unit:
            answers = [one for _, one in unit.consensus.current().values()]
            panels = gather_panels(unit, answers, bench.rules.panel)
        assert panels.of("lone") == 2
        assert "lone" not in panels.gains

    def test_puts_the_test_split_first_and_says_so(self, bench: Bench) -> None:
        with bench.store.transaction() as unit:
            unit.images.set_splits([("a", Split.TEST)])

        [sent] = bench.route().sent

        assert sent.is_test

    def test_takes_a_changed_second_look_for_a_reason(self, bench: Bench) -> None:
        bench.look_again("b", "R1", mark(PLACE, Finding.PNEUMOTHORAX))

        report = bench.route()

        assert {one.image_id for one in report.sent} == {"a", "b"}
        assert bench.route().sent == (), "asked once is enough"

    def test_takes_an_unchanged_second_look_for_none(self, bench: Bench) -> None:
        with bench.store.snapshot() as unit:
            first = unit.readings.current("b", "R1")
        assert first is not None
        kept = [replace(box, id=None, own_box_id=box.id) for box in first.reading.boxes]
        bench.look_again("b", "R1", *kept)

        assert {one.image_id for one in bench.route().sent} == {"a"}

    def test_withdraws_what_further_readings_settled(self, bench: Bench) -> None:
        bench.route()
        with bench.store.transaction() as unit:
            for one in unit.readings.valid(["a"]):
                if one.reader_id == "R2":
                    unit.readings.revise(one, Receipt(LATER, state="withdrawn", reason="x"))
        keep(
            bench.store,
            reading("a", "R4", mark(PLACE, Finding.NODULE_MASS)),
        )
        with bench.store.transaction() as unit:
            reach_consensus(unit, ["a"], now=LATER)

        report = bench.route()

        assert report.withdrawn.keys() == {"a"}
        assert bench.requests()[0].state is RequestState.WITHDRAWN


class TestVerdict:
    def test_supersedes_the_consensus_for_its_clusters_only(self, bench: Bench) -> None:
        bench.route()
        heart = bench.clusters()[Finding.CARDIOMEGALY]

        assert bench.decide(NODULE_MASS="Accept", CALCIFICATION="Reject") is Received.NEW

        found = bench.clusters()
        assert found[Finding.CARDIOMEGALY] == heart
        assert found[Finding.NODULE_MASS].state is ClusterState.ADJUDICATED
        assert found[Finding.NODULE_MASS].p_true == 0.98
        assert found[Finding.CALCIFICATION].p_true == 0.02
        assert bench.consensus().verdict_version == "1"
        standing = bench.standing()
        assert standing is not None
        assert standing.is_complete
        assert {one.act for one in standing.decisions} == {Act.ACCEPT, Act.REJECT}

    def test_is_the_same_in_the_nightly_run(self, bench: Bench) -> None:
        bench.route()
        bench.decide(NODULE_MASS="Accept", CALCIFICATION="Reject")
        reconcile(bench.store)
        by_night = bench.consensus()

        with bench.store.transaction() as unit:
            [by_day] = reach_consensus(unit, ["a"], now=LATER)

        assert by_day == by_night
        assert by_night.verdict_version == "1"

    def test_is_received_once(self, bench: Bench) -> None:
        bench.route()
        request = bench.open_request()
        task = bench.submit(request, bench.items(request, NODULE_MASS="Accept"))
        bench.receive(task)

        assert bench.receive(task) is Received.UNCHANGED
        with bench.store.snapshot() as unit:
            assert len(unit.adjudications.revisions("a")) == 1

    def test_ends_the_same_whatever_comes_first(self, bench: Bench) -> None:
        bench.route()
        request = bench.open_request()
        old = bench.submit(request, bench.items(request, NODULE_MASS="Reject"))
        new = bench.submit(request, bench.items(request, NODULE_MASS="Accept"))

        assert bench.receive(new) is Received.NEW
        assert bench.receive(old) is Received.OUTDATED
        assert bench.clusters()[Finding.NODULE_MASS].p_true == 0.98

    @pytest.mark.parametrize("order", list(permutations(range(4))))
    def test_ends_in_the_newest_state_in_any_order(
        self, bench: Bench, order: tuple[int, ...]
    ) -> None:
        bench.route()
        request = bench.open_request()
        states = [
            bench.submit(request, bench.items(request, NODULE_MASS="Accept")),
            bench.submit(request, bench.items(request, NODULE_MASS="Reject")),
            TaskState(900 + request.key, request.key, at(2.5), (), image_id="a"),
        ]
        bench.minutes = 3
        states.append(bench.submit(request, bench.items(request, NODULE_MASS="Leave"), key=2))

        for number in (*order, *order):
            bench.receive(states[number])

        standing = bench.standing()
        assert standing is not None
        assert standing.decisions == ()
        assert not standing.is_complete
        assert bench.requests()[0].state is RequestState.DECIDED

    def test_is_revised_and_withdrawn_and_nothing_is_lost(self, bench: Bench) -> None:
        bench.route()
        request = bench.open_request()
        before = bench.consensus()
        bench.decide(NODULE_MASS="Accept")
        changed = bench.submit(request, bench.items(request, NODULE_MASS="Reject"))

        assert bench.receive(changed) is Received.REVISED
        assert bench.clusters()[Finding.NODULE_MASS].p_true == 0.02

        gone = TaskState(900 + request.key, request.key, at(60), (), image_id="a")
        assert bench.receive(gone) is Received.WITHDRAWN
        assert bench.receive(gone) is Received.UNCHANGED
        assert bench.consensus() == before
        assert bench.open_request().key == request.key
        with bench.store.snapshot() as unit:
            states = [one.receipt.state for one in unit.adjudications.revisions("a")]
        assert states == ["valid", "valid", "withdrawn"]

    def test_is_not_complete_while_something_may_be_missing(self, bench: Bench) -> None:
        bench.route()
        bench.decide(NODULE_MASS="Accept", CALCIFICATION="Reject", missing="perhaps")

        standing = bench.standing()

        assert standing is not None
        assert not standing.is_complete

    def test_is_quarantined_from_a_stranger_or_when_odd(self, bench: Bench) -> None:
        bench.route()
        before = bench.consensus()

        assert bench.decide("nobody", NODULE_MASS="Accept") is Received.QUARANTINED
        assert bench.decide(NODULE_MASS="Perhaps") is Received.QUARANTINED
        assert bench.consensus() == before
        assert bench.decide(NODULE_MASS="Accept") is Received.REVISED

    def test_counts_though_the_request_was_withdrawn_meanwhile(self, bench: Bench) -> None:
        bench.route()
        request = bench.open_request()
        with bench.store.transaction() as unit:
            unit.adjudication_requests.set_state(request.key, RequestState.WITHDRAWN, now=LATER)

        task = bench.submit(request, bench.items(request, NODULE_MASS="Accept"))

        assert bench.receive(task) is Received.NEW
        assert bench.standing() is not None

    def test_of_a_task_of_another_store_is_foreign(self, bench: Bench) -> None:
        bench.route()
        request = bench.open_request()
        task = bench.submit(request, bench.items(request))
        foreign = TaskState(1, request.key, task.updated_at, task.annotations, image_id="b")

        assert bench.receive(foreign) is Received.FOREIGN
        assert bench.receive(TaskState(1, 77, at(1), ())) is Received.FOREIGN

    def test_stays_through_a_later_reading_and_comes_back_for_a_new_dispute(
        self, bench: Bench
    ) -> None:
        bench.route()
        bench.decide(NODULE_MASS="Accept", CALCIFICATION="Reject")
        assert bench.route().sent == ()

        keep(bench.store, reading("a", "R4", mark(SHIFTED, Finding.CONSOLIDATION)))
        reconcile(bench.store)
        found = bench.clusters()
        assert found[Finding.NODULE_MASS].state is ClusterState.ADJUDICATED
        assert found[Finding.CONSOLIDATION].state is ClusterState.CLASS_CONFLICT

        [sent] = bench.route().sent
        again = bench.open_request()
        assert (sent.image_id, again.question) == ("a", 2)
        assert [one.finding for one in again.proposal if one.is_disputed] == [
            Finding.CONSOLIDATION
        ]
        bench.decide("A2", CONSOLIDATION="Reject")
        assert bench.consensus().verdict_version == "1/2"
        standing = bench.standing()
        assert standing is not None
        assert standing.adjudicators == ("A1", "A2")
        assert bench.clusters()[Finding.NODULE_MASS].p_true == 0.98


class TestAVerdictOfAnother:
    """Whoever is let into the adjudicators' project can write into every task."""

    @staticmethod
    def said(
        bench: Bench, who: str, key: int, *, named: str | None = None, **acts: str
    ) -> AnnotationState:
        """Return an annotation that was written by `who`, and that names somebody else."""
        bench.minutes += 1
        [request, *_] = bench.requests()
        author, written = PEOPLE.get(who, 99), at(bench.minutes)
        items = tuple(bench.items(request, **acts))
        return AnnotationState(
            key, at(0), written, items, False, 1.0, None, PEOPLE[named or who], author
        )

    @staticmethod
    def task(request: Request, *annotations: AnnotationState) -> TaskState:
        newest = max(one.updated_at for one in annotations)
        return TaskState(900 + request.key, request.key, newest, annotations, image_id="a")

    @pytest.fixture
    def decided(self, bench: Bench) -> tuple[Bench, Request, AnnotationState]:
        """A1 has accepted the nodule."""
        bench.route()
        request = bench.open_request()
        given = self.said(bench, "A1", 1, NODULE_MASS="Accept", CALCIFICATION="Reject")
        assert bench.receive(self.task(request, given)) is Received.NEW
        return bench, request, given

    def stays(self, bench: Bench) -> None:
        standing = bench.standing()
        assert standing is not None
        assert (standing.adjudicators, standing.version) == (("A1",), "1")
        assert bench.clusters()[Finding.NODULE_MASS].p_true == 0.98
        assert bench.requests()[0].state is RequestState.DECIDED

    @pytest.mark.parametrize("who", ["A2", "a stranger"])
    @pytest.mark.parametrize("deed", ["submits", "skips"])
    def test_is_not_displaced_by_a_further_annotation(
        self,
        decided: tuple[Bench, Request, AnnotationState],
        who: str,
        deed: str,
    ) -> None:
        bench, request, given = decided
        other = self.said(bench, who, 2, named="A1", NODULE_MASS="Reject")

        task = self.task(request, given, replace(other, was_cancelled=deed == "skips"))
        assert bench.receive(task) is Received.UNCHANGED
        assert bench.receive(task) is Received.UNCHANGED

        self.stays(bench)
        with bench.store.snapshot() as unit:
            noted = [one for one in unit.records.events() if one.action == "disregard"]
        assert len(noted) == (deed == "submits")

    @pytest.mark.parametrize("who", ["A2", "a stranger"])
    @pytest.mark.parametrize("deed", ["submits", "skips"])
    def test_is_not_changed_by_an_edit_and_still_by_its_adjudicator(
        self,
        decided: tuple[Bench, Request, AnnotationState],
        who: str,
        deed: str,
    ) -> None:
        bench, request, _ = decided
        edited = self.said(bench, who, 1, named="A1", NODULE_MASS="Reject")
        task = self.task(request, replace(edited, was_cancelled=deed == "skips"))

        assert bench.receive(task) is Received.UNCHANGED
        self.stays(bench)
        again = self.said(bench, "A1", 1, NODULE_MASS="Leave", CALCIFICATION="Reject")
        assert bench.receive(self.task(request, again)) is Received.REVISED

    def test_is_not_given_by_who_only_says_so(self, bench: Bench) -> None:
        bench.route()
        request = bench.open_request()
        forged = self.said(bench, "a stranger", 1, named="A1", NODULE_MASS="Accept")

        assert bench.receive(self.task(request, forged)) is Received.QUARANTINED
        assert bench.standing() is None
        own = self.said(bench, "A1", 2, NODULE_MASS="Accept")
        later = self.said(bench, "a stranger", 3, NODULE_MASS="Reject", named="A2")
        assert bench.receive(self.task(request, forged, own, later)) is Received.REVISED
        standing = bench.standing()
        assert standing is not None
        assert standing.adjudicators == ("A1",)

    def test_makes_room_once_it_was_taken_back(
        self, decided: tuple[Bench, Request, AnnotationState]
    ) -> None:
        bench, request, _ = decided
        other = self.said(bench, "A2", 2, NODULE_MASS="Reject", CALCIFICATION="Reject")

        assert bench.receive(self.task(request, other)) is Received.REVISED
        standing = bench.standing()
        assert standing is not None
        assert standing.adjudicators == ("A2",)

    def test_to_be_confirmed_is_not_confirmed_by_its_own_adjudicator(self, bench: Bench) -> None:
        bench.rules = TWO
        bench.route()
        bench.decide("A1", NODULE_MASS="Accept", CALCIFICATION="Reject")
        second = bench.open_request()
        own = self.said(bench, "A1", 5, NODULE_MASS="Accept", CALCIFICATION="Reject")
        assert bench.receive(self.task(second, own)) is Received.QUARANTINED
        assert bench.standing() is None
        other = self.said(bench, "A2", 6, NODULE_MASS="Accept", CALCIFICATION="Reject")
        assert bench.receive(self.task(second, own, other)) is Received.REVISED

        edited = self.said(bench, "A1", 6, named="A2", NODULE_MASS="Reject")
        assert bench.receive(self.task(second, own, edited)) is Received.UNCHANGED

        standing = bench.standing()
        assert standing is not None
        assert standing.adjudicators == ("A1", "A2")
        assert standing.is_complete

    def test_is_not_asked_for_less_because_a_stranger_skips(self, bench: Bench) -> None:
        bench.route()
        request = bench.open_request()
        skip = replace(self.said(bench, "a stranger", 1, named="A1"), was_cancelled=True)

        assert bench.receive(self.task(request, skip)) is Received.UNCHANGED
        assert bench.requests()[0].state is RequestState.OPEN


class TestAGoldCase:
    @pytest.mark.parametrize(
        "seen",
        [
            (mark(SHIFTED, Finding.CONSOLIDATION),),
            (
                mark(PLACE, Finding.NODULE_MASS),
                mark(Box(480, 280, 990, 790), Finding.CARDIOMEGALY),
            ),
            (mark(Box(10, 10, 60, 60), Finding.PNEUMOTHORAX),),
            (),
        ],
        ids=["misnamed", "too large", "false", "missed"],
    )
    def test_unsettles_no_complete_verdict(self, bench: Bench, seen: tuple[ReadBox, ...]) -> None:
        bench.route()
        bench.decide(NODULE_MASS="Accept", CALCIFICATION="Reject")
        with bench.store.snapshot() as unit:
            before = adjudicated_images(unit)
        assert {finding for finding, _ in before["a"].lesions} == {
            Finding.NODULE_MASS,
            Finding.CARDIOMEGALY,
        }
        with bench.store.transaction() as unit:
            unit.worklists.add([replace(entry("a", "R4"), kind=EntryKind.GOLD)], now=LATER)
        keep(bench.store, reading("a", "R4", *seen))
        reconcile(bench.store)

        report = bench.route()

        assert (report.sent, report.waiting) == ((), 0)
        standing = bench.standing()
        assert standing is not None
        assert standing.is_complete
        with bench.store.snapshot() as unit:
            assert adjudicated_images(unit) == before

    def test_does_not_change_what_others_have_raised(self, bench: Bench) -> None:
        bench.route()
        bench.decide(NODULE_MASS="Accept", CALCIFICATION="Reject")
        keep(bench.store, reading("a", "R4", mark(SHIFTED, Finding.CONSOLIDATION)))
        reconcile(bench.store)
        assert [one.image_id for one in bench.route().sent] == ["a"]
        with bench.store.transaction() as unit:
            unit.readers.ensure(["R5"], now=NOW)
            unit.worklists.add([replace(entry("a", "R5"), kind=EntryKind.GOLD)], now=LATER)
        keep(bench.store, reading("a", "R5", mark(ELSEWHERE, Finding.ATELECTASIS)))
        reconcile(bench.store)

        bench.route()

        disputed = [one.finding for one in bench.open_request().proposal if one.is_disputed]
        assert disputed == [Finding.CONSOLIDATION]
        again = bench.route()
        assert (again.sent, again.withdrawn) == ((), {})


class TestReopen:
    def test_takes_the_verdict_back_and_asks_again(self, bench: Bench) -> None:
        before = bench.consensus()
        bench.route()
        bench.decide(NODULE_MASS="Accept", CALCIFICATION="Reject")

        with bench.store.transaction() as unit:
            request = reopen(unit, "a", "a CT shows otherwise", RULES, now=LATER)

        assert bench.consensus() == before
        assert bench.standing() is None
        assert request.question == 2
        assert any("a CT shows otherwise" in reason for reason in request.reasons)
        assert bench.route().withdrawn == {}
        bench.decide("A2", NODULE_MASS="Reject", CALCIFICATION="Accept")
        assert bench.clusters()[Finding.CALCIFICATION].p_true == 0.98
        with bench.store.snapshot() as unit:
            assert len(unit.adjudications.revisions("a")) == 2

    def test_needs_something_to_take_back(self, bench: Bench) -> None:
        with bench.store.transaction() as unit, pytest.raises(NothingToReopenError):
            reopen(unit, "b", "why not", RULES, now=LATER)


class TestTwoAdjudicators:
    @pytest.fixture
    def bench(self, bench: Bench) -> Bench:
        bench.rules = TWO
        bench.route()
        return bench

    def test_must_agree_before_a_verdict_stands(self, bench: Bench) -> None:
        bench.decide("A1", NODULE_MASS="Accept", CALCIFICATION="Reject")
        assert bench.standing() is None
        second = bench.open_request()
        assert (second.round, second.not_for) == (2, "A1")
        assert [one.preset for one in second.proposal if one.is_disputed] == [None, None]
        assert any("reject" in one.remark for one in second.proposal)
        assert not any("A1" in one.remark for one in second.proposal)

        bench.decide("A2", NODULE_MASS="Accept", CALCIFICATION="Reject")

        standing = bench.standing()
        assert standing is not None
        assert standing.adjudicators == ("A1", "A2")
        assert standing.is_complete
        assert bench.consensus().verdict_version == "1+2"
        assert all(one.state is RequestState.DECIDED for one in bench.requests())

    def test_do_not_include_the_same_one_twice(self, bench: Bench) -> None:
        bench.decide("A1", NODULE_MASS="Accept", CALCIFICATION="Reject")

        assert bench.decide("A1", NODULE_MASS="Accept") is Received.QUARANTINED
        assert bench.standing() is None

    def test_are_kept_apart_by_a_skip_that_is_no_skip(self, bench: Bench) -> None:
        bench.decide("A1", NODULE_MASS="Accept", CALCIFICATION="Reject")
        second = bench.open_request()

        def skipped(by: str, key: int) -> TaskState:
            said = AnnotationState(key, at(0), at(9), (), True, None, None, PEOPLE[by])
            return TaskState(50, second.key, at(9), (said,), image_id="a")

        with bench.store.transaction() as unit:
            unit.adjudication_requests.record_task(second.key, 50, link_expires_at=LATER)

        assert bench.receive(skipped("A1", 7)) is Received.UNCHANGED
        assert bench.receive(skipped("A2", 8)) is Received.SKIPPED

    def test_get_back_what_they_see_differently_until_it_is_settled(self, bench: Bench) -> None:
        bench.decide("A1", NODULE_MASS="Accept", CALCIFICATION="Reject")
        bench.decide("A2", NODULE_MASS="Accept", CALCIFICATION="Accept")

        third = bench.open_request()
        assert (third.round, third.not_for) == (3, "A2")
        assert {one.finding: one.preset for one in third.proposal} == {
            Finding.NODULE_MASS: "Accept",
            Finding.CALCIFICATION: None,
            Finding.CARDIOMEGALY: "Leave",
        }
        assert bench.clusters()[Finding.NODULE_MASS].state is ClusterState.ADJUDICATED
        assert bench.clusters()[Finding.CALCIFICATION].state is ClusterState.CLASS_CONFLICT

        bench.decide("A1", CALCIFICATION="Accept")

        assert bench.clusters()[Finding.CALCIFICATION].p_true == 0.98
        standing = bench.standing()
        assert standing is not None
        assert standing.is_complete

    def test_ask_anew_when_the_first_verdict_changes(self, bench: Bench) -> None:
        first = bench.open_request()
        bench.decide("A1", NODULE_MASS="Accept", CALCIFICATION="Reject")
        bench.receive(
            bench.submit(first, bench.items(first, NODULE_MASS="Reject", CALCIFICATION="Reject"))
        )

        states = [one.state for one in bench.requests()]
        assert states == [RequestState.DECIDED, RequestState.WITHDRAWN, RequestState.OPEN]
        assert bench.open_request().round == 3


class TestTrainingSet:
    def test_takes_what_was_accepted_and_never_what_was_rejected(self, bench: Bench) -> None:
        bench.route()
        bench.decide(NODULE_MASS="Accept", CALCIFICATION="Reject")

        with bench.store.transaction() as unit:
            version = cut_training_set(unit, seed=1, now=LATER)
            again = unit.datasets.get(version.name)

        member = next(one for one in version.images if one.image.id == "a")
        assert {one.finding for one in member.clusters} == {
            Finding.NODULE_MASS,
            Finding.CARDIOMEGALY,
        }
        assert member.is_adjudicated
        assert [one.is_adjudicated for one in again.images] == [True, False]
