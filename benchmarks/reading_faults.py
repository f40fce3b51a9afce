"""Nothing that a reader did is lost or doubled, whatever is stopped and started meanwhile.

Three readers submit, change, delete and skip annotations over the API of a real Label Studio.
Meanwhile Label Studio, the backend (`overread serve`), the network between both and the store's
PostgreSQL are stopped and started at random, half of the times as a power cut would, and webhooks
are dropped, doubled, delayed and put out of order. A reader whose answer got lost sends the same
annotation again under the same `unique_id`.

Afterwards everything runs, one sync is made, and the store is held against what the readers sent.
"""

import argparse
import json
import platform
import sys
import tempfile
import time
from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from threading import Thread

import numpy as np

from backend.desk import open_desk
from backend.label_studio import results
from backend.settings import Settings
from backend.store.unit_of_work import Store
from backend.terminal import Steps, now
from backend.workflow.sync_report import SyncReport
from backend.workflow.synchronise import synchronise
from benchmarks.faults import components
from benchmarks.faults.components import Component, Database, Misfortune, Network
from benchmarks.faults.patient_readers import PatientReader
from benchmarks.faults.wires import WebhookWire, Wire
from benchmarks.reading_room import (
    HEIGHT_PX,
    WIDTH_PX,
    ReadingRoom,
    furnish,
    room_settings,
    running_postgresql,
)

SEED = 20261127
READERS = ("R1", "R2", "R3")
_LAST_SYNCS = 10
_SAME_PX = 1e-6


class ProofFailedError(RuntimeError):
    """Something was lost or doubled, or the proof could not be carried out."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How much is read, and how often what fails."""

    images: int
    label_studio: int
    backend: int
    network: int
    database: int
    pause_seconds: float


FULL = Plan(100, label_studio=6, backend=9, network=10, database=9, pause_seconds=2.0)
QUICK = Plan(8, label_studio=1, backend=1, network=2, database=1, pause_seconds=1.0)


def run(plan: Plan, steps: Steps) -> dict[str, float]:
    """Carry out the proof; return its figures."""
    with tempfile.TemporaryDirectory(prefix="faults-") as name, ExitStack() as stack:
        folder = Path(name)
        server, url = stack.enter_context(running_postgresql(folder))
        settings = room_settings(folder, url)
        steps.step("starting Label Studio, PostgreSQL and the backend", 3)
        label_studio = components.label_studio(settings)
        stack.callback(label_studio.stop, gently=True)
        steps.advance(1)
        webhooks = WebhookWire(settings.backend_url, np.random.default_rng([SEED, 1]))
        stack.callback(webhooks.close)
        wire = Wire(int(settings.label_studio_url.rpartition(":")[2]))
        stack.callback(wire.close)
        # Label Studio reports to the webhooks' wire, and the backend asks through the other one.
        seen = settings.model_copy(update={"backend_url": webhooks.url})
        room = furnish(seen, dict.fromkeys(READERS, plan.images))
        stack.callback(room.store.close)
        steps.advance(2)
        backend = components.backend(seen.model_copy(update={"label_studio_url": wire.url}))
        stack.callback(backend.stop, gently=True)
        steps.advance(3)
        _expect_no_problems(synchronise(room.store, open_desk(seen), clock=now))

        failing: list[tuple[Component, int, float, float]] = [
            (label_studio, plan.label_studio, 12.0, 3.0),
            (backend, plan.backend, 10.0, 4.0),
            (Network(wire, webhooks), plan.network, 10.0, 6.0),
            (Database(server), plan.database, 10.0, 4.0),
        ]
        misfortunes = [
            Misfortune(component, times, np.random.default_rng([SEED, 10 + number]), up, down)
            for number, (component, times, up, down) in enumerate(failing)
        ]
        readers, seconds = _read(room, plan, misfortunes, steps)
        report = _settle(room.store, seen, steps)
        figures = _judge(room, readers, steps)
        metrics = webhooks.counts
        answers = webhooks.answer_seconds

    return {
        **figures,
        "faults": sum(one.faults for one in misfortunes),
        **{
            f"faults_{one.component.name.casefold().replace(' ', '_')}": one.faults
            for one in misfortunes
        },
        **{f"webhooks_{name}": number for name, number in metrics.items()},
        "webhook_answer_ms_median": 1000 * float(np.median(answers)) if answers else 0.0,
        "webhook_answer_ms_p95": 1000 * float(np.quantile(answers, 0.95)) if answers else 0.0,
        "answers_lost_and_asked_again": sum(one.lost_answers for one in readers),
        "pulled_by_the_last_sync": sum(
            number
            for kind, number in report.received.items()
            if kind not in {"unchanged", "foreign"}
        ),
        "seconds_of_reading": seconds,
    }


def _read(
    room: ReadingRoom, plan: Plan, misfortunes: list[Misfortune], steps: Steps
) -> tuple[list[PatientReader], float]:
    """Let the readers read while everything fails; end when both have ended."""
    done: Counter[str] = Counter()
    total = plan.images * len(room.logins)
    readers = []
    with room.store.snapshot() as unit:
        projects = {one.reader_id: one for one in unit.readers.projects()}
    for number, login in enumerate(room.logins):
        readers.append(
            PatientReader(
                project=projects[login.reader_id],
                session=room.log_in(login),
                service=open_desk(room.settings).open_client(login.reader_id),
                rng=np.random.default_rng([SEED, 100 + number]),
                on_read=lambda: done.update(["read"]),
                pause_seconds=plan.pause_seconds,
            )
        )
    work = [
        (one, list(one.service.changed_tasks(one.project.project_id, None))) for one in readers
    ]
    steps.step("reading while everything fails", total)
    started = time.monotonic()
    threads: list[Thread] = [one.begin(tasks) for one, tasks in work]
    threads += [one.begin() for one in misfortunes]
    while any(thread.is_alive() for thread in threads):
        steps.advance(done["read"], note=f"{sum(one.faults for one in misfortunes)} faults")
        time.sleep(0.5)
    steps.advance(done["read"])
    seconds = time.monotonic() - started
    for one in readers:
        one.session.close()
        one.service.close()
    errors = [error for reader in readers for error in reader.errors]
    errors += [error for misfortune in misfortunes for error in misfortune.errors]
    if errors:
        raise ProofFailedError("; ".join(errors))
    return readers, seconds


def _settle(store: Store, settings: Settings, steps: Steps) -> SyncReport:
    """Sync until nothing stands in the way; several syncs only if the backend's is running."""
    steps.step("the last sync", 1)
    report = SyncReport()
    for _ in range(_LAST_SYNCS):
        report = synchronise(store, open_desk(settings), clock=now)
        if not report.problems:
            break
        time.sleep(2.0)
    _expect_no_problems(report)
    steps.advance(1)
    return report


def _judge(room: ReadingRoom, readers: list[PatientReader], steps: Steps) -> dict[str, float]:
    """Hold the store against what the readers sent last, and count."""
    steps.step("comparing", len(readers))
    lost = doubled = annotations = revisions = 0
    for one in readers:
        reader_id = one.project.reader_id
        with open_desk(room.settings).open_client(reader_id) as client:
            tasks = list(client.changed_tasks(one.project.project_id, None))
        annotations += sum(len(task.annotations) for task in tasks)
        doubled += sum(len(task.annotations) > 1 for task in tasks)
        doubled += len(tasks) - len({task.entry for task in tasks})
        with room.store.snapshot() as unit:
            for image_id, sent in one.answers.items():
                kept = unit.readings.revisions(image_id, reader_id)
                revisions += len(kept)
                states = Counter(
                    (each.receipt.annotation_id, each.receipt.annotation_updated_at)
                    for each in kept
                    if each.receipt.state == "valid"
                )
                doubled += sum(number - 1 for number in states.values())
                current = unit.readings.current(image_id, reader_id)
                lost += (
                    current is None
                    or current.receipt.state != "valid"
                    or not _is_same(current.reading.boxes, sent)
                )
        lost += len(tasks) - len(one.answers)
        steps.advance_by()
    with room.store.snapshot() as unit:
        valid = unit.readings.counts()["valid"]
    doubled += max(0, valid - annotations)
    return {
        "annotations": annotations,
        "readings": valid,
        "revisions": revisions,
        "lost": lost,
        "doubled": doubled,
    }


def _is_same(boxes: tuple[object, ...], sent: list[dict[str, object]]) -> bool:
    wanted = results.boxes_from_result(sent, {}, WIDTH_PX, HEIGHT_PX).boxes
    return len(boxes) == len(wanted) and all(
        one.finding is other.finding and np.allclose(one.box, other.box, atol=_SAME_PX)  # type: ignore[attr-defined] # read boxes
        for one, other in zip(boxes, wanted, strict=True)
    )


def _expect_no_problems(report: SyncReport) -> None:
    if report.problems:
        raise ProofFailedError("; ".join(report.problems))


def main() -> None:
    """Run, print a table or JSON; end with 1 when something was lost or doubled."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="24 annotations and 5 faults")
    parser.add_argument("--json", action="store_true")
    chosen = parser.parse_args()
    plan = QUICK if chosen.quick else FULL
    with Steps() as steps:
        figures = run(plan, steps)
    if chosen.json:
        result = {
            "name": "reading_faults",
            "quick": chosen.quick,
            "conditions": {
                "readers": len(READERS),
                "images": plan.images,
                "seed": SEED,
                "label_studio": "1.23.2, SQLite",
                "store": "PostgreSQL",
                "python": platform.python_version(),
            },
            "figures": figures,
        }
        sys.stdout.write(json.dumps(result) + "\n")
    else:
        for name, figure in figures.items():
            sys.stdout.write(f"{name:32} {figure:10.1f}\n")
    if figures["lost"] or figures["doubled"]:
        sys.exit(1)


if __name__ == "__main__":
    main()
