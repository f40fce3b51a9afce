"""What it costs to push 15,000 tasks to a real Label Studio, to pull 15,000 annotations, to sync.

One reader has 15,000 images on the worklist, another 1,000. All tasks are pushed with the boxes of
a model; then every shown prediction becomes an annotation of the reader by one action of Label
Studio's own Data Manager (`predictions_to_annotations`), since 15,000 submissions one by one would
take an hour; then all are pulled. After that both readers get 40 further images, and syncs are
timed in which nothing has changed, or ten things have (two images read, eight answers changed), in
the small project and in the large one: they should cost the same.
"""

import argparse
import json
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import median
from threading import Event, Thread

import psutil

from backend.desk import open_desk
from backend.domain.worklists import EntryState
from backend.label_studio import regions
from backend.label_studio.client import LabelStudioClient
from backend.label_studio.provision import server_environment
from backend.terminal import Steps, now
from backend.workflow.add_readers import NewReader
from backend.workflow.label_studio_desk import LabelStudioDesk
from backend.workflow.sync_report import SyncReport
from backend.workflow.synchronise import synchronise
from benchmarks.reading_room import (
    ReadingRoom,
    furnish,
    hang_up_more,
    room_settings,
    start_label_studio,
)

MODEL = "m1"
LARGE, SMALL = "R1", "R2"
CHANGED = 10
NEWLY_READ = 2
OPEN_ENTRIES = 40
_MEGABYTE = 1024 * 1024
_BULK_SECONDS = 600.0


@dataclass(frozen=True, slots=True)
class Plan:
    """How many tasks there are, how often a sync is timed, and how long the bulk may settle."""

    large: int
    small: int
    repeats: int
    settle_seconds: float


FULL = Plan(15_000, 1_000, repeats=5, settle_seconds=61.0)
QUICK = Plan(200, 50, repeats=2, settle_seconds=0.0)


class ProofFailedError(RuntimeError):
    """A sync did not do what it should."""


@dataclass
class Meter:
    """Counts requests to Label Studio, and knows how long each reader's sync took."""

    desk: LabelStudioDesk
    requests: int = 0
    seconds: dict[str, float] = field(default_factory=dict)

    def counting_desk(self) -> LabelStudioDesk:
        """Return a desk whose clients are counted."""

        def open_client(reader_id: str) -> LabelStudioClient:
            client = self.desk.open_client(reader_id)
            hooks = client._connection.http.event_hooks  # noqa: SLF001 - nobody else counts
            client._connection.http.event_hooks = {  # noqa: SLF001 - as above
                **hooks,
                "request": [lambda _: self._count()],
            }
            return client

        return replace(self.desk, open_client=open_client)

    def sync(self, room: ReadingRoom) -> SyncReport:
        """Sync all readers, and note how long each took."""
        self.requests, last = 0, time.perf_counter()
        self.seconds = {}

        def ended(reader_id: str) -> None:
            nonlocal last
            moment = time.perf_counter()
            self.seconds[reader_id], last = moment - last, moment

        report = synchronise(room.store, self.counting_desk(), clock=now, on_reader=ended)
        if report.problems or report.notices:
            raise ProofFailedError("; ".join([*report.problems, *report.notices]))
        return report

    def _count(self) -> None:
        self.requests += 1


@contextmanager
def peak_memory(process: psutil.Process) -> Iterator[list[float]]:
    """Watch the memory of a process and its children; the list gets the peak, in MB."""
    done, peak = Event(), [0.0]

    def watch() -> None:
        while not done.wait(0.2):
            family = [process, *process.children(recursive=True)]
            size = 0
            for one in family:
                try:
                    size += one.memory_info().rss
                except psutil.NoSuchProcess:
                    continue
            peak[0] = max(peak[0], size / _MEGABYTE)

    watcher = Thread(target=watch)
    watcher.start()
    try:
        yield peak
    finally:
        done.set()
        watcher.join()


def run(plan: Plan, steps: Steps) -> dict[str, float]:
    """Carry out the proof; return its figures."""
    with tempfile.TemporaryDirectory(prefix="scale-") as name:
        settings = room_settings(Path(name))
        steps.step("starting Label Studio", 1)
        server = start_label_studio(settings)
        try:
            steps.advance(1)
            steps.step(f"registering {plan.large} images, and two readers", 1)
            room = furnish(settings, {LARGE: plan.large, SMALL: plan.small}, model=MODEL)
            steps.advance(1)
            figures = _measure(room, server.pid, plan, steps)
            room.store.close()
        finally:
            server.stop()
    return figures


def _measure(room: ReadingRoom, server_pid: int, plan: Plan, steps: Steps) -> dict[str, float]:
    meter, together = Meter(open_desk(room.settings)), plan.large + plan.small
    figures: dict[str, float] = {"tasks": plan.large, "tasks_small_project": plan.small}
    ours, theirs = psutil.Process(), psutil.Process(server_pid)

    steps.step(f"pushing {together} tasks", 1)
    with peak_memory(ours) as memory, peak_memory(theirs) as server_memory:
        report = meter.sync(room)
    _expect(report.tasks_pushed, together, "tasks pushed")
    figures |= {
        "push_seconds": meter.seconds[LARGE],
        "push_requests": meter.requests,
        "push_peak_mb": memory[0],
        "push_label_studio_peak_mb": server_memory[0],
    }
    steps.advance(1)

    steps.step("turning every prediction into an annotation", len(room.logins))
    started = time.perf_counter()
    for login in room.logins:
        _annotate(room, login)
        steps.advance_by()
    figures["annotating_seconds"] = time.perf_counter() - started

    steps.step(f"pulling {together} annotations", 1)
    with peak_memory(ours) as memory, peak_memory(theirs) as server_memory:
        report = meter.sync(room)
    _expect(report.received["new"], together, "readings received")
    figures |= {
        "pull_seconds": meter.seconds[LARGE],
        "pull_requests": meter.requests,
        "pull_peak_mb": memory[0],
        "pull_label_studio_peak_mb": server_memory[0],
    }
    steps.advance(1)
    return figures | _incremental(room, meter, plan, steps)


def _incremental(room: ReadingRoom, meter: Meter, plan: Plan, steps: Steps) -> dict[str, float]:
    """Time syncs of what changed, in a small and in a large project."""
    steps.step(f"letting that settle, and pushing {OPEN_ENTRIES} further images", 1)
    time.sleep(plan.settle_seconds)  # a sync looks at the last minute once more
    hang_up_more(room, OPEN_ENTRIES, model=MODEL)
    meter.sync(room)
    meter.sync(room)  # pulls the new tasks, on which nothing was done
    steps.advance(1)
    figures: dict[str, float] = {}
    steps.step("syncing with nothing changed, and with ten things changed", 2 * plan.repeats)
    for changed in (0, CHANGED):
        seconds: dict[str, list[float]] = {LARGE: [], SMALL: []}
        for _ in range(plan.repeats):
            for login in room.logins:
                _change(room, login, changed)
            report = meter.sync(room)
            taken = report.received["revised"] + report.received["new"]
            _expect(taken, len(room.logins) * changed, "changes taken")
            for reader_id, measured in seconds.items():
                measured.append(meter.seconds[reader_id])
            steps.advance_by()
        figures |= {
            f"sync_{changed}_changes_seconds": median(seconds[LARGE]),
            f"sync_{changed}_changes_seconds_small_project": median(seconds[SMALL]),
            f"sync_{changed}_changes_requests": meter.requests,
        }
    figures["sync_large_to_small_ratio"] = (
        figures[f"sync_{CHANGED}_changes_seconds"]
        / figures[f"sync_{CHANGED}_changes_seconds_small_project"]
    )
    with meter.desk.open_client(LARGE) as client:
        started = time.perf_counter()
        client.all_tasks(room.project_ids[LARGE])
        figures["daily_comparison_seconds"] = time.perf_counter() - started
    return figures


def _change(room: ReadingRoom, login: NewReader, number: int) -> None:
    """Read some images, and change earlier answers."""
    if not number:
        return
    with room.store.snapshot() as unit:
        ended = unit.worklists.all(reader_id=login.reader_id, state=EntryState.READ)
        kept = [
            unit.readings.current(one.image_id, login.reader_id)
            for one in ended[: number - NEWLY_READ]
        ]
    answer = [regions.no_finding_item()]
    with room.log_in(login) as reader:
        for _ in range(NEWLY_READ):
            task = reader.next_task(room.project_ids[login.reader_id])
            if task is not None:
                reader.submit(task, answer, lead_time_seconds=1.0)
        for one in kept:
            if one is not None and one.receipt.annotation_id is not None:
                reader.revise(one.receipt.annotation_id, answer)


def _annotate(room: ReadingRoom, login: NewReader) -> None:
    """Make every shown prediction an annotation of the reader, whom the wall lets do one only."""
    project_id = room.project_ids[login.reader_id]
    with open_desk(room.settings).open_client(login.reader_id) as client:
        client.connection.ask(
            "POST",
            "/api/dm/actions",
            params={"id": "predictions_to_annotations", "project": project_id},
            body={"selectedItems": {"all": True, "excluded": []}},
            timeout_seconds=_BULK_SECONDS,
        )
    program = (
        "from tasks.models import Annotation; from users.models import User; "
        f"reader = User.objects.get(email={login.email!r}); "
        f"Annotation.objects.filter(project={project_id}).update("
        "completed_by=reader, updated_by=reader)\n"
    )
    settings = room.settings
    subprocess.run(  # noqa: S603 - our own server
        [str(settings.label_studio_command), "shell"],
        env=server_environment(settings.label_studio_dir, settings.label_studio_url),
        input=program,
        text=True,
        capture_output=True,
        check=True,
    )


def _expect(found: int, wanted: int, what: str) -> None:
    if found != wanted:
        raise ProofFailedError(f"expected {wanted} {what}, got {found}")


def main() -> None:
    """Run, print a table or JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="200 tasks instead of 15,000")
    parser.add_argument("--json", action="store_true")
    chosen = parser.parse_args()
    plan = QUICK if chosen.quick else FULL
    load = psutil.getloadavg()[0]
    with Steps() as steps:
        figures = run(plan, steps)
    if chosen.json:
        result = {
            "name": "reading_scale",
            "quick": chosen.quick,
            "conditions": {
                "label_studio": "1.23.2, SQLite",
                "store": "SQLite",
                "boxes_per_task": 2,
                "cpus": psutil.cpu_count(),
                "load_at_start": load,
                "python": platform.python_version(),
            },
            "figures": figures,
        }
        sys.stdout.write(json.dumps(result) + "\n")
        return
    for name, figure in figures.items():
        sys.stdout.write(f"{name:44} {figure:10.2f}\n")


if __name__ == "__main__":
    main()
