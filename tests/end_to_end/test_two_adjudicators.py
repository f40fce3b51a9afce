"""Two adjudicators see a radiograph differently, and settle it in a second round."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from backend.desk import open_desk, open_reading_room, service_token
from backend.domain.adjudication.verdict import Act
from backend.domain.boxes import Box
from backend.domain.findings import Finding
from backend.domain.readings import ReadBox, Reading
from backend.label_studio.reader_session import ReaderSession
from backend.label_studio.regions import Region
from backend.label_studio.tasks import TaskState
from backend.store.readings import Receipt
from backend.terminal import now
from backend.workflow.add_adjudicators import NewAdjudicator, add_adjudicators
from backend.workflow.reach_consensus import reach_consensus
from backend.workflow.register_images import ImageSet, register_images
from backend.workflow.route_conflicts import RoutingRules, route_conflicts
from backend.workflow.synchronise_adjudication import DESK, synchronise_adjudication
from tests.end_to_end.conftest import PASSWORD, Product, sample_file

pytestmark = [
    pytest.mark.enable_socket,
    pytest.mark.label_studio,
    pytest.mark.xdist_group("end_to_end"),
    pytest.mark.timeout(600),
]

IMAGE = "00007735_018"
OPACITY, INFILTRATION = Box(176.0, 293.0, 354.0, 573.0), Box(184.0, 300.0, 350.0, 590.0)
PLEURA, HEART = Box(180.0, 66.0, 426.0, 147.0), Box(410.0, 560.0, 800.0, 800.0)
RULES = RoutingRules(readings_per_image=3, adjudicators=2, size=10, seed=1)
ADJUDICATOR = NewAdjudicator("A1", "a1@adjudicators.example", PASSWORD)
SECOND = NewAdjudicator("A2", "a2@adjudicators.example", PASSWORD)


def dispute(product: Product) -> None:
    """Let three readers dispute a radiograph, and send it to the adjudicators."""
    files: dict[Path, str | None] = {sample_file(IMAGE): IMAGE}
    register_images(product.store, ImageSet("nih-sample", files), now=now())
    readings = [
        Reading(IMAGE, reader_id, tuple(ReadBox(*mark) for mark in marks), now())
        for reader_id, marks in {
            "E1": [(Finding.LUNG_OPACITY, OPACITY), (Finding.CARDIOMEGALY, HEART)],
            "E2": [(Finding.INFILTRATION, INFILTRATION), (Finding.CARDIOMEGALY, HEART)],
            "E3": [(Finding.PNEUMOTHORAX, PLEURA), (Finding.CARDIOMEGALY, HEART)],
        }.items()
    ]
    with product.store.transaction() as unit:
        unit.readers.ensure(["E1", "E2", "E3"], now=now())
        unit.readings.add(readings, Receipt(now()))
        reach_consensus(unit, [IMAGE], now=now())
        report = route_conflicts(unit, RULES, now=now())
    assert [one.image_id for one in report.sent] == [IMAGE]


@pytest.fixture
def stream(product: Product) -> str:
    """Adjudicators with log-ins and an empty project; give its worklist."""
    return add_adjudicators(
        product.store,
        open_reading_room(product.settings),
        [ADJUDICATOR, SECOND],
        service_token=service_token(product.settings, DESK),
        now=now(),
    )


def synchronise(product: Product) -> int:
    """Bring Label Studio and the store to agree; give the number of new tasks."""
    synced = synchronise_adjudication(product.store, open_desk(product.settings), clock=now)
    assert synced.problems == []
    return synced.tasks_pushed


@contextmanager
def session(product: Product, who: NewAdjudicator) -> Iterator[ReaderSession]:
    url = product.settings.label_studio_url
    with ReaderSession.log_in(url, who.email, who.password) as opened:
        yield opened


def answered(task: TaskState, **acts: str) -> list[Region]:
    """Return a task's boxes with what is chosen for the disputed ones."""
    items = [dict(one) for one in task.predictions[0].result]
    for box in [one for one in items if one["from_name"] == "finding"]:
        act = acts.get(box["value"]["rectanglelabels"][0].replace(" ", "_"))
        if act:
            value = {"choices": [act]}
            items.append({**box, "from_name": "act", "type": "choices", "value": value})
    value = {"choices": ["Nothing is missing"]}
    ticked = {"id": "s", "from_name": "study", "to_name": "image", "type": "choices"}
    return [*items, {**ticked, "value": value}]


class TestTwoAdjudicators:
    def test_settle_what_they_see_differently(self, product: Product, stream: str) -> None:
        project_id = int(stream.split("/projects/")[1].split("/", maxsplit=1)[0])
        dispute(product)
        assert synchronise(product) == 1

        rounds = (
            (ADJUDICATOR, {"Lung_Opacity": "Accept", "Infiltration": "Reject"}),
            (SECOND, {"Lung_Opacity": "Accept", "Infiltration": "Accept"}),
            (ADJUDICATOR, {"Infiltration": "Accept"}),
        )
        for number, (who, acts) in enumerate(rounds, start=1):
            with session(product, who) as working:
                task = working.next_task(project_id)
                assert task is not None
                choices = {"Pneumothorax": "Reject", **acts} if number < 3 else acts
                working.submit(task, answered(task, **choices), lead_time_seconds=9.0)
                synchronise(product)
                assert working.next_task(project_id) is None, "nobody confirms the own verdict"

        with product.store.snapshot() as unit:
            standing = unit.adjudications.standing([IMAGE])[IMAGE]
        decided = {one.subject.finding: one.act for one in standing.decisions if one.subject}
        assert decided == {
            Finding.LUNG_OPACITY: Act.ACCEPT,
            Finding.INFILTRATION: Act.ACCEPT,
            Finding.PNEUMOTHORAX: Act.REJECT,
        }
        assert standing.adjudicators == ("A1", "A2")
        assert standing.is_complete
        assert synchronise(product) == 0
