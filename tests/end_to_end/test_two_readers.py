"""Two radiologists read in Chromium; an adjudicator settles there what they name differently."""

import time
from collections.abc import Iterator
from pathlib import Path
from unittest.mock import ANY

import pytest
from playwright.sync_api import Browser, Page, expect

from backend.desk import open_desk, open_reading_room, service_token
from backend.domain.adjudication.verdict import Act, Verdict
from backend.domain.consensus.clusters import ClusterState
from backend.domain.findings import Finding
from backend.domain.readings import Arm, Certainty, Origin
from backend.domain.worklists import Skip, SkipReason
from backend.store.readings import KeptReading
from backend.terminal import now
from backend.workflow.add_adjudicators import NewAdjudicator, add_adjudicators
from backend.workflow.reach_consensus import reach_consensus
from backend.workflow.route_conflicts import RoutingRules, route_conflicts
from backend.workflow.synchronise_adjudication import DESK, synchronise_adjudication
from backend.workflow.trace_readings import TracedReading, trace_readings
from tests.end_to_end import reading_desk as desk
from tests.end_to_end import two_readers
from tests.end_to_end.conftest import PASSWORD, Product, Reader
from tests.end_to_end.two_readers import (
    ARMS,
    BLURRED,
    CASES,
    CROWDED,
    HEIGHT,
    NORMAL,
    READING_PAGE,
    SUGGESTED,
    WIDTH,
    wait_until_done,
)

pytestmark = [
    pytest.mark.enable_socket,
    pytest.mark.label_studio,
    pytest.mark.xdist_group("end_to_end"),
    pytest.mark.timeout(600),
]

JUDGE = NewAdjudicator("J1", "j1@adjudicators.example", PASSWORD)
RULES = RoutingRules(readings_per_image=2, adjudicators=1, size=10, seed=1)


@pytest.fixture(scope="module")
def readers(product: Product, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Reader]:
    """Two readers with the same three images."""
    return two_readers.employ(product, tmp_path_factory.mktemp("crops"))


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return where screenshots go."""
    return tmp_path_factory.mktemp("pictures")


@pytest.fixture(scope="module")
def answered(
    browser: Browser, product: Product, readers: dict[str, Reader], pictures: Path
) -> Iterator[dict[str, Page]]:
    """Let both readers read their images; give their pages."""
    contexts = [browser.new_context(viewport={"width": 1280, "height": 800}) for _ in readers]
    pages = {name: context.new_page() for name, context in zip(readers, contexts, strict=True)}
    for name, page in pages.items():
        login, url = readers[name].login, product.settings.label_studio_url
        desk.log_in(page, url, login.email, login.password)
        page.goto(readers[name].added.stream_url)
        desk.shown_image(page)
        desk.name_and_select_boxes(page)
    two_readers.read(pages, pictures)
    yield pages
    for context in contexts:
        context.close()


def traced(product: Product, image_id: str, reader_id: str) -> TracedReading:
    with product.store.snapshot() as unit:
        kept: KeptReading | None = unit.readings.current(image_id, reader_id)
        assert kept is not None
        (found,) = trace_readings(unit, [kept])
    assert found.kept.receipt.state == "valid", found.kept.receipt.reason
    return found


def wait_for_verdict(product: Product) -> Verdict:
    """Wait until the webhook has brought the verdict into the store."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        with product.store.snapshot() as unit:
            standing = unit.adjudications.standing([CROWDED])
        if CROWDED in standing:
            return standing[CROWDED]
        time.sleep(0.3)
    pytest.fail("expected a verdict in the store within a minute")


def final_boxes(product: Product) -> dict[Finding, tuple[ClusterState, float, dict[str, Origin]]]:
    """Return how every cluster ended, with the origin of each supporter's own box."""
    with product.store.snapshot() as unit:
        [(_, consensus)] = unit.consensus.current([CROWDED]).values()
        readings = unit.readings.counting([CROWDED])
    origins = {box.id: box.origin for reading in readings for box in reading.boxes}
    return {
        cluster.finding: (
            cluster.state,
            cluster.p_true,
            {one.reader_id: origins[one.read_box_id] for one in cluster.supporters},
        )
        for cluster in consensus.clusters
    }


class TestTwoReaders:
    @pytest.mark.usefixtures("answered")
    def test_leave_their_answers_with_the_provenance_of_every_box(self, product: Product) -> None:
        entries = wait_until_done(product, "A1")
        assert [entries[name].state for name in CASES] == ["read", "read", "skipped"]
        assert entries[BLURRED].skip == Skip(SkipReason.TOO_POOR_TO_JUDGE, "breathing")
        reading = traced(product, CROWDED, "A1")
        assert reading.kept.reading.note == "clip beside the aorta"
        assert reading.kept.reading.arm is Arm.ASSISTED
        assert reading.active_seconds
        by_finding = {one.box.finding: one for one in reading.boxes}
        accepted = by_finding[Finding.CONSOLIDATION]
        assert (accepted.box.origin, accepted.box.box) == (Origin.ACCEPTED, SUGGESTED[0].box)
        moved = by_finding[Finding.LUNG_OPACITY]
        assert moved.box.origin is Origin.ADJUSTED
        assert moved.adjustment is not None
        assert moved.adjustment.shift_x_px == pytest.approx(0.05 * WIDTH, abs=4)
        assert moved.adjustment.shift_y_px == pytest.approx(0.02 * HEIGHT, abs=4)
        assert moved.adjustment.width_change_px == pytest.approx(0, abs=2)
        assert 0.4 < moved.adjustment.iou < 0.8
        assert not moved.adjustment.is_relabelled
        relabelled = by_finding[Finding.ILD]
        assert relabelled.box.origin is Origin.ADJUSTED
        assert relabelled.adjustment is not None
        assert relabelled.adjustment.shown_finding is Finding.INFILTRATION
        assert relabelled.adjustment.iou == pytest.approx(1.0, abs=0.02)
        drawn = by_finding[Finding.PLEURAL_EFFUSION]
        assert (drawn.box.origin, drawn.box.certainty) == (Origin.DRAWN, Certainty.PROBABLE)
        assert drawn.box.box == pytest.approx((280.0, 409.6, 350.0, 512.0), abs=8)
        deleted = by_finding[Finding.NODULE_MASS]
        assert (deleted.box.origin, deleted.box.box) == (Origin.DELETED, SUGGESTED[3].box)
        assert len(reading.boxes) == 5
        assert traced(product, NORMAL, "A1").kept.reading.is_no_finding

        entries = wait_until_done(product, "B1")
        assert [entries[name].state for name in CASES] == ["read", "read", "skipped"]
        assert entries[BLURRED].skip == Skip(SkipReason.OTHER, "two patients")
        reading = traced(product, CROWDED, "B1")
        assert (reading.kept.reading.arm, reading.kept.reading.model_version) == (
            Arm.UNASSISTED,
            None,
        )
        assert {one.box.finding: one.box.certainty for one in reading.boxes} == {
            Finding.ATELECTASIS: Certainty.DEFINITE,
            Finding.ILD: None,
        }
        assert {(one.box.origin, one.shown) for one in reading.boxes} == {(Origin.DRAWN, None)}
        assert traced(product, NORMAL, "B1").kept.reading.is_no_finding

    def test_see_all_of_a_case_that_they_open_by_its_link(
        self,
        product: Product,
        readers: dict[str, Reader],
        answered: dict[str, Page],
        pictures: Path,
    ) -> None:
        entries, page = wait_until_done(product, "A1"), answered["A1"]
        project, _, _ = readers["A1"].added.stream_url.partition("?")
        for name in (CROWDED, NORMAL):
            page.goto(f"{project}?task={entries[name].task_id}")
            desk.expect_nothing_cut_off(page, pictures / f"again-{name}", *READING_PAGE)


class TestAdjudicator:
    @pytest.mark.usefixtures("answered")
    def test_settles_what_the_two_name_differently(
        self, product: Product, page: Page, pictures: Path
    ) -> None:
        for reader_id in ARMS:
            wait_until_done(product, reader_id)
        worklist = add_adjudicators(
            product.store,
            open_reading_room(product.settings),
            [JUDGE],
            service_token=service_token(product.settings, DESK),
            now=now(),
        )
        with product.store.transaction() as unit:
            reach_consensus(unit, [CROWDED], now=now())
            (sent,) = route_conflicts(unit, RULES, now=now()).sent
        assert sent.image_id == CROWDED
        assert "One place, called Atelectasis and Consolidation." in {
            conflict.reason for conflict in sent.conflicts
        }
        synced = synchronise_adjudication(product.store, open_desk(product.settings), clock=now)
        assert (synced.problems, synced.tasks_pushed) == ([], 1)

        desk.log_in(page, product.settings.label_studio_url, JUDGE.email, JUDGE.password)
        page.goto(worklist)
        desk.expect_nothing_cut_off(page, pictures / "adjudication", desk.hidden_film_px)
        content = page.content()
        assert "Reader A" in content
        assert not [reader for reader in ARMS if f">{reader}<" in content]
        page.set_viewport_size({"width": 1920, "height": 1080})  # the list holds what is in view
        page.get_by_test_id(desk.SUBMIT).click()
        expect(page.get_by_text("leave this box first")).to_be_visible()
        page.get_by_role("button", name="OK").click()
        page.keyboard.press("Escape")
        desk.decide(page, "Consolidation", "a")
        desk.decide(page, "Atelectasis", "d", reason="no loss of volume")
        desk.decide(page, "Lung Opacity", "a")
        desk.decide(page, "Pleural effusion", "w", "a")
        page.keyboard.press("n")
        page.screenshot(path=pictures / "adjudicated.png")
        desk.submit(page)

        verdict = wait_for_verdict(product)
        assert (verdict.adjudicators, verdict.is_complete) == (("J1",), True)
        decided = {one.subject.finding: one for one in verdict.decisions if one.subject}
        assert {finding: one.act for finding, one in decided.items()} == {
            Finding.CONSOLIDATION: Act.ACCEPT,
            Finding.ATELECTASIS: Act.REJECT,
            Finding.LUNG_OPACITY: Act.ACCEPT,
            Finding.PLEURAL_EFFUSION: Act.RELABEL,
        }
        assert decided[Finding.ATELECTASIS].reason == "no loss of volume"
        settled, agreed = ClusterState.ADJUDICATED, ClusterState.UNANIMOUS
        assert final_boxes(product) == {
            Finding.CONSOLIDATION: (settled, 0.98, {"A1": Origin.ACCEPTED}),
            Finding.ATELECTASIS: (settled, 0.02, {"B1": Origin.DRAWN}),
            Finding.LUNG_OPACITY: (settled, 0.98, {"A1": Origin.ADJUSTED}),
            Finding.PLEURAL_THICKENING: (settled, 0.98, {"A1": Origin.DRAWN}),
            Finding.ILD: (agreed, ANY, {"A1": Origin.ADJUSTED, "B1": Origin.DRAWN}),
        }
