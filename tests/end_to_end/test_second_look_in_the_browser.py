"""A radiologist misses what the model sees, and gets the case back once, with both sets marked."""

import time
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from backend.cli.readers import new_reader
from backend.desk import open_desk, open_reading_room, queue_rules
from backend.domain.boxes import Box
from backend.domain.findings import Finding
from backend.domain.predictions import PredictedBox, Prediction
from backend.domain.readings import Arm, Certainty, Origin, Reading, ReadingKind
from backend.domain.second_look_changes import changes
from backend.domain.worklists import EntryKind, WorklistEntry
from backend.label_studio.reading_form import form_keys
from backend.store.unit_of_work import UnitOfWork
from backend.terminal import now
from backend.workflow.add_readers import add_readers
from backend.workflow.count_second_looks import count_second_looks
from backend.workflow.offer_second_looks import offer_second_looks
from backend.workflow.record_predictions import record_predictions
from backend.workflow.register_images import ImageSet, register_images
from backend.workflow.synchronise import synchronise
from tests.end_to_end import reading_desk
from tests.end_to_end.conftest import PASSWORD, Product, Reader, sample_file

pytestmark = [
    pytest.mark.enable_socket,
    pytest.mark.label_studio,
    pytest.mark.xdist_group("end_to_end"),
    pytest.mark.timeout(600),
]

TAKEN, DECLINED, RENAMED = "00000150_002", "00001933_000", "00003211_000"
PLACE = Box(600.0, 150.0, 850.0, 420.0)
HEART = Box(400.0, 520.0, 760.0, 800.0)
KEYS = {key.title: key.hotkey for key in form_keys().findings}
MISSED = {
    TAKEN: PredictedBox(Finding.PNEUMOTHORAX, PLACE, 0.91),
    DECLINED: PredictedBox(Finding.NODULE_MASS, PLACE, 0.8),
    RENAMED: PredictedBox(Finding.CONSOLIDATION, PLACE, 0.7),
}


@pytest.fixture(scope="module")
def looker(product: Product) -> Reader:
    """Return a reader of their own, with three radiographs to read unassisted."""
    login = new_reader(product.settings, "R7", email=None, password=PASSWORD)
    added = add_readers(product.store, open_reading_room(product.settings), [login], now=now())
    files: dict[Path, str | None] = {sample_file(name): name for name in MISSED}
    register_images(product.store, ImageSet("nih-sample", files), now=now())
    heart = PredictedBox(Finding.CARDIOMEGALY, HEART, 0.85)
    with product.store.transaction() as unit:
        record_predictions(
            unit,
            [Prediction(name, "scripted-1", (heart, box)) for name, box in MISSED.items()],
            now=now(),
        )
        unit.worklists.add(
            [
                WorklistEntry(
                    image_id=name,
                    reader_id="R7",
                    rank=rank,
                    score=1.0,
                    channel="random",
                    reason="Drawn at random.",
                    arm=Arm.UNASSISTED,
                )
                for rank, name in enumerate(MISSED, start=1)
            ],
            now=now(),
        )
    assert synchronise(product.store, open_desk(product.settings), clock=now).problems == []
    return Reader(login, added[0])


def wait_for(
    product: Product, found: Callable[[UnitOfWork], list[Reading]], number: int
) -> dict[str, Reading]:
    """Wait until so many readings have come into the store."""
    deadline = time.monotonic() + 60
    readings: list[Reading] = []
    while time.monotonic() < deadline:
        with product.store.snapshot() as unit:
            readings = found(unit)
        if len(readings) == number:
            return {one.image_id: one for one in readings}
        time.sleep(0.3)
    pytest.fail(f"expected {number} readings in the store within a minute, got {len(readings)}")


def of_kind(kind: ReadingKind) -> Callable[[UnitOfWork], list[Reading]]:
    return lambda unit: [one for one in unit.readings.valid(MISSED) if one.kind is kind]


def blind(product: Product) -> object:
    with product.store.snapshot() as unit:
        return unit.readings.counting(MISSED), unit.consensus.current(MISSED)


def offer(product: Product, share: float = 1.0) -> list[WorklistEntry]:
    """Do what the nightly run does, without waiting for readings to be quiet; return R7's.

    Other tests' readers read in the same store, and may be asked too.
    """
    rules = replace(
        queue_rules(product.settings), second_look_share=share, second_look_quiet=timedelta(0)
    )
    with product.store.transaction() as unit:
        offered = offer_second_looks(unit, rules, now=now())
    return [entry for entry in offered if entry.reader_id == "R7"]


def click_model(page: Page) -> None:
    area = reading_desk.shown_image(page).bounding_box()
    assert area is not None
    share_x, share_y = (PLACE.x_min + 60) / 1024, (PLACE.y_min + 60) / 1024
    page.mouse.click(area["x"] + area["width"] * share_x, area["y"] + area["height"] * share_y)
    page.wait_for_timeout(500)


class TestSecondLookInTheBrowser:
    def test_brings_the_case_back_once_and_keeps_both_states(
        self, product: Product, looker: Reader, page: Page, tmp_path: Path
    ) -> None:
        settings, stream = product.settings, looker.added.stream_url
        reading_desk.log_in(page, settings.label_studio_url, looker.login.email, PASSWORD)
        page.goto(stream)
        for _ in MISSED:
            expect(page.get_by_text("Second look.")).to_have_count(0)
            reading_desk.draw_box(page, KEYS[Finding.CARDIOMEGALY.title], 0.39, 0.50, 0.74, 0.78)
            reading_desk.submit(page)
        first = wait_for(product, of_kind(ReadingKind.READING), len(MISSED))
        before = blind(product)

        assert offer(product, share=0.0) == [], "switched off"
        offered = offer(product)
        assert [one.image_id for one in offered] == [TAKEN, DECLINED, RENAMED]
        assert {one.kind for one in offered} == {EntryKind.SECOND_LOOK}
        report = synchronise(product.store, open_desk(settings), clock=now)
        assert report.problems == []
        assert report.tasks_pushed >= len(MISSED)

        page.goto(stream)
        reading_desk.shown_image(page)
        expect(
            page.get_by_text("The model sees a Pneumothorax (0.91) that you did not mark.")
        ).to_be_visible()
        page.screenshot(path=tmp_path / "second-look.png")
        reading_desk.submit(page)

        expect(page.get_by_text("sees a Nodule/Mass (0.80)")).to_be_visible()
        click_model(page)
        page.keyboard.press("Backspace")
        page.wait_for_timeout(300)
        page.screenshot(path=tmp_path / "declined.png")
        reading_desk.submit(page)

        expect(page.get_by_text("sees a Consolidation (0.70)")).to_be_visible()
        click_model(page)
        expect(page.get_by_text("Probable")).to_be_visible()
        page.screenshot(path=tmp_path / "selected.png")
        page.keyboard.press(KEYS[Finding.LUNG_OPACITY.title])
        page.wait_for_timeout(300)
        page.keyboard.press("s")
        page.wait_for_timeout(300)
        page.screenshot(path=tmp_path / "renamed.png")
        reading_desk.submit(page)

        second = wait_for(product, of_kind(ReadingKind.SECOND_LOOK), len(MISSED))
        made = {name: changes(first[name], second[name]) for name in MISSED}
        assert {name: len(second[name].boxes) for name in MISSED} == {
            TAKEN: 2,
            DECLINED: 1,
            RENAMED: 2,
        }
        own, taken = second[TAKEN].boxes
        assert (own.origin, own.own_box_id) == (Origin.ACCEPTED, first[TAKEN].boxes[0].id)
        assert (taken.origin, taken.finding, taken.box) == (
            Origin.ACCEPTED,
            Finding.PNEUMOTHORAX,
            PLACE,
        )
        assert [box.finding for box in made[TAKEN].added] == [Finding.PNEUMOTHORAX]
        assert [box.finding for box in made[DECLINED].declined] == [Finding.NODULE_MASS]
        assert not made[DECLINED].changed_answer
        [renamed] = made[RENAMED].added
        assert (renamed.origin, renamed.finding, renamed.certainty) == (
            Origin.ADJUSTED,
            Finding.LUNG_OPACITY,
            Certainty.PROBABLE,
        )

        assert blind(product) == before
        assert offer(product) == []
        synchronise(product.store, open_desk(settings), clock=now)
        assert blind(product) == before
        with product.store.snapshot() as unit:
            numbers = count_second_looks(unit, "R7")
        assert (numbers.offered, numbers.done, numbers.changed_answer) == (3, 3, 2)
