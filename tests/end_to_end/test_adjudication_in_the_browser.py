"""An adjudicator settles a class conflict in Chromium, and the store holds the final boxes."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from backend.desk import open_desk, open_reading_room, service_token
from backend.domain.adjudication.verdict import Act, Verdict
from backend.domain.boxes import Box
from backend.domain.consensus.clusters import Cluster, ClusterState
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
from tests.end_to_end import reading_desk
from tests.end_to_end.conftest import PASSWORD, Product, sample_file

pytestmark = [
    pytest.mark.enable_socket,
    pytest.mark.label_studio,
    pytest.mark.xdist_group("end_to_end"),
    pytest.mark.timeout(600),
]

IMAGE, OTHER_IMAGE = "00005869_001", "00007735_018"
OPACITY, INFILTRATION = Box(176.0, 293.0, 354.0, 573.0), Box(184.0, 300.0, 350.0, 590.0)
PLEURA, HEART = Box(180.0, 66.0, 426.0, 147.0), Box(410.0, 560.0, 800.0, 800.0)
RULES = RoutingRules(readings_per_image=3, adjudicators=1, size=10, seed=1)
TWO = replace(RULES, adjudicators=2)
ADJUDICATOR = NewAdjudicator("A1", "a1@adjudicators.example", PASSWORD)
SECOND = NewAdjudicator("A2", "a2@adjudicators.example", PASSWORD)


def dispute(product: Product, image_id: str, rules: RoutingRules) -> None:
    """Let three readers dispute a radiograph, and send it to the adjudicators."""
    files: dict[Path, str | None] = {sample_file(image_id): image_id}
    register_images(product.store, ImageSet("nih-sample", files), now=now())
    readings = [
        Reading(image_id, reader_id, tuple(ReadBox(*mark) for mark in marks), now())
        for reader_id, marks in {
            "E1": [(Finding.LUNG_OPACITY, OPACITY), (Finding.CARDIOMEGALY, HEART)],
            "E2": [(Finding.INFILTRATION, INFILTRATION), (Finding.CARDIOMEGALY, HEART)],
            "E3": [(Finding.PNEUMOTHORAX, PLEURA), (Finding.CARDIOMEGALY, HEART)],
        }.items()
    ]
    with product.store.transaction() as unit:
        unit.readers.ensure(["E1", "E2", "E3"], now=now())
        unit.readings.add(readings, Receipt(now()))
        reach_consensus(unit, [image_id], now=now())
        report = route_conflicts(unit, rules, now=now())
    assert [one.image_id for one in report.sent] == [image_id]


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


def choose(page: Page, name: str, *keys: str, reason: str = "") -> None:
    """Select a box in the list of regions, press keys, write a reason."""
    page.locator("[class*=outliner-item__title]").get_by_text(name, exact=True).click()
    page.wait_for_timeout(400)
    for key in keys:
        page.keyboard.press(key)
        page.wait_for_timeout(300)
    if reason:
        field = page.get_by_placeholder("Reason, optional")
        field.fill(reason)
        field.press("Enter")
        page.wait_for_timeout(300)
    page.keyboard.press("Escape")
    page.wait_for_timeout(200)


def wait_for_verdict(product: Product) -> Verdict:
    """Wait until the webhook has brought the verdict into the store."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        with product.store.snapshot() as unit:
            standing = unit.adjudications.standing([IMAGE])
        if IMAGE in standing:
            return standing[IMAGE]
        time.sleep(0.3)
    pytest.fail("expected a verdict in the store within a minute")


class TestAdjudicationInTheBrowser:
    def test_settles_a_class_conflict_box_by_box(
        self, product: Product, stream: str, page: Page, tmp_path: Path
    ) -> None:
        dispute(product, IMAGE, RULES)
        assert synchronise(product) == 1
        reading_desk.log_in(
            page, product.settings.label_studio_url, ADJUDICATOR.email, ADJUDICATOR.password
        )
        page.goto(stream)
        for width, height in ((1280, 800), (1920, 1080)):
            page.set_viewport_size({"width": width, "height": height})
            reading_desk.shown_image(page)
            page.screenshot(path=tmp_path / f"adjudication-{width}.png")
        content = page.content()
        assert "Reader A" in content
        assert not [reader for reader in ("E1", "E2", "E3") if f">{reader}<" in content]

        page.get_by_test_id(reading_desk.SUBMIT).click()
        expect(page.get_by_text("leave this box first")).to_be_visible()
        page.get_by_role("button", name="OK").click()
        page.keyboard.press("Escape")
        choose(page, "Lung Opacity", "a")
        choose(page, "Infiltration", "d", reason="same lesion, worse name")
        choose(page, "Pneumothorax", "w", "a")
        page.keyboard.press("n")
        page.set_viewport_size({"width": 1280, "height": 800})
        page.locator("[class*=outliner-item__title]").get_by_text(
            "Infiltration", exact=True
        ).click()
        page.wait_for_timeout(700)
        page.screenshot(path=tmp_path / "adjudicated.png")
        reading_desk.submit(page)

        verdict = wait_for_verdict(product)
        decided = {one.subject.finding: one for one in verdict.decisions if one.subject}
        assert {finding: one.act for finding, one in decided.items()} == {
            Finding.LUNG_OPACITY: Act.ACCEPT,
            Finding.INFILTRATION: Act.REJECT,
            Finding.PNEUMOTHORAX: Act.RELABEL,
        }
        assert decided[Finding.INFILTRATION].reason == "same lesion, worse name"
        assert (verdict.adjudicators, verdict.is_complete) == (("A1",), True)

        final = self._clusters(product)
        assert final[Finding.LUNG_OPACITY].state is ClusterState.ADJUDICATED
        assert [one.reader_id for one in final[Finding.LUNG_OPACITY].supporters] == ["E1"]
        assert final[Finding.LUNG_OPACITY].box == pytest.approx(OPACITY, abs=0.5)
        assert final[Finding.PLEURAL_THICKENING].box == pytest.approx(PLEURA, abs=0.5)
        assert final[Finding.PLEURAL_THICKENING].p_true == 0.98
        assert final[Finding.INFILTRATION].p_true == 0.02
        assert final[Finding.CARDIOMEGALY].state is ClusterState.UNANIMOUS
        assert Finding.PNEUMOTHORAX not in final

    @staticmethod
    def _clusters(product: Product) -> dict[Finding, Cluster]:
        with product.store.snapshot() as unit:
            [(_, consensus)] = unit.consensus.current([IMAGE]).values()
        return {one.finding: one for one in consensus.clusters}


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
        dispute(product, OTHER_IMAGE, TWO)
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
            standing = unit.adjudications.standing([OTHER_IMAGE])[OTHER_IMAGE]
        decided = {one.subject.finding: one.act for one in standing.decisions if one.subject}
        assert decided == {
            Finding.LUNG_OPACITY: Act.ACCEPT,
            Finding.INFILTRATION: Act.ACCEPT,
            Finding.PNEUMOTHORAX: Act.REJECT,
        }
        assert standing.adjudicators == ("A1", "A2")
        assert standing.is_complete
        assert synchronise(product) == 0
