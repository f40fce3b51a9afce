"""A simulated crowd that read here: entries, readings, predictions, and adjudicated images."""

from datetime import UTC, datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from backend.domain.boxes import Box
from backend.domain.consensus.clusters import Cluster, ClusterState, Consensus
from backend.domain.findings import Finding
from backend.domain.predictions import PredictedBox, Prediction
from backend.domain.reading_table import ReadingTable
from backend.domain.readings import Arm, ReadBox, Reading
from backend.domain.worklists import EntryKind, EntryState, WorklistEntry
from backend.store.readings import Receipt
from backend.store.unit_of_work import Store
from backend.workflow.reach_consensus import reach_consensus
from benchmarks.simulated_assistance import Sway, assist, model_of
from benchmarks.simulated_crowd import SimulatedCrowd, simulate
from tests.store.samples import adjudicate, image, model

START = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
BEFORE = START - timedelta(days=1)
_ORDINARY = 3
"""Readings per image; whoever reads an adjudicated one beyond them reads a gold case."""


def read_here(
    store: Store,
    *,
    images: int,
    adjudicated: int,
    readers: int = 6,
    unassisted_share: float = 0.2,
    sway: Sway | None = None,
    slower_from: float = 1.0,
    per_day: int = 8,
    seed: int = 1,
) -> SimulatedCrowd:
    """Let a crowd read in a store, in arms drawn by lot; its first reader becomes slower.

    The first so many images with a lesion are adjudicated, and their further readings gold cases.
    `slower_from` is the share of the time after which the first reader takes twice as long.
    """
    rng = np.random.default_rng(seed)
    crowd = simulate(rng, images=images, readers=readers, readers_per_image=_ORDINARY + 2)
    both = assist(rng, crowd, model_of(rng, crowd), sway or Sway(0.4, 0.3, 0.15))
    is_assisted = rng.random(len(both.without.reading_images)) >= unassisted_share
    table = both.drawn(is_assisted)
    settled = np.flatnonzero(crowd.is_abnormal)[:adjudicated]
    rank_on_image = np.arange(len(table.reading_images)) - np.searchsorted(
        table.reading_images, table.reading_images
    )
    # Whoever is beyond the ordinary readings differs from image to image.
    seat = (rank_on_image + table.reading_images) % (_ORDINARY + 2)
    kinds = np.where(seat < _ORDINARY, EntryKind.READING, EntryKind.GOLD)
    is_kept = (kinds == EntryKind.READING) | np.isin(table.reading_images, settled)

    names = table.image_ids
    with store.transaction() as unit:
        unit.images.add([image(name) for name in names], now=BEFORE)
        unit.readers.ensure(table.reader_ids, now=BEFORE)
        unit.models.add(model(created_at=BEFORE))
        unit.models.crown("m1", now=BEFORE)
        unit.predictions.add(_predictions(both.model), now=BEFORE)
        readings, entries = _readings(
            rng, table, is_assisted, kinds, is_kept, per_day, slower_from
        )
        unit.worklists.add(entries, now=START)
        unit.readings.add(readings, Receipt(START, annotation_id=1))
    with store.transaction() as unit:
        reach_consensus(unit, names, now=START)
        ids = unit.readings.counting_ids([names[number] for number in settled.tolist()])
        unit.consensus.record(
            [
                _verdict(crowd, names[number], number, ids[names[number]])
                for number in settled.tolist()
            ],
            now=START,
        )
    adjudicate(store, *(names[number] for number in settled.tolist()))
    return crowd


def _predictions(table: ReadingTable) -> list[Prediction]:
    boxes: dict[int, list[PredictedBox]] = {}
    for number, finding, box in zip(
        table.mark_images.tolist(),
        table.mark_findings.tolist(),
        table.mark_boxes.tolist(),
        strict=True,
    ):
        boxes.setdefault(number, []).append(PredictedBox(Finding(finding), Box(*box), 0.6))
    return [
        Prediction(name, "m1", tuple(boxes.get(number, ())))
        for number, name in enumerate(table.image_ids)
    ]


def _readings(
    rng: np.random.Generator,
    table: ReadingTable,
    is_assisted: NDArray[np.bool_],
    kinds: NDArray[np.str_],
    is_kept: NDArray[np.bool_],
    per_day: int,
    slower_from: float,
) -> tuple[list[Reading], list[WorklistEntry]]:
    key = table.reading_images * len(table.reader_ids) + table.reading_readers
    reading = np.searchsorted(key, table.mark_images * len(table.reader_ids) + table.mark_readers)
    boxes: dict[int, list[ReadBox]] = {}
    for row, finding, box in zip(
        reading.tolist(), table.mark_findings.tolist(), table.mark_boxes.tolist(), strict=True
    ):
        width, height = box[2] - box[0], box[3] - box[1]
        edges = np.array(box) + rng.normal(0, 0.04, 4) * [width, height, width, height]
        boxes.setdefault(row, []).append(
            ReadBox(Finding(finding), Box(*np.maximum(edges, 0).tolist()))
        )
    totals = np.bincount(table.reading_readers[is_kept], minlength=len(table.reader_ids))
    done = [0] * len(table.reader_ids)
    readings, entries = [], []
    for row in np.flatnonzero(is_kept).tolist():
        reader = int(table.reading_readers[row])
        done[reader] += 1
        arm = Arm.ASSISTED if is_assisted[row] else Arm.UNASSISTED
        version = "m1" if is_assisted[row] else None
        seconds = float(rng.lognormal(np.log(60 if is_assisted[row] else 75), 0.4))
        if reader == 0 and done[reader] > slower_from * totals[reader]:
            seconds *= 2
        name, reader_id = table.image_ids[table.reading_images[row]], table.reader_ids[reader]
        at = START + timedelta(days=done[reader] // per_day, minutes=2 * (done[reader] % per_day))
        readings.append(
            Reading(
                name,
                reader_id,
                tuple(boxes.get(row, ())),
                at,
                arm=arm,
                model_version=version,
                lead_time_seconds=seconds,
            )
        )
        entries.append(
            WorklistEntry(
                image_id=name,
                reader_id=reader_id,
                rank=done[reader],
                score=0.5,
                channel="uncertain",
                reason="It was asked for.",
                arm=arm,
                model_version=version,
                kind=EntryKind(kinds[row]),
                state=EntryState.READ,
            )
        )
    return readings, entries


def _verdict(
    crowd: SimulatedCrowd, name: str, number: int, reading_ids: tuple[int, ...]
) -> Consensus:
    """Return the truth of an image as an adjudicated answer."""
    rows = np.flatnonzero(crowd.truth.images == number)
    clusters = tuple(
        Cluster(
            Finding(int(crowd.truth.findings[row])),
            Box(*crowd.truth.boxes[row].tolist()),
            1.0,
            1.0,
            ClusterState.ADJUDICATED,
            (),
            place,
        )
        for place, row in enumerate(rows.tolist())
    )
    return Consensus(name, "adjudicated-here", clusters, 0.0, reading_ids)
