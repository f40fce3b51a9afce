"""Small things to keep in a store."""

from datetime import UTC, datetime, timedelta

import numpy as np

from backend.domain.adjudication.proposal import propose
from backend.domain.adjudication.request import Request, RequestState
from backend.domain.adjudication.verdict import Verdict
from backend.domain.boxes import Box
from backend.domain.consensus import verdict
from backend.domain.consensus.clusters import Consensus
from backend.domain.consensus.panel import prior_panel
from backend.domain.consensus.survey import Survey
from backend.domain.findings import Finding
from backend.domain.images import Image
from backend.domain.models import ModelState, ModelVersion
from backend.domain.predictions import PredictedBox, Prediction
from backend.domain.reading_table import ReadingTable
from backend.domain.readings import Arm, ReadBox, Reading
from backend.domain.worklists import WorklistEntry
from backend.store.adjudicators import Adjudicator
from backend.store.panels import PRIOR_VERSION
from backend.store.readers import ReaderProject
from backend.store.readings import Receipt
from backend.store.unit_of_work import Store
from backend.store.verdict_rows import VerdictReceipt

NOW = datetime(2026, 1, 2, 3, 4, 5, 678, tzinfo=UTC)
LATER = NOW + timedelta(hours=1)
HERE = Box(10.5, 20.25, 110.125, 220.0625)
THERE = Box(300, 300, 400, 400)


def image(image_id: str = "a", *, patient: str | None = None) -> Image:
    return Image(
        id=image_id,
        source="test",
        uri=f"/images/{image_id}.png",
        sha256="0" * 64,
        pixel_hash=f"pixels-{image_id}",
        width_px=1000,
        height_px=800,
        patient_key=patient or image_id,
    )


def mark(box: Box = HERE, finding: Finding = Finding.CARDIOMEGALY) -> ReadBox:
    return ReadBox(finding, box)


def reading(image_id: str = "a", reader_id: str = "R1", *boxes: ReadBox) -> Reading:
    return Reading(image_id, reader_id, boxes, NOW)


def model(name: str = "m1", *, created_at: datetime = NOW) -> ModelVersion:
    return ModelVersion(name, ModelState.CHALLENGER, f"/weights/{name}.pt", "1" * 64, created_at)


def predicted(score: float = 0.5, finding: Finding = Finding.CARDIOMEGALY) -> PredictedBox:
    return PredictedBox(finding, HERE, score)


def entry(image_id: str = "a", reader_id: str = "R1", *, rank: int = 1) -> WorklistEntry:
    return WorklistEntry(
        image_id=image_id,
        reader_id=reader_id,
        rank=rank,
        score=1.5,
        channel="uncertain",
        reason="It was asked for.",
        arm=Arm.UNASSISTED,
    )


def register(store: Store, *images: Image, readers: tuple[str, ...] = ("R1", "R2", "R3")) -> None:
    """Keep images and readers."""
    with store.transaction() as unit:
        unit.images.add(images, now=NOW)
        unit.readers.ensure(readers, now=NOW)


def keep(store: Store, *readings: Reading) -> None:
    """Keep imported readings."""
    with store.transaction() as unit:
        unit.readings.add(readings, Receipt(NOW))


def crowd(images: int = 24) -> list[Reading]:
    """Readings of images "c00", "c01" and so on by three of R1 to R4 each, who differ a little."""
    rng = np.random.default_rng(1)
    readings = []
    for number in range(images):
        corner = rng.uniform(100, 400, 2)
        finding = rng.choice([Finding.CARDIOMEGALY, Finding.ILD, Finding.INFILTRATION])
        for reader in rng.permutation(4)[:3]:
            marks = []
            if rng.uniform() < 0.5 + 0.1 * reader:
                x, y = corner + rng.normal(0, 8, 2)
                named = finding if rng.uniform() < 0.8 else Finding.LUNG_OPACITY
                marks.append(mark(Box(x, y, x + 200, y + 150), Finding(named)))
            if rng.uniform() < 0.2:
                marks.append(mark(Box(600, 500, 700, 560), Finding.NODULE_MASS))
            readings.append(reading(f"c{number:02d}", f"R{reader + 1}", *marks))
    return readings


def read_by_a_crowd(store: Store, images: int = 24) -> None:
    """Keep the readings of a crowd."""
    readings = crowd(images)
    ids = sorted({one.image_id for one in readings})
    register(store, *map(image, ids), readers=("R1", "R2", "R3", "R4"))
    keep(store, *readings)


def answer(store: Store, image_id: str = "a", *, method_version: str = PRIOR_VERSION) -> Consensus:
    """Reconcile the kept readings of an image, when nothing is known of the readers."""
    with store.snapshot() as unit:
        readings = unit.readings.counting([image_id])
        ids = unit.readings.counting_ids([image_id])
    common = verdict.reconcile(Survey.of(ReadingTable.of(readings)), prior_panel())
    [consensus] = verdict.answers(common, method_version, ids)
    return consensus


def enrol(store: Store, *reader_ids: str) -> None:
    """Give readers a Label Studio project each."""
    with store.transaction() as unit:
        unit.readers.ensure(reader_ids, now=NOW)
        for number, reader_id in enumerate(reader_ids, start=1):
            email = f"{reader_id.lower()}@example.org"
            unit.readers.add_project(ReaderProject(reader_id, email, number, 100 + number))


def serve(store: Store, *predictions: Prediction) -> None:
    """Make m1 champion, with these predictions."""
    with store.transaction() as unit:
        unit.models.add(model())
        unit.models.crown("m1", now=NOW)
        unit.predictions.add(predictions, now=NOW)


def adjudicate(store: Store, *image_ids: str) -> None:
    """Let an adjudicator find that what the current answers say is all there is."""
    with store.transaction() as unit:
        unit.adjudicators.put([Adjudicator("A1", "a1@example.com", 1)], now=NOW)
        answers = unit.consensus.current(image_ids)
        shown = {
            image_id: propose(answers[image_id][1], frozenset(), {}) if image_id in answers else ()
            for image_id in image_ids
        }
        asked = unit.adjudication_requests.add(
            [
                Request(
                    image_id,
                    question=1,
                    round=1,
                    reasons=("a conflict",),
                    consequence=1.0,
                    is_test=False,
                    proposal=shown[image_id],
                    candidates=(),
                    state=RequestState.DECIDED,
                )
                for image_id in image_ids
            ],
            now=NOW,
        )
        for one in asked:
            unit.adjudications.revise(
                Verdict(one.image_id, (), True, True, adjudicators=("A1",)),
                VerdictReceipt(one.key, decided_at=NOW, received_at=NOW),
            )
