"""The adjudicators' project and the store agree, whatever Label Studio loses or mixes up."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, cast

import pytest
from typing_extensions import override

from backend.domain.adjudication.request import Request, RequestState
from backend.label_studio.client import LabelStudioClient
from backend.label_studio.connection import LabelStudioMissingError
from backend.label_studio.task_rows import UnreadableTask
from backend.label_studio.tasks import TaskState
from backend.store.adjudicators import AdjudicationDesk
from backend.store.unit_of_work import Store
from backend.workflow.check_adjudication import check_adjudication
from backend.workflow.label_studio_desk import LabelStudioDesk
from backend.workflow.pull_verdicts import AdjudicationSync
from backend.workflow.receive_reading import Received
from backend.workflow.synchronise_adjudication import synchronise_adjudication
from tests.store.samples import NOW
from tests.workflow.label_studio_model import PROJECT, LabelStudioModel, ModelTask
from tests.workflow.test_adjudication import PEOPLE, TWO, Bench, bench

__all__ = ["bench"]


@dataclass
class AdjudicationModel(LabelStudioModel):
    """The adjudicators' project in memory, with what is asked of it by path."""

    closed: set[int] = field(default_factory=set)
    patched: list[int] = field(default_factory=list)
    unreadable: set[int] = field(default_factory=set)

    @override
    def ask(
        self, method: str, path: str, *, body: Mapping[str, Any] | None = None, **_: object
    ) -> Any:
        if method == "GET":
            rows = [{"id": key, "is_labeled": key in self.closed} for key in self.tasks]
            return {"tasks": rows, "total": len(rows)}
        task_id = int(path.split("/")[3])
        if task_id not in self.tasks:
            raise LabelStudioMissingError(f"no task {task_id}")
        assert body is not None
        if method == "POST":
            self.answer(task_id, "the system", (), named=body["completed_by"], skips=True)
        else:
            self.patched.append(task_id)
            self.touch(task_id)
            (self.closed.add if body["is_labeled"] else self.closed.discard)(task_id)
        return {}

    def answer(
        self,
        task_id: int,
        who: str,
        result: tuple[Any, ...],
        *,
        named: int | None = None,
        skips: bool = False,
    ) -> None:
        self.submit(task_id, result, was_cancelled=skips)
        author = PEOPLE.get(who, 99)
        made = self.tasks[task_id].annotations[self.last_annotation]
        self.tasks[task_id].annotations[made.id] = replace(
            made, completed_by=named or author, updated_by=author
        )
        if not skips:
            self.closed.add(task_id)

    def go_back(self, backup: tuple[dict[int, ModelTask], int, int], closed: set[int]) -> None:
        self.restore(backup)
        self.closed = set(closed)

    @override
    def changed_tasks(
        self,
        project_id: int,
        since: datetime | None,
        *,
        on_unreadable: Callable[[UnreadableTask], None] | None = None,
    ) -> Iterator[TaskState]:
        assert on_unreadable is not None
        for task in super().changed_tasks(project_id, since, on_unreadable=on_unreadable):
            if task.task_id in self.unreadable:
                on_unreadable(UnreadableTask(task.task_id, task.updated_at, "no data"))
            else:
                yield task


@dataclass
class Office:
    """A bench whose adjudicators work in a project."""

    bench: Bench
    room: AdjudicationModel

    @property
    def desk(self) -> LabelStudioDesk:
        return LabelStudioDesk(
            lambda _: cast(LabelStudioClient, self.room),
            "http://backend",
            "secret",
            timedelta(days=3650),
        )

    def sync(self) -> AdjudicationSync:
        found = synchronise_adjudication(self.bench.store, self.desk, clock=lambda: self.room.now)
        assert found.problems == []
        return found

    def request(self) -> Request:
        return self.bench.requests()[-1]

    def task_id(self) -> int:
        found = self.request().task_id
        assert found is not None
        return found

    def decide(self, who: str = "A1", **acts: str) -> None:
        acts = acts or {"NODULE_MASS": "Accept", "CALCIFICATION": "Reject"}
        items = tuple(self.bench.items(self.request(), **acts))
        self.room.answer(self.task_id(), who, items)

    def remedies(self) -> dict[str, str]:
        found = check_adjudication(self.bench.store, self.desk)
        return {one.what: one.remedy for one in found if one.remedy}


@pytest.fixture
def office(bench: Bench) -> Office:
    """One disputed image, sent and pushed."""
    bench.route()
    with bench.store.transaction() as unit:
        unit.adjudicators.set_desk(AdjudicationDesk(1, PROJECT))
    made = Office(bench, AdjudicationModel("desk@example.org"))
    assert made.sync().tasks_pushed == 1
    return made


class TestARestoredBackup:
    @pytest.mark.parametrize("since", ["nothing", "a draft"])
    def test_withdraws_no_verdict_and_touches_none(self, office: Office, since: str) -> None:
        ask_another(office.bench.store)
        office.sync()
        first, second = sorted(office.room.tasks)
        backup = office.room.back_up()
        office.decide()
        office.room.answer(second, "A2", ())
        office.sync()
        assert office.bench.standing() is not None
        office.room.patched.clear()

        office.room.go_back(backup, set())
        if since == "a draft":  # moves the task's time, and the other one gives the backup away
            office.room.touch(first)
        found = [office.sync() for _ in range(3)]

        assert [one.received[Received.LOST] for one in found] == [2, 0, 0]
        assert [len(one.notices) for one in found] == [1, 0, 0]
        standing = office.bench.standing()
        assert standing is not None
        assert standing.adjudicators == ("A1",)
        assert office.request().state is RequestState.DECIDED
        assert office.room.patched == []
        assert str(first) in office.remedies()["restored"]

    def test_lets_the_adjudicator_answer_again_and_nobody_else(self, office: Office) -> None:
        backup, closed = office.room.back_up(), set(office.room.closed)
        office.decide()
        office.sync()
        office.room.go_back(backup, closed)
        assert office.sync().received[Received.LOST] == 1

        office.decide("A2", NODULE_MASS="Reject")
        office.sync()
        standing = office.bench.standing()
        assert standing is not None
        assert standing.version == "1"

        office.decide("A1", NODULE_MASS="Reject")
        assert office.sync().received[Received.REVISED] == 1
        assert "restored" not in office.remedies()

    def test_is_told_from_a_deleted_annotation(self, office: Office) -> None:
        office.decide()
        office.sync()
        office.room.withdraw(office.task_id(), office.room.last_annotation)

        assert office.sync().received[Received.WITHDRAWN] == 1
        assert office.bench.standing() is None


class TestATaskThatCannotBeTaken:
    @pytest.mark.parametrize("fault", ["breaks the program", "is malformed"])
    def test_keeps_nobody_waiting_and_is_tried_again(self, office: Office, fault: str) -> None:
        ask_another(office.bench.store)
        office.sync()
        [other] = office.room.tasks.keys() - {office.task_id()}
        odd = cast(tuple[Any, ...], 5) if fault == "breaks the program" else ()
        office.room.answer(other, "A2", odd)
        office.room.unreadable = {other} if fault == "is malformed" else set()
        office.decide()

        found = office.sync()

        assert found.received[Received.NEW] == 1
        assert office.bench.standing() is not None
        assert [f"task {other} could not be read" in one for one in found.notices] == [True]
        assert len(office.sync().notices) == 1
        office.room.unreadable = set()
        [made] = office.room.tasks[other].annotations
        office.room.tasks[other].annotations[made] = replace(
            office.room.tasks[other].annotations[made], result=()
        )
        mended = office.sync()
        assert (mended.received[Received.NEW], mended.notices) == (1, [])

    def test_is_none_when_the_clock_is_set_back(self, office: Office) -> None:
        office.room.now += timedelta(days=2)
        office.decide()
        office.sync()
        office.room.now -= timedelta(days=1)
        changed = tuple(office.bench.items(office.request(), NODULE_MASS="Reject"))
        office.room.revise(office.task_id(), office.room.last_annotation, changed)

        assert office.sync().received[Received.REVISED] == 1
        assert office.sync().received[Received.REVISED] == 0


class TestAQuarantinedVerdict:
    def test_is_asked_for_again_with_the_reason(self, office: Office) -> None:
        office.decide("A1", NODULE_MASS="Perhaps")
        assert office.task_id() in office.room.closed

        assert office.sync().received[Received.QUARANTINED] == 1

        assert office.task_id() not in office.room.closed
        assert "Perhaps" in office.room.tasks[office.task_id()].data["brief"]
        assert "quarantine" in office.remedies()
        office.room.patched.clear()
        office.sync()
        assert office.room.patched == [], "once is enough"
        office.decide()
        office.sync()
        assert office.bench.standing() is not None
        assert office.task_id() in office.room.closed

    def test_of_who_may_not_confirm_leaves_it_to_the_other(self, office: Office) -> None:
        office.bench.rules = TWO
        with office.bench.store.transaction() as unit:
            [one] = unit.adjudication_requests.all()
            again = replace(one, question=2, adjudicators=2, task_id=None, id=None)
            unit.adjudication_requests.set_state(one.key, RequestState.WITHDRAWN, now=NOW)
            unit.adjudication_requests.add([again], now=NOW)
        office.sync()
        office.decide("A1")
        office.sync()
        assert (office.request().round, office.request().not_for) == (2, "A1")
        office.decide("A1")
        assert office.sync().received[Received.QUARANTINED] == 1

        assert office.task_id() not in office.room.closed
        office.decide("A2")
        office.sync()
        standing = office.bench.standing()
        assert standing is not None
        assert standing.adjudicators == ("A1", "A2")


class TestAClosedTask:
    def test_may_be_gone(self, office: Office) -> None:
        with office.bench.store.transaction() as unit:
            unit.adjudication_requests.set_state(
                office.request().key, RequestState.WITHDRAWN, now=NOW
            )
        office.room.delete_task(office.task_id())

        assert office.sync().tasks_pushed == 0


def ask_another(store: Store) -> None:
    """Ask the adjudicators about the second image, too."""
    with store.transaction() as unit:
        [known] = unit.adjudication_requests.all(image_ids=["a"])
        again = replace(known, image_id="b", consequence=0.1, task_id=None, id=None)
        unit.adjudication_requests.add([again], now=NOW)
