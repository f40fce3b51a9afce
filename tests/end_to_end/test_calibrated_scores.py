"""A reader opens a task and sees what the real detector found, with calibrated scores."""

import hashlib
import math
from importlib.util import find_spec
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from backend.cli.readers import new_reader
from backend.demo import sample
from backend.desk import open_desk, open_reading_room
from backend.domain.findings import Finding
from backend.domain.models import ModelState, ModelVersion
from backend.domain.readings import Arm
from backend.domain.score_calibration import ScoreCurve, Scoring
from backend.domain.worklists import WorklistEntry
from backend.terminal import now
from backend.workflow.add_readers import add_readers
from backend.workflow.register_images import ImageSet, register_images
from backend.workflow.synchronise import synchronise
from ml_backend.open_detector import open_detector
from ml_backend.score_pool import score_pool
from tests.end_to_end import reading_desk as desk
from tests.end_to_end.conftest import PASSWORD, Product, Reader, sample_file

if find_spec("ultralytics") is None:
    pytest.skip("needs the extra `ml`", allow_module_level=True)

pytestmark = [
    pytest.mark.enable_socket,
    pytest.mark.label_studio,
    pytest.mark.xdist_group("end_to_end"),
    pytest.mark.timeout(600),
]

IMAGE, MODEL, READER = "00012141_013", "calibrated-1", "C1"
CURVE = ScoreCurve(slope=0.5, intercept=-0.3, weight=0.3, at=(-2.0, 2.0), steps=(0.1, 0.7))
SCORING = Scoring(
    curves={Finding.LUNG_OPACITY: CURVE},
    thresholds={Finding.LUNG_OPACITY: 0.2},  # below what is shown of other findings
    false_marks_per_image=1.0,
)


@pytest.fixture
def reader(product: Product) -> Reader:
    """Return a reader whose one task carries the pre-annotation of a calibrated model version."""
    model = ModelVersion(
        MODEL,
        ModelState.CHALLENGER,
        str(sample.WEIGHTS),
        hashlib.sha256(sample.WEIGHTS.read_bytes()).hexdigest(),
        created_at=now(),
        scoring=SCORING,
    )
    login = new_reader(product.settings, READER, email=None, password=PASSWORD)
    (added,) = add_readers(product.store, open_reading_room(product.settings), [login], now=now())
    register_images(product.store, ImageSet("nih-sample", {sample_file(IMAGE): IMAGE}), now=now())
    with product.store.transaction() as unit:
        unit.models.add(model)
    with product.store.snapshot() as unit:
        registered = unit.models.get(MODEL)
    yolo = product.settings.model_copy(update={"detector": "yolo", "device": "cpu"})
    assert score_pool(product.store, open_detector(yolo, registered), clock=now).failed == []
    with product.store.transaction() as unit:
        entry = WorklistEntry(
            IMAGE, READER, unit.worklists.last_rank() + 1, 0.5, "uncertain", "doubtful",
            Arm.ASSISTED, MODEL,
        )  # fmt: skip
        unit.worklists.add([entry], now=now())
    assert synchronise(product.store, open_desk(product.settings), clock=now).problems == []
    return Reader(login, added)


class TestCalibratedScores:
    def test_stand_beside_the_boxes_that_a_reader_sees(
        self, product: Product, reader: Reader, page: Page, tmp_path: Path
    ) -> None:
        with product.store.snapshot() as unit:
            kept = unit.predictions.of_model(MODEL, [IMAGE])[IMAGE].boxes
        url = product.settings.label_studio_url
        desk.log_in(page, url, reader.login.email, reader.login.password)

        with page.expect_response(lambda answer: "id=next_task" in answer.url) as served:
            page.goto(reader.added.stream_url)
        desk.shown_image(page)
        page.screenshot(path=tmp_path / "calibrated.png")

        (prediction,) = served.value.json()["predictions"]
        shown = {region["id"]: region["score"] for region in prediction["result"]}
        assert [box.finding for box in kept] == [Finding.LUNG_OPACITY] * 2
        raw = [box.raw_score for box in kept]
        assert raw == pytest.approx([0.896, 0.188], abs=0.02)
        for number, box in enumerate(kept):
            assert box.score == pytest.approx(expected(raw[number]), abs=1e-6)
            assert box.score != pytest.approx(raw[number], abs=0.01)
        assert sorted(shown.values(), reverse=True) == pytest.approx([box.score for box in kept])
        assert min(shown.values()) < 0.25
        for box in kept:
            expect(page.get_by_text(f"{box.score:.2f}", exact=True).first).to_be_visible()


def expected(raw: float | None) -> float:
    """Return what the curve of its finding makes of a raw score, worked out by hand."""
    assert raw is not None
    at = math.log(raw / (1 - raw))
    smooth = 1 / (1 + math.exp(-(0.5 * at - 0.3)))
    stepped = 0.1 + 0.6 * (min(max(at, -2.0), 2.0) + 2.0) / 4.0
    return 0.7 * smooth + 0.3 * stepped
