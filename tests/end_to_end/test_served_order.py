"""Readers who work at once are served what the criterion chose, in its order."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from backend.cli.readers import new_reader
from backend.desk import open_desk, open_reading_room
from backend.domain.acquisition import reordering
from backend.domain.acquisition.batch import Channel
from backend.domain.findings import Finding
from backend.domain.predictions import Prediction
from backend.domain.worklists import EntryKind, EntryState, WorklistEntry
from backend.label_studio.reader_session import ReaderSession
from backend.label_studio.regions import Region, no_finding_item, region_from_box
from backend.store import schema
from backend.store.unit_of_work import Store
from backend.terminal import now
from backend.workflow.add_readers import add_readers
from backend.workflow.plan_worklists import QueueRules, plan_worklists
from backend.workflow.reach_consensus import reach_consensus
from backend.workflow.reorder_worklists import reorder_worklists
from backend.workflow.synchronise import synchronise
from backend.workflow.top_up_worklists import top_up_worklists
from tests.end_to_end.conftest import PASSWORD, Product
from tests.store.samples import (
    HERE,
    adjudicate,
    image,
    keep,
    mark,
    model,
    predicted,
    reading,
    register,
)

pytestmark = [
    pytest.mark.enable_socket,
    pytest.mark.label_studio,
    pytest.mark.xdist_group("end_to_end"),
    pytest.mark.timeout(600),
]

READERS = ("order-1", "order-2", "order-3")
NAMES = [f"order{number:02d}" for number in range(20)]
GOLD = [f"gold{number:02d}" for number in range(8)]
RULES = QueueRules(3, 8, random_share=0.0, unassisted_share=0.3, seed=3)
EVERYTHING = replace(RULES, random_share=0.3, gold_share=0.3, adaptive_panels=True)

HEART = region_from_box(HERE, Finding.CARDIOMEGALY, 1000, 800, key="heart")


@dataclass
class Room:
    """Three readers of Label Studio, with a store of their own."""

    product: Product
    store: Store
    rules: QueueRules = RULES
    sessions: dict[str, ReaderSession] = field(default_factory=dict)
    projects: dict[str, int] = field(default_factory=dict)
    answers: dict[str, Region] = field(default_factory=dict)
    """What a reader says of every image, if not that nothing is there."""

    def waiting(self, reader_id: str) -> list[str]:
        """Return whatever a reader still has on the worklist, by name."""
        with self.store.snapshot() as unit:
            entries = unit.worklists.all(reader_id=reader_id, state=EntryState.OPEN)
        return sorted(entry.image_id for entry in entries)

    def recorded(self, reader_id: str) -> list[WorklistEntry]:
        """Return what a reader still has on the worklist, in the order that the store holds."""
        with self.store.snapshot() as unit:
            return unit.worklists.all(reader_id=reader_id, state=EntryState.OPEN)

    def add_gold(self) -> None:
        """Register images that others have read and an adjudicator has settled."""
        register(self.store, *map(image, GOLD), readers=("other-1", "other-2"))
        keep(self.store, *(reading(name, f"other-{n}", mark()) for name in GOLD for n in (1, 2)))
        with self.store.transaction() as unit:
            reach_consensus(unit, GOLD, now=now())
        adjudicate(self.store, *GOLD)

    def top_up(self) -> None:
        """Pull what was read, choose what is next, and push it."""
        desk = open_desk(self.product.settings)
        assert synchronise(self.store, desk, clock=now).problems == []
        top_up_worklists(self.store, self.rules, clock=now)
        assert reorder_worklists(self.store, desk, self.rules, clock=now).problems == ()
        assert synchronise(self.store, desk, clock=now).problems == []

    def answer(self, version: str, *, surest: int) -> None:
        """Let a new champion be the less sure of an image, the farther it is from the surest."""
        with self.store.transaction() as unit:
            known = unit.images.all()
            unit.models.add(model(version, created_at=now()))
            unit.models.crown(version, now=now())
            unit.predictions.add(
                [
                    Prediction(name, version, (predicted(0.5 + (20 - abs(surest - at)) / 50),))
                    for at, name in enumerate([*NAMES, *GOLD])
                    if name in known
                ],
                now=now(),
            )

    def read_at_once(self, **numbers: int) -> dict[str, list[str]]:
        """Let all readers read so many images each at once; return what they were served."""
        with self.store.snapshot() as unit:
            image_of = {entry.key: entry.image_id for entry in unit.worklists.all()}

        def read(reader_id: str) -> list[str]:
            session = self.sessions[reader_id]
            answer = self.answers.get(reader_id, no_finding_item())
            served: list[str] = []
            while len(served) < numbers[reader_id.replace("-", "_")]:
                task = session.next_task(self.projects[reader_id])
                if task is None:
                    break
                served.append(image_of[task.entry or 0])
                session.submit(task, [answer], lead_time_seconds=9)
            return served

        with ThreadPoolExecutor(len(READERS)) as pool:
            return dict(zip(READERS, pool.map(read, READERS), strict=True))


@pytest.fixture
def room(product: Product, tmp_path: Path) -> Iterator[Room]:
    """Twenty images, the model the surer the higher their number; nothing chosen yet."""
    url = f"sqlite:///{tmp_path / 'order.sqlite3'}"
    schema.upgrade(url)
    room = Room(product, Store(url))
    register(room.store, *(image(name) for name in NAMES), readers=())
    logins = [
        new_reader(product.settings, name, email=None, password=PASSWORD) for name in READERS
    ]
    added = add_readers(room.store, open_reading_room(product.settings), logins, now=now())
    for login, one in zip(logins, added, strict=True):
        room.projects[login.reader_id] = one.project.project_id
        room.sessions[login.reader_id] = ReaderSession.log_in(
            product.settings.label_studio_url, login.email, login.password
        )
    yield room
    for session in room.sessions.values():
        session.close()
    room.store.close()


class TestServedOrder:
    def test_is_that_of_the_criterion_for_every_reader_whatever_happens(self, room: Room) -> None:
        room.answer("m1", surest=19)
        room.top_up()

        served = room.read_at_once(order_1=5, order_2=3, order_3=2)

        assert served == {
            "order-1": NAMES[:5],
            "order-2": NAMES[:3],
            "order-3": NAMES[:2],
        }

        room.top_up()
        waiting = {reader_id: room.waiting(reader_id) for reader_id in READERS}
        assert {len(names) for names in waiting.values()} == {8}

        served = room.read_at_once(order_1=4, order_2=5, order_3=3)

        assert served == {
            "order-1": waiting["order-1"][:4],
            "order-2": waiting["order-2"][:5],
            "order-3": waiting["order-3"][:3],
        }

        room.answer("m2", surest=0)
        heads = {reader_id: waiting[reader_id][len(served[reader_id])] for reader_id in READERS}
        room.top_up()
        waiting = {reader_id: room.waiting(reader_id) for reader_id in READERS}
        assert {len(names) for names in waiting.values()} == {8}

        served = room.read_at_once(order_1=99, order_2=99, order_3=99)

        for reader_id in READERS:
            head, *others = served[reader_id]
            assert head == heads[reader_id]  # which the reader may have open
            assert others == sorted(set(waiting[reader_id]) - {head}, reverse=True)
        assert any(served[one] != served["order-1"] for one in READERS)

    def test_has_its_random_images_gold_cases_and_third_readers_where_they_were_put(
        self, room: Room
    ) -> None:
        room.answers["order-1"] = HEART  # who disputes with everybody
        room.rules = EVERYTHING
        room.add_gold()
        room.answer("m1", surest=19)
        with room.store.snapshot() as unit:
            planned = plan_worklists(unit, room.rules, now=now()).entries
        room.top_up()
        asked: list[WorklistEntry] = []

        def read_as_recorded(number: int) -> None:
            """Let everybody read so many images, and check what each was served."""
            lists = {reader_id: room.recorded(reader_id) for reader_id in READERS}
            served = room.read_at_once(order_1=number, order_2=number, order_3=number)
            for reader_id, entries in lists.items():
                assert served[reader_id] == [one.image_id for one in entries[:number]]
                worth = [one.score for one in entries if reordering.follows_the_queue(one)]
                assert worth[1:] == sorted(worth[1:], reverse=True)  # the first may be begun
                asked.extend(entries[:number])

        for reader_id in READERS:
            assert [one.image_id for one in room.recorded(reader_id)] == [
                one.image_id for one in planned if one.reader_id == reader_id
            ]
        read_as_recorded(5)
        room.top_up()
        with room.store.transaction() as unit:
            reach_consensus(unit, NAMES, now=now())
        room.top_up()
        read_as_recorded(4)
        room.answer("m2", surest=0)
        room.top_up()
        read_as_recorded(99)

        assert {one.kind for one in asked} == {EntryKind.READING, EntryKind.GOLD}
        assert {one.channel for one in asked} >= {Channel.RANDOM, Channel.REREAD, Channel.GOLD}
