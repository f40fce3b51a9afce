"""Train: a challenger's weights from a dataset version."""

import hashlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from backend.domain.dataset import DatasetVersion
from backend.domain.images import Split
from backend.domain.skipped import Skipped
from backend.domain.training_set import NothingToLearnError, TrainingList, draw_training_list
from backend.workflow.chain_step import NothingToDoError
from ml_backend.chain.cut import Cut
from ml_backend.chain.workshop import Workshop
from ml_backend.training.dataset_folder import DatasetFolder, clear_folders, write_dataset_folder
from ml_backend.training.epochs import EpochFigures
from ml_backend.training.fit import Fitted, fit, forget_run
from ml_backend.training.start import Start, choose_start
from ml_backend.training.weights import StoredWeights, store_weights


@dataclass(frozen=True, slots=True)
class Trained:
    """What training leaves.

    Attributes
    ----------
    training_run : int
        Key of its record.
    weights : StoredWeights
        The challenger's weights.
    skipped : tuple of Skipped
        Training images that could not be read.
    """

    training_run: int
    weights: StoredWeights
    skipped: tuple[Skipped, ...]

    def as_json(self) -> dict[str, object]:
        """Return plain values.

        Returns
        -------
        dict
            For the record of the night.
        """
        return {
            "training_run": self.training_run,
            "weights": {**asdict(self.weights), "path": str(self.weights.path.absolute())},
            "skipped": [asdict(each) for each in self.skipped],
        }

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> "Trained":
        """Return what `as_json` was made of.

        Parameters
        ----------
        values : mapping
            From the record of the night.

        Returns
        -------
        Trained
            The same.
        """
        weights = values["weights"]
        return cls(
            values["training_run"],
            StoredWeights(Path(weights["path"]), weights["sha256"], weights["size_bytes"]),
            tuple(Skipped(each["what"], each["why"]) for each in values["skipped"]),
        )


def train(workshop: Workshop, cut: Cut, *, force: bool = False) -> Trained:
    """Train a challenger on a dataset version.

    May be killed at any moment: done again, it goes on after its last finished epoch.

    Parameters
    ----------
    workshop : Workshop
        What to work with.
    cut : Cut
        What to train on.
    force : bool
        Train even if a run on exactly this dataset version was finished before.

    Returns
    -------
    Trained
        The weights.

    Raises
    ------
    NothingToDoError
        If nothing was read since the last finished run, or there is nothing to learn.
    StoppedError
        If it was asked to stop.
    """
    version = workshop.dataset(cut.dataset_version)
    before = _runs_before(workshop, cut)
    if "finished" in before and not force:
        raise NothingToDoError("nothing was read since the last finished run")
    training_list, seed = _draw(workshop, version)
    if before[-1:] == ["finished"]:  # before the new run counts as running, which is to go on
        forget_run(_folder(workshop, version))
    with workshop.store.transaction() as unit:
        training_run = unit.training_runs.begin_or_continue(
            cut.dataset_version,
            {**workshop.recipe_record, "training_list_seed": seed},
            now=workshop.clock(),
        )
    with workshop.recorded(training_run):
        folder = _write(workshop, version, training_list)
        start = choose_start(workshop.store, workshop.settings)
        fitted = _fit(workshop, folder, start.weights)
        weights = store_weights(fitted.weights, workshop.settings.weights_dir)
        _show(fitted, weights)
        with workshop.store.transaction() as unit:
            unit.training_runs.note(training_run, _progress(start, training_list, fitted))
    return Trained(training_run, weights, folder.skipped)


def _runs_before(workshop: Workshop, cut: Cut) -> list[str]:
    """Return what became of the training runs on a dataset version, oldest first."""
    with workshop.store.snapshot() as unit:
        runs = unit.training_runs.all()
    return [run.state for run in runs if run.dataset_version == cut.dataset_version]


def _draw(workshop: Workshop, version: DatasetVersion) -> tuple[TrainingList, int]:
    """Return what is shown how often, and the seed that it was drawn with."""
    settings, members = workshop.settings, version.in_split(Split.TRAIN)
    # Another dataset version draws other negatives; the same one, after a crash, the same.
    mixed = hashlib.sha256(f"{settings.seed}:{version.sha256}".encode()).digest()
    seed = int.from_bytes(mixed[:4], "big")
    negatives = [member.image.id for member in members if not member.clusters]
    with workshop.store.snapshot() as unit:
        champion = unit.models.champion()
        marked = unit.predictions.of_model(champion.name, negatives) if champion else {}
    try:
        drawn = draw_training_list(
            {
                member.image.id: {cluster.finding for cluster in member.clusters}
                for member in members
            },
            rng=np.random.default_rng(seed),
            factors={member.image.id: member.repeat_factor for member in members},
            negatives_per_positive=settings.train_negatives_per_positive,
            hard={image_id for image_id, prediction in marked.items() if prediction.shown},
        )
    except NothingToLearnError as error:
        raise NothingToDoError(str(error)) from error
    return drawn, seed


def _write(
    workshop: Workshop, version: DatasetVersion, training_list: TrainingList
) -> DatasetFolder:
    workshop.progress.step(f"writing dataset {version.name}", 1)
    clear_folders(workshop.training_dir, keep=version.name)
    return write_dataset_folder(
        version,
        training_list.image_ids,
        _folder(workshop, version),
        image_size_px=workshop.recipe.image_size_px,
    )


def _folder(workshop: Workshop, version: DatasetVersion) -> Path:
    return workshop.training_dir / version.name


def _fit(workshop: Workshop, folder: DatasetFolder, start: Path) -> Fitted:
    recipe = workshop.recipe
    workshop.progress.step(f"training on {folder.training_lines} images", recipe.epochs)

    def on_epoch(epoch: int, _: int, figures: EpochFigures) -> None:
        loss = sum(value for name, value in figures.items() if name.endswith("_loss"))
        workshop.progress.advance(epoch, f"loss {loss:.2f}")

    return fit(
        folder.path,
        start,
        recipe,
        device=workshop.settings.device,
        on_epoch=on_epoch,
        should_stop=workshop.should_stop,
    )


def _show(fitted: Fitted, weights: StoredWeights) -> None:
    """Draw how training went, beside the weights."""
    # Not at the top: matplotlib takes a second that only a finished training should pay.
    from backend.formats.training_curves import training_curves  # noqa: PLC0415

    training_curves(weights.path.with_suffix(".training.png"), fitted.epochs)


def _progress(start: Start, drawn: TrainingList, fitted: Fitted) -> dict[str, object]:
    listed = {name: value for name, value in asdict(drawn).items() if name != "image_ids"}
    return {
        "started_from": start.name,
        "why": start.why,
        "training_list": {"lines": len(drawn.image_ids), **listed},
        "batch": fitted.batch,
        "epochs": [dict(each) for each in fitted.epochs],
    }
