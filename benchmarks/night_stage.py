"""A small project for a night: real training that the gate lets pass, no Label Studio."""

import hashlib
import json
import os
import shutil
import sqlite3
import sys
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from backend.demo import sample
from backend.demo.simulated_readers import SIMULATED_READERS
from backend.desk import open_desk, queue_rules, routing_rules
from backend.domain.findings import Finding
from backend.domain.images import Split
from backend.formats.original_sizes import SizePx
from backend.formats.placement import PlacedReadings
from backend.opened import open_store
from backend.settings import Settings
from backend.store.readers import ReaderProject
from backend.terminal import now
from backend.workflow.adopt_weights import adopt_weights
from backend.workflow.chain_run import Watchers
from backend.workflow.night_report import NightReport
from backend.workflow.nightly import NightRules, nightly
from backend.workflow.register_images import ImageSet, PlaceReadings, register_images
from benchmarks.night_pictures import write_pictures

# 16 test images show 48 discs, and the gate says nothing of fewer than 30.
_SPLITS = (*[Split.TEST] * 16, *[Split.VALIDATION] * 4, *[Split.TRAIN] * 18)
_UNREAD = 2
_CONTENT = {
    "dataset versions": "SELECT name, sha256 FROM dataset_version ORDER BY name",
    "who serves": "SELECT name, state, promoted_at IS NOT NULL, shadow_since IS NOT NULL, "
    "json_extract(gate, '$.verdict'), json_extract(gate, '$.passed') "
    "FROM model_version ORDER BY name",
    "model versions": "SELECT name, weights_sha256, dataset_version, map40, scoring, report, gate "
    "FROM model_version ORDER BY name",
    "terms of service": "SELECT model_version, ended_at IS NOT NULL, actor, reason "
    "FROM model_service ORDER BY id",
    "finished trainings": "SELECT dataset_version, model_version, outcome FROM training_run "
    "WHERE state = 'finished' ORDER BY id",
    "consensus": "SELECT c.image_id, k.finding, k.x_min, k.y_min, k.x_max, k.y_max, k.p_true, "
    "k.state FROM consensus c LEFT JOIN cluster k ON k.consensus_id = c.id WHERE c.is_current "
    "ORDER BY 1, 2, 3, 4",
    "predictions": "SELECT p.model_version, p.image_id, b.finding, b.x_min, b.y_min, b.score "
    "FROM prediction p LEFT JOIN predicted_box b ON b.prediction_id = p.id ORDER BY 1, 2, 3, 4, 5",
    "worklists": "SELECT image_id, reader_id, round, kind, rank, arm, state FROM worklist_entry "
    "ORDER BY 2, 1, 3, 4",
    "decisions": "SELECT actor, action, subject FROM audit_event WHERE subject LIKE 'model:%' "
    "ORDER BY id",
    "reasons of the gate": "SELECT subject, detail FROM audit_event WHERE actor = 'gate' "
    "ORDER BY id",
}


class Silence:
    """Progress that nobody watches."""

    def step(self, what: str, total: int) -> None:
        """Begin a part."""

    def advance(self, done: int, note: str = "") -> None:
        """Go on."""


@dataclass(frozen=True, slots=True)
class Stage:
    """A project in a folder, and the same as it was in the beginning.

    Attributes
    ----------
    settings : Settings
        Of the project.
    untouched : Path
        Copy of its folder.
    """

    settings: Settings
    untouched: Path

    @property
    def database(self) -> Path:
        """The project's database file."""
        return self.settings.data_dir / "overread.sqlite3"

    def set_up_again(self) -> None:
        """Make the project what it was in the beginning."""
        shutil.rmtree(self.settings.data_dir)
        shutil.copytree(self.untouched, self.settings.data_dir)

    def play(self) -> NightReport:
        """Run the chain in this process."""
        from ml_backend.night_shift import NightShift  # noqa: PLC0415 - takes seconds

        store = open_store(self.settings)
        try:
            return nightly(
                store,
                open_desk(self.settings),
                NightRules(queue_rules(self.settings), routing_rules(self.settings)),
                NightShift(self.settings),
                clock=now,
                watchers=Watchers(Silence()),
            )
        finally:
            store.close()

    def play_apart(self) -> int:
        """Run the chain in a process of its own; return its number. It ends with 0 when done.

        A fresh one, because a fork of a process that has trained inherits locks of libraries'
        threads, and nobody to open them.
        """
        log = str(self.settings.data_dir / "night.log")
        appending = os.O_WRONLY | os.O_CREAT | os.O_APPEND
        return os.posix_spawn(
            sys.executable,
            [sys.executable, "-m", "benchmarks.night_stage"],
            self.settings.as_environment(),
            file_actions=[
                (os.POSIX_SPAWN_OPEN, 1, log, appending, 0o600),
                (os.POSIX_SPAWN_DUP2, 1, 2),
            ],
        )

    def ask(self, question: str) -> list[tuple[Any, ...]]:
        """Ask the database, as it is on disk at this moment."""
        with closing(sqlite3.connect(f"file:{self.database}?mode=ro", uri=True)) as connection:
            return connection.execute(question).fetchall()

    def content(self) -> dict[str, str]:
        """Return hashes of all that a night may leave."""
        return {
            what: hashlib.sha256(repr(self.ask(question)).encode()).hexdigest()
            for what, question in _CONTENT.items()
        }

    def told(self, what: str) -> list[tuple[Any, ...]]:
        """Return the rows behind one of the hashes."""
        return self.ask(_CONTENT[what])


def set_stage(
    folder: Path,
    *,
    epochs: int = 1,
    place_readings: PlaceReadings | None = None,
    splits: Sequence[Split] = _SPLITS,
    with_champion: bool = True,
) -> Stage:
    """Make the project: pictures with discs, readers, readings, and a weak champion.

    Parameters
    ----------
    folder : Path
        Where it is kept.
    epochs : int
        Passes of the training.
    place_readings : callable or None
        Gives the readings; those of the demonstration's simulated readers, but for two images,
        when None.
    splits : sequence of Split
        Of the images, in their order.
    with_champion : bool
        Whether a model version that was never trained is champion.

    Returns
    -------
    Stage
        Ready for its first night.
    """
    settings = Settings(
        data_dir=folder / "data",
        base_weights=str(sample.WEIGHTS),
        label_studio_url="http://127.0.0.1:9",  # nobody answers there
        train_epochs=epochs,
        train_image_size_px=64,
        train_batch_size=1,
        train_from="base",  # it knows what a radiograph is; the champion knows nothing
        device="cpu",
        runtime="torch",
        worklist_size=4,
    )
    store = open_store(settings)
    pictures = _pictures(folder / "pictures", splits, place_readings)
    register_images(store, pictures, now=now())
    weak = _untrained(folder / "untrained.pt")
    with store.transaction() as unit:
        if with_champion:
            adopt_weights(unit, weak, settings.weights_dir, origin="never trained", now=now())
        unit.readers.ensure([reader.reader_id for reader in SIMULATED_READERS], now=now())
        for number, reader in enumerate(SIMULATED_READERS, start=1):
            email = f"{reader.reader_id}@example.org"
            unit.readers.add_project(ReaderProject(reader.reader_id, email, number, number))
    store.close()
    stage = Stage(settings, folder / "untouched")
    shutil.copytree(settings.data_dir, stage.untouched)
    return stage


def _pictures(
    folder: Path, splits: Sequence[Split], place_readings: PlaceReadings | None
) -> ImageSet:
    """Return as many pictures as there are splits."""
    painted = write_pictures(folder, len(splits))
    files = {path: path.stem for path in painted}
    unread = set(list(files.values())[-_UNREAD:])
    marks = {path.stem: seen for path, seen in painted.items()}

    def place(image_id: str, stored: SizePx) -> tuple[PlacedReadings, SizePx | None]:
        readings = {
            reader.reader_id: reader.marks(image_id, marks[image_id], **stored._asdict())
            for reader in SIMULATED_READERS
            if image_id not in unread
        }
        return PlacedReadings(readings, (), is_size_assumed=False), None

    return ImageSet(
        "made-up",
        files,
        patients=files,
        splits=dict(zip(files.values(), splits, strict=True)),
        place_readings=place_readings or place,
    )


def _untrained(path: Path) -> Path:
    import torch  # noqa: PLC0415 - takes seconds

    from ml_backend.ultralytics_settings import import_part  # noqa: PLC0415 - takes seconds

    torch.manual_seed(0)
    network = import_part("nn.tasks").DetectionModel("yolo26n.yaml", nc=14, verbose=False)
    network.names = {int(finding): finding.title for finding in Finding}
    torch.save({"model": network.half(), "train_args": {"imgsz": 64}}, path)
    return path


def main() -> None:
    """Run the chain once for the project that the environment names."""
    import torch  # noqa: PLC0415 - takes seconds

    torch.set_num_threads(1)  # bits do not depend on how sums are split
    settings = Settings()
    report = Stage(settings, settings.data_dir).play()
    print(json.dumps(report.as_json()))  # noqa: T201 - into its log
    sys.exit(0 if report.state == "finished" else 3)


if __name__ == "__main__":
    main()
