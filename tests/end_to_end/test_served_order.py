"""Readers who work at once are served what the criterion chose, in its order."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from backend.cli.readers import new_reader
from backend.desk import open_desk, open_reading_room
from backend.domain.predictions import Prediction
from backend.domain.worklists import EntryState
from backend.label_studio.reader_session import ReaderSession
from backend.label_studio.regions import no_finding_item
from backend.store import schema
from backend.store.unit_of_work import Store
from backend.terminal import now
from backend.workflow.add_readers import add_readers
from backend.workflow.plan_worklists import QueueRules
from backend.workflow.reorder_worklists import reorder_worklists
from backend.workflow.synchronise import synchronise
from backend.workflow.top_up_worklists import top_up_worklists
from tests.end_to_end.conftest import PASSWORD, Product
from tests.store.samples import image, model, predicted, register

pytestmark = [
    pytest.mark.enable_socket,
    pytest.mark.label_studio,
    pytest.mark.xdist_group("end_to_end"),
    pytest.mark.timeout(600),
]

READERS = ("order-1", "order-2", "order-3")
NAMES = [f"order{number:02d}" for number in range(20)]
RULES = QueueRules(3, 8, random_share=0.0, unassisted_share=0.3, seed=3)


@dataclass
class Room:
    """Three readers of Label Studio, with a store of their own."""

    product: Product
    store: Store
    sessions: dict[str, ReaderSession] = field(default_factory=dict)
    projects: dict[str, int] = field(default_factory=dict)

    def waiting(self, reader_id: str) -> list[str]:
        """Return whatever a reader still has on the worklist, by name."""
        with self.store.snapshot() as unit:
            entries = unit.worklists.all(reader_id=reader_id, state=EntryState.OPEN)
        return sorted(entry.image_id for entry in entries)

    def top_up(self) -> None:
        """Pull what was read, choose what is next, and push it."""
        desk = open_desk(self.product.settings)
        assert synchronise(self.store, desk, clock=now).problems == []
        top_up_worklists(self.store, RULES, clock=now)
        assert reorder_worklists(self.store, desk, RULES, clock=now).problems == ()
        assert synchronise(self.store, desk, clock=now).problems == []

    def answer(self, version: str, *, surest: int) -> None:
        """Let a new champion be the less sure of an image, the farther it is from the surest."""
        with self.store.transaction() as unit:
            unit.models.add(model(version, created_at=now()))
            unit.models.crown(version, now=now())
            unit.predictions.add(
                [
                    Prediction(name, version, (predicted(0.5 + (20 - abs(surest - at)) / 50),))
                    for at, name in enumerate(NAMES)
                ],
                now=now(),
            )

    def read_at_once(self, **numbers: int) -> dict[str, list[str]]:
        """Let all readers read so many images each at once; return what they were served."""
        with self.store.snapshot() as unit:
            image_of = {entry.key: entry.image_id for entry in unit.worklists.all()}

        def read(reader_id: str) -> list[str]:
            session = self.sessions[reader_id]
            served: list[str] = []
            while len(served) < numbers[reader_id.replace("-", "_")]:
                task = session.next_task(self.projects[reader_id])
                if task is None:
                    break
                served.append(image_of[task.entry or 0])
                session.submit(task, [no_finding_item()], lead_time_seconds=9)
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
