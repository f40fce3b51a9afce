"""Two radiologists read the same three images in Chromium: one sees suggestions, one does not."""

import time
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from backend.cli.readers import new_reader
from backend.desk import open_desk, open_reading_room
from backend.domain.boxes import Box
from backend.domain.findings import Finding
from backend.domain.predictions import PredictedBox, Prediction
from backend.domain.readings import Arm, Certainty, Origin
from backend.domain.worklists import EntryState, Skip, SkipReason, WorklistEntry
from backend.store.readings import KeptReading
from backend.terminal import now
from backend.workflow.add_readers import add_readers
from backend.workflow.record_predictions import record_predictions
from backend.workflow.register_images import ImageSet, register_images
from backend.workflow.synchronise import synchronise
from backend.workflow.trace_readings import TracedReading, trace_readings
from tests.end_to_end import reading_desk as desk
from tests.end_to_end.conftest import PASSWORD, Product, Reader, sample_file

pytestmark = [
    pytest.mark.enable_socket,
    pytest.mark.label_studio,
    pytest.mark.xdist_group("end_to_end"),
    pytest.mark.timeout(600),
]

CASES = CROWDED, NORMAL, BLURRED = "00000150_002", "00002235_001", "00003211_000"
SIDE = 1024.0  # of all three, in pixels
SUGGESTED = (
    PredictedBox(Finding.CARDIOMEGALY, Box(102.0, 614.0, 307.0, 819.0), score=0.9),
    PredictedBox(Finding.LUNG_OPACITY, Box(614.0, 614.0, 819.0, 819.0), score=0.6),
    PredictedBox(Finding.INFILTRATION, Box(102.0, 102.0, 307.0, 307.0), score=0.5),
    PredictedBox(Finding.NODULE_MASS, Box(614.0, 102.0, 768.0, 256.0), score=0.4),
)
ARMS = {"A1": Arm.ASSISTED, "B1": Arm.UNASSISTED}


@pytest.fixture(scope="module")
def readers(product: Product) -> dict[str, Reader]:
    """Two readers with the same three images, the first of them assisted."""
    logins = [new_reader(product.settings, name, email=None, password=PASSWORD) for name in ARMS]
    added = add_readers(product.store, open_reading_room(product.settings), logins, now=now())
    files: dict[Path, str | None] = {sample_file(name): name for name in CASES}
    register_images(product.store, ImageSet("nih-sample", files), now=now())
    with product.store.transaction() as unit:
        shown = {CROWDED: SUGGESTED, NORMAL: (), BLURRED: SUGGESTED[:1]}
        predictions = [Prediction(name, "scripted-1", boxes) for name, boxes in shown.items()]
        record_predictions(unit, predictions, now=now())
        first = unit.worklists.last_rank() + 1
        entries = [
            WorklistEntry(
                image_id, reader_id, first + place, 0.5, "uncertain", "doubtful", arm,
                "scripted-1" if arm is Arm.ASSISTED else None,
            )
            for reader_id, arm in ARMS.items()
            for place, image_id in enumerate(CASES)
        ]  # fmt: skip
        unit.worklists.add(entries, now=now())
    assert synchronise(product.store, open_desk(product.settings), clock=now).problems == []
    return {login.reader_id: Reader(login, one) for login, one in zip(logins, added, strict=True)}


@pytest.fixture
def open_stream(
    browser: Browser, product: Product, readers: dict[str, Reader]
) -> Callable[[str], Page]:
    """Log a reader in and open the first image."""

    def stream_of(reader_id: str) -> Page:
        context = browser.new_context(viewport={"width": 1280, "height": 800})
        page, reader = context.new_page(), readers[reader_id]
        url = product.settings.label_studio_url
        desk.log_in(page, url, reader.login.email, reader.login.password)
        page.goto(reader.added.stream_url)
        desk.shown_image(page)
        desk.name_and_select_boxes(page)
        return page

    return stream_of


def wait_until_done(product: Product, reader_id: str) -> dict[str, WorklistEntry]:
    """Wait until the webhooks have brought everything of a reader into the store."""
    deadline = time.monotonic() + 60
    while True:
        with product.store.snapshot() as unit:
            entries = unit.worklists.all(reader_id=reader_id)
        if all(entry.state is not EntryState.OPEN for entry in entries):
            return {entry.image_id: entry for entry in entries}
        if time.monotonic() > deadline:
            pytest.fail(f"expected no open image of {reader_id} within a minute, got {entries}")
        time.sleep(0.3)


def traced(product: Product, image_id: str, reader_id: str) -> TracedReading:
    with product.store.snapshot() as unit:
        kept: KeptReading | None = unit.readings.current(image_id, reader_id)
        assert kept is not None
        (found,) = trace_readings(unit, [kept])
    assert found.kept.receipt.state == "valid", found.kept.receipt.reason
    return found


class TestTwoReaders:
    def test_leave_their_answers_with_the_provenance_of_every_box(
        self, product: Product, open_stream: Callable[[str], Page], tmp_path: Path
    ) -> None:
        page = open_stream("A1")
        page.screenshot(path=tmp_path / "assisted.png")
        desk.move_box(page, 0.7, 0.7, 0.05, 0.02)
        desk.select_box(page, 0.2, 0.2)
        page.keyboard.press("7")
        desk.select_box(page, 0.67, 0.17)
        page.keyboard.press("Backspace")
        desk.draw_box(page, "q", 0.40, 0.40, 0.50, 0.50)
        page.keyboard.press("s")
        desk.write_note(page, "clip beside the aorta", confirm=False)
        assert desk.cut_off_px(page) == (0, 0)
        page.screenshot(path=tmp_path / "corrected.png")
        desk.submit(page)
        desk.shown_image(page)
        expect(page.get_by_test_id(desk.SUBMIT)).to_be_disabled()
        page.keyboard.press("n")
        desk.submit(page)
        desk.shown_image(page)
        page.keyboard.press("c")
        desk.write_note(page, "breathing", confirm=True)
        page.screenshot(path=tmp_path / "skipped.png")
        desk.skip(page)
        page.context.close()

        page = open_stream("B1")
        page.screenshot(path=tmp_path / "unassisted.png")
        expect(page.get_by_test_id(desk.SUBMIT)).to_be_disabled()
        desk.draw_box(page, "1", 0.10, 0.60, 0.30, 0.80)
        page.keyboard.press("a")
        desk.submit(page)
        desk.shown_image(page)
        page.keyboard.press("n")
        desk.submit(page)
        desk.shown_image(page)
        page.keyboard.press("b")
        desk.write_note(page, "two patients", confirm=False)
        desk.submit(page)
        page.context.close()

        entries = wait_until_done(product, "A1")
        assert [entries[name].state for name in CASES] == ["read", "read", "skipped"]
        assert entries[BLURRED].skip == Skip(SkipReason.TOO_POOR_TO_JUDGE, "breathing")
        reading = traced(product, CROWDED, "A1")
        assert reading.kept.reading.note == "clip beside the aorta"
        assert reading.kept.reading.arm is Arm.ASSISTED
        assert reading.active_seconds
        by_finding = {one.box.finding: one for one in reading.boxes}
        accepted = by_finding[Finding.CARDIOMEGALY]
        assert (accepted.box.origin, accepted.box.box) == (Origin.ACCEPTED, SUGGESTED[0].box)
        moved = by_finding[Finding.LUNG_OPACITY]
        assert moved.box.origin is Origin.ADJUSTED
        assert moved.adjustment is not None
        assert moved.adjustment.shift_x_px == pytest.approx(0.05 * SIDE, abs=4)
        assert moved.adjustment.shift_y_px == pytest.approx(0.02 * SIDE, abs=4)
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
        assert drawn.box.box == pytest.approx((409.6, 409.6, 512.0, 512.0), abs=8)
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
        (own,) = reading.boxes
        assert (own.box.finding, own.box.origin, own.box.certainty) == (
            Finding.CARDIOMEGALY,
            Origin.DRAWN,
            Certainty.DEFINITE,
        )
        assert own.shown is None
        assert traced(product, NORMAL, "B1").kept.reading.is_no_finding
