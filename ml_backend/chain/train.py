"""Train: a challenger's weights from a dataset version."""

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
from ml_backend.training.dataset_folder import DatasetFolder, write_dataset_folder
from ml_backend.training.fit import fit
from ml_backend.training.weights import StoredWeights, find_base_weights, store_weights


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
    if not force and _is_finished(workshop, cut):
        raise NothingToDoError("nothing was read since the last finished run")
    training_list = _draw(workshop, version)
    with workshop.store.transaction() as unit:
        training_run = unit.training_runs.begin_or_continue(
            cut.dataset_version, workshop.recipe_record, now=workshop.clock()
        )
    with workshop.recorded(training_run):
        folder = _write(workshop, version, training_list)
        weights = _fit(workshop, folder)
    return Trained(training_run, weights, folder.skipped)


def _is_finished(workshop: Workshop, cut: Cut) -> bool:
    with workshop.store.snapshot() as unit:
        runs = unit.training_runs.all()
    return any(
        run.state == "finished" and run.dataset_version == cut.dataset_version for run in runs
    )


def _draw(workshop: Workshop, version: DatasetVersion) -> TrainingList:
    try:
        return draw_training_list(
            {
                member.image.id: {cluster.finding for cluster in member.clusters}
                for member in version.in_split(Split.TRAIN)
            },
            rng=np.random.default_rng(workshop.settings.seed),
        )
    except NothingToLearnError as error:
        raise NothingToDoError(str(error)) from error


def _write(
    workshop: Workshop, version: DatasetVersion, training_list: TrainingList
) -> DatasetFolder:
    workshop.progress.step(f"writing dataset {version.name}", 1)
    return write_dataset_folder(
        version,
        training_list.image_ids,
        workshop.settings.data_dir / "training" / version.name,
        image_size_px=workshop.recipe.image_size_px,
    )


def _fit(workshop: Workshop, folder: DatasetFolder) -> StoredWeights:
    settings, recipe = workshop.settings, workshop.recipe
    base_weights = find_base_weights(settings.base_weights, settings.weights_dir)
    workshop.progress.step(f"training on {folder.training_lines} images", recipe.epochs)

    def on_epoch(epoch: int, _: int, figures: dict[str, float]) -> None:
        loss = sum(value for name, value in figures.items() if name.startswith("train/"))
        workshop.progress.advance(epoch, f"loss {loss:.2f}")

    best = fit(
        folder.path,
        base_weights,
        recipe,
        device=settings.device,
        on_epoch=on_epoch,
        should_stop=workshop.should_stop,
    )
    return store_weights(best, settings.weights_dir)
