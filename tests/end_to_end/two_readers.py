"""Two readers of the same three images, the first of them assisted, and what their hands do."""

import time
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import Page, expect

from backend.cli.readers import new_reader
from backend.desk import open_desk, open_reading_room
from backend.domain.boxes import Box
from backend.domain.findings import Finding
from backend.domain.predictions import PredictedBox, Prediction
from backend.domain.readings import Arm
from backend.domain.worklists import EntryState, WorklistEntry
from backend.terminal import now
from backend.workflow.add_readers import add_readers
from backend.workflow.record_predictions import record_predictions
from backend.workflow.register_images import ImageSet, register_images
from backend.workflow.synchronise import synchronise
from tests.end_to_end import reading_desk as desk
from tests.end_to_end.conftest import PASSWORD, Product, Reader, sample_file

CASES = CROWDED, NORMAL, BLURRED = "two-readers-portrait", "two-readers-landscape", "00003211_000"
CROPS = {
    CROWDED: ("00000150_002", (160, 0, 860, 1024)),
    NORMAL: ("00002235_001", (0, 160, 1024, 860)),
}
"""What is cut out of which sample radiograph, to have a portrait and a landscape."""
WIDTH, HEIGHT = 700.0, 1024.0  # of the crowded one, in pixels
SUGGESTED = (
    PredictedBox(Finding.CONSOLIDATION, Box(70.0, 614.0, 210.0, 819.0), score=0.9),
    PredictedBox(Finding.LUNG_OPACITY, Box(420.0, 614.0, 560.0, 819.0), score=0.6),
    PredictedBox(Finding.INFILTRATION, Box(70.0, 102.0, 210.0, 307.0), score=0.5),
    PredictedBox(Finding.NODULE_MASS, Box(420.0, 102.0, 525.0, 256.0), score=0.4),
)
ARMS = {"A1": Arm.ASSISTED, "B1": Arm.UNASSISTED}
READING_PAGE = (desk.hidden_film_px, desk.hidden_form_px)


def employ(product: Product, folder: Path) -> dict[str, Reader]:
    """Give both readers log-ins and the three images."""
    logins = [new_reader(product.settings, name, email=None, password=PASSWORD) for name in ARMS]
    added = add_readers(product.store, open_reading_room(product.settings), logins, now=now())
    files: dict[Path, str | None] = {sample_file(BLURRED): BLURRED}
    files |= {_cropped(name, folder): name for name in CROPS}
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


def read(pages: dict[str, Page], pictures: Path) -> None:
    """Let both readers read their images, and name one place differently."""
    page = pages["A1"]
    desk.expect_nothing_cut_off(page, pictures / "portrait", *READING_PAGE)
    desk.move_box(page, 0.7, 0.7, 0.05, 0.02)
    desk.select_box(page, 0.2, 0.2)
    page.keyboard.press("7")
    desk.select_box(page, 0.67, 0.17)
    page.keyboard.press("Backspace")
    desk.draw_box(page, "q", 0.40, 0.40, 0.50, 0.50)
    page.keyboard.press("s")
    desk.write_note(page, "clip beside the aorta", confirm=False)
    page.screenshot(path=pictures / "corrected.png")
    desk.submit(page)
    desk.expect_nothing_cut_off(page, pictures / "landscape", *READING_PAGE)
    expect(page.get_by_test_id(desk.SUBMIT)).to_be_disabled()
    page.keyboard.press("n")
    desk.submit(page)
    desk.shown_image(page)
    page.keyboard.press("c")
    desk.write_note(page, "breathing", confirm=True)
    page.screenshot(path=pictures / "skipped.png")
    desk.skip(page)

    page = pages["B1"]
    page.screenshot(path=pictures / "unassisted.png")
    expect(page.get_by_test_id(desk.SUBMIT)).to_be_disabled()
    desk.draw_box(page, "6", 0.10, 0.60, 0.30, 0.80)
    page.keyboard.press("a")
    page.keyboard.press("Escape")  # a key renames the box that is selected
    desk.draw_box(page, "7", 0.10, 0.10, 0.30, 0.30)
    desk.submit(page)
    desk.shown_image(page)
    page.keyboard.press("n")
    desk.submit(page)
    desk.shown_image(page)
    page.keyboard.press("b")
    desk.write_note(page, "two patients", confirm=False)
    desk.submit(page)


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


def _cropped(image_id: str, folder: Path) -> Path:
    """Cut a radiograph out of one of the sample."""
    source, area = CROPS[image_id]
    path = folder / f"{image_id}.png"
    with Image.open(sample_file(source)) as whole:
        whole.crop(area).save(path)
    return path
