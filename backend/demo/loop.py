"""The demonstration's steps, in order."""

import json
import subprocess
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from backend.demo import sample
from backend.demo.simulated_readers import SIMULATED_READERS
from backend.desk import open_desk, queue_rules
from backend.domain.worklists import EntryState
from backend.formats.releases import ReleaseFormat
from backend.formats.verification import verify
from backend.label_studio.reader_session import ReaderSession
from backend.local_services.stack import own_command
from backend.settings import Settings
from backend.store.unit_of_work import Store, UnitOfWork
from backend.terminal import Steps, now
from backend.workflow.add_readers import AddedReader, NewReader
from backend.workflow.cut_training_set import cut_training_set
from backend.workflow.release_dataset import release_dataset
from backend.workflow.synchronise import synchronise
from backend.workflow.top_up_worklists import top_up_worklists

_SECONDS_PER_IMAGE = 15.0
_SECONDS_PER_REGION = 12.0


class DemoFailedError(RuntimeError):
    """A step of the demonstration did not do what it should."""


@dataclass(frozen=True, slots=True)
class Summary:
    """What the whole loop did.

    Attributes
    ----------
    images, readings : int
        Registered images, and valid readings of them.
    consensus_boxes : int
        Clusters of the current consensus.
    queued : int
        Images that wait to be read, after the refill.
    promoted : bool
        Whether the retrained challenger passed the gate.
    model_version : str
        The champion at the end.
    release : str
        Folder of the release.
    """

    images: int
    readings: int
    consensus_boxes: int
    queued: int
    promoted: bool
    model_version: str
    release: str

    def as_json(self) -> dict[str, object]:
        """Return the summary as plain values.

        Returns
        -------
        dict
            For `--json`.
        """
        return asdict(self)


def fill(store: Store, settings: Settings) -> int:
    """Fill the worklists and push them to Label Studio.

    Parameters
    ----------
    store : Store
        The demonstration's database.
    settings : Settings
        The demonstration's.

    Returns
    -------
    int
        How many images wait to be read.

    Raises
    ------
    DemoFailedError
        If a worklist could not be pushed.
    """
    rules = queue_rules(settings)
    top_up_worklists(store, rules, clock=now)
    report = synchronise(store, open_desk(settings), clock=now)
    if report.problems:
        raise DemoFailedError("; ".join(report.problems))
    with store.snapshot() as unit:
        return _images_waiting(unit)


def read_everything(
    store: Store, settings: Settings, readers: list[tuple[NewReader, AddedReader]], steps: Steps
) -> None:
    """Let the simulated readers read their worklists, as real users of Label Studio.

    Parameters
    ----------
    store : Store
        The demonstration's database.
    settings : Settings
        Where Label Studio is.
    readers : list of (NewReader, AddedReader)
        Their log-ins.
    steps : Steps
        Shows progress.
    """
    published = sample.published_boxes()
    with store.snapshot() as unit:
        images = unit.images.all()
        image_of = {entry.key: images[entry.image_id] for entry in unit.worklists.all()}
        waiting = unit.worklists.counts()[EntryState.OPEN]
    steps.step("three simulated readers read in Label Studio", waiting)
    for simulated, (login, added) in zip(SIMULATED_READERS, readers, strict=True):
        with ReaderSession.log_in(
            settings.label_studio_url, login.email, login.password
        ) as session:
            while task := session.next_task(added.project.project_id):
                image = image_of[task.entry or 0]
                size = {"width_px": image.width_px, "height_px": image.height_px}
                marks = simulated.marks(image.id, published.get(image.id, ()), **size)
                shown = task.predictions[0].result if task.predictions else ()
                answer = simulated.answer(marks, shown, **size)
                seconds = _SECONDS_PER_IMAGE + _SECONDS_PER_REGION * len(answer)
                session.submit(task, answer, lead_time_seconds=seconds)
                steps.advance_by()


def close_the_loop(store: Store, settings: Settings, steps: Steps) -> Summary:
    """Let two nights pass, the second one without news, and release what was read.

    Parameters
    ----------
    store : Store
        The demonstration's database.
    settings : Settings
        The demonstration's.
    steps : Steps
        Shows progress.

    Returns
    -------
    Summary
        What was done.

    Raises
    ------
    DemoFailedError
        If a step did not do what it should.
    """
    steps.step("the first night: the whole chain", 1)
    night = run_command(settings, "nightly", "--json")
    steps.advance_by()
    if night["problems"]:
        raise DemoFailedError("; ".join(map(str, night["problems"])))
    steps.step("the second night: nothing new was read", 1)
    _expect_nothing_done(run_command(settings, "nightly", "--json"))
    steps.advance_by()
    release = _release(store, settings, steps)
    with store.snapshot() as unit:
        champion = unit.models.champion()
        return Summary(
            images=unit.images.count(),
            readings=unit.readings.counts()["valid"],
            consensus_boxes=sum(unit.consensus.cluster_states().values()),
            queued=_images_waiting(unit),
            promoted=bool(night["retrained"]["promoted"]),
            model_version=champion.name if champion else "none",
            release=str(release),
        )


def run_command(settings: Settings, *arguments: str) -> dict[str, Any]:
    """Run a command of this program that needs torch, in a process of its own.

    Parameters
    ----------
    settings : Settings
        The demonstration's.
    *arguments : str
        The command, with ``--json``.

    Returns
    -------
    dict
        Its result.

    Raises
    ------
    DemoFailedError
        If it fails.
    """
    finished = subprocess.run(  # noqa: S603 - our own command
        own_command(*arguments),
        env=settings.as_environment(),
        stdout=subprocess.PIPE,
        check=False,
        text=True,
    )
    if finished.returncode != 0:
        raise DemoFailedError(f"`overread {' '.join(arguments)}` failed; its message is above")
    result: dict[str, Any] = json.loads(finished.stdout)
    return result


def _expect_nothing_done(night: dict[str, Any]) -> None:
    """Raise if a night did anything though nothing new was read."""
    done = {
        "received": night["received"],
        "trained": night["retrained"]["model_version"],
        "scored": night["scored"].get("scored"),
        "queued": night["queued"],
        "problems": night["problems"],
    }
    if any(done.values()):
        raise DemoFailedError(f"the second night had nothing to do, and did: {done}")


def _images_waiting(unit: UnitOfWork) -> int:
    return len({entry.image_id for entry in unit.worklists.all(state=EntryState.OPEN)})


def _release(store: Store, settings: Settings, steps: Steps) -> Path:
    with store.transaction() as unit:
        version = cut_training_set(
            unit, seed=settings.seed, now=now(), repeat_below=settings.train_repeat_below
        )
    folder = settings.data_dir / "releases" / f"{version.name}-yolo"
    if not folder.exists():
        steps.step(f"releasing dataset {version.name}", len(version.images))
        release_dataset(
            store, version, ReleaseFormat.YOLO, folder, now=now(), on_image=steps.advance_by
        )
    checked = verify(folder)
    if not checked.ok:
        raise DemoFailedError("the release is not intact: " + "; ".join(checked.problems))
    return folder
