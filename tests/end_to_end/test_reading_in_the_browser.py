"""A radiologist reads two images in Chromium, and the store holds exactly that."""

import time
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from backend.desk import open_desk, queue_rules
from backend.domain.boxes import Box
from backend.domain.findings import Finding
from backend.domain.predictions import PredictedBox, Prediction
from backend.domain.readings import Arm, Origin, Reading
from backend.terminal import now
from backend.workflow.record_predictions import record_predictions
from backend.workflow.register_images import ImageSet, register_images
from backend.workflow.synchronise import synchronise
from backend.workflow.top_up_worklists import top_up_worklists
from tests.end_to_end import reading_desk
from tests.end_to_end.conftest import Product, Reader, sample_file

pytestmark = [
    pytest.mark.enable_socket,
    pytest.mark.label_studio,
    pytest.mark.xdist_group("end_to_end"),
    pytest.mark.timeout(600),
]

UNCERTAIN, EMPTY = "00011583_000", "00002154_000"
SUGGESTED = PredictedBox(Finding.LUNG_OPACITY, Box(610.0, 580.0, 870.0, 790.0), score=0.5)


@pytest.fixture
def worklist(product: Product, reader: Reader) -> None:
    """Two sample radiographs, the one with a doubtful box first."""
    files: dict[Path, str | None] = {sample_file(name): name for name in (UNCERTAIN, EMPTY)}
    register_images(product.store, ImageSet("nih-sample", files), now=now())
    with product.store.transaction() as unit:
        record_predictions(
            unit,
            [
                Prediction(UNCERTAIN, "scripted-1", (SUGGESTED,)),
                Prediction(EMPTY, "scripted-1", ()),
            ],
            now=now(),
        )
    top_up_worklists(product.store, queue_rules(product.settings), clock=now)
    report = synchronise(product.store, open_desk(product.settings), clock=now)
    assert report.problems == []
    assert report.tasks_pushed == 2
    assert reader.added.problem is None


def wait_for_readings(product: Product, number: int) -> dict[str, Reading]:
    """Wait until the webhook has brought so many readings into the store."""
    deadline = time.monotonic() + 60
    readings: dict[str, Reading] = {}
    while time.monotonic() < deadline:
        with product.store.snapshot() as unit:
            valid = unit.readings.valid([UNCERTAIN, EMPTY])
            readings = {reading.image_id: reading for reading in valid}
        if len(readings) == number:
            return readings
        time.sleep(0.3)
    pytest.fail(f"expected {number} readings in the store within a minute, got {len(readings)}")


@pytest.mark.usefixtures("worklist")
class TestReadingInTheBrowser:
    def test_ends_in_the_store_exactly_as_it_was_read(
        self, product: Product, reader: Reader, page: Page, tmp_path: Path
    ) -> None:
        page.goto(product.settings.backend_url)
        page.fill("#email", reader.login.email)
        page.fill("#password", reader.login.password)
        page.click("button[type=submit]")
        expect(page.get_by_text("0 of 2")).to_be_visible()
        stream = page.get_by_role("link", name="Start reading").get_attribute("href")
        assert stream is not None

        reading_desk.log_in(
            page, product.settings.label_studio_url, reader.login.email, reader.login.password
        )
        page.goto(stream)
        reading_desk.shown_image(page)
        page.screenshot(path=tmp_path / "pre-annotation.png")
        reading_desk.draw_box(page, "9", 0.30, 0.20, 0.40, 0.30)
        page.screenshot(path=tmp_path / "drawn.png")
        reading_desk.submit(page)

        reading_desk.shown_image(page)
        expect(page.get_by_test_id(reading_desk.SUBMIT)).to_be_disabled()
        page.keyboard.press("n")
        expect(page.get_by_test_id(reading_desk.SUBMIT)).to_be_enabled()
        reading_desk.submit(page)

        readings = wait_for_readings(product, 2)
        accepted, drawn = sorted(
            readings[UNCERTAIN].boxes, key=lambda box: box.origin is Origin.DRAWN
        )
        assert (accepted.origin, accepted.finding) == (Origin.ACCEPTED, Finding.LUNG_OPACITY)
        assert accepted.box == SUGGESTED.box
        assert accepted.predicted_box_id is not None
        assert (drawn.origin, drawn.finding) == (Origin.DRAWN, Finding.NODULE_MASS)
        assert drawn.box == pytest.approx((307.2, 204.8, 409.6, 307.2), abs=8)
        assert readings[UNCERTAIN].deleted == ()
        assert readings[UNCERTAIN].arm is Arm.ASSISTED
        assert readings[UNCERTAIN].model_version == "scripted-1"
        assert readings[UNCERTAIN].lead_time_seconds
        assert readings[EMPTY].is_no_finding
        with product.store.snapshot() as unit:
            assert set(unit.consensus.current([UNCERTAIN, EMPTY])) == {UNCERTAIN, EMPTY}

        page.goto(product.settings.backend_url)
        expect(page.get_by_text("2 of 2")).to_be_visible()
