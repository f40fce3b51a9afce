"""What every step that needs torch works with."""

import platform
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime
from importlib.metadata import version
from pathlib import Path

from backend.domain.dataset import DatasetVersion
from backend.settings import Settings
from backend.store.training_runs import TrainingRun
from backend.store.unit_of_work import Store, UnitOfWork
from backend.workflow.chain_step import Progress, StoppedError
from ml_backend.chain.code_version import code_version
from ml_backend.training.recipe import Recipe

_PACKAGES = ("overread", "ultralytics-opencv-headless", "torch", "torchvision", "numpy")


def _never() -> bool:
    return False


def _keep_nothing(unit: UnitOfWork, outcome: Mapping[str, object]) -> None:
    """Leave the record to whoever called the step."""


@dataclass(frozen=True, slots=True)
class Workshop:
    """Store, settings, clock, and somebody to tell how far a step has come.

    Attributes
    ----------
    store : Store
        The database.
    settings : Settings
        Base weights, recipe, seed, device.
    clock : callable
        Gives the time; aware.
    progress : Progress
        Is told what happens.
    should_stop : callable
        Is asked now and then whether the step is to stop where it can go on later.
    keep : callable
        Records the outcome of a step in the transaction that it is given: a step that adds to
        the store once and for all is either done and recorded, or neither.
    """

    store: Store
    settings: Settings
    clock: Callable[[], datetime]
    progress: Progress
    should_stop: Callable[[], bool] = _never
    keep: Callable[[UnitOfWork, Mapping[str, object]], None] = _keep_nothing

    @property
    def training_dir(self) -> Path:
        """Where datasets are written to train on, and runs keep their epochs."""
        return self.settings.data_dir / "training"

    @property
    def recipe(self) -> Recipe:
        """How models are trained."""
        return Recipe(
            epochs=self.settings.train_epochs,
            image_size_px=self.settings.train_image_size_px,
            batch=self.settings.train_batch_size,
            seed=self.settings.seed,
            patience=self.settings.train_patience,
            consensus_weights=self.settings.train_consensus_weights,
        )

    @property
    def recipe_record(self) -> dict[str, object]:
        """Everything that decides what a training yields, beside the dataset."""
        return {
            "base_weights": self.settings.base_weights,
            "train_from": self.settings.train_from,
            "negatives_per_positive": str(
                self.settings.train_negatives_per_positive
            ),  # may be inf
            **asdict(self.recipe),
        }

    def training_report(self, run: TrainingRun) -> dict[str, object]:
        """Return how a model version was trained, as it stands in its report.

        Parameters
        ----------
        run : TrainingRun
            The record of its training.

        Returns
        -------
        dict
            What it started from and why, its recipe, and the versions of all programs.
        """
        return {
            "started_from": run.progress["started_from"],
            "why": run.progress["why"],
            "recipe": {
                **run.recipe,
                "repeat_below": self.settings.train_repeat_below,
                "batch_used": run.progress["batch"],
            },
            "versions": {
                "code": code_version(),
                "python": platform.python_version(),
                **{package: version(package) for package in _PACKAGES},
            },
        }

    def dataset(self, name: str) -> DatasetVersion:
        """Return a dataset version as it was cut.

        Parameters
        ----------
        name : str
            Its name.

        Returns
        -------
        DatasetVersion
            With all images and boxes.
        """
        with self.store.snapshot() as unit:
            return unit.datasets.get(name)

    @contextmanager
    def recorded(self, training_run: int) -> Iterator[None]:
        """Keep a record of a training run that fails in this block.

        A process that is killed leaves the run as running; the same step, done again, goes on
        with it.

        Parameters
        ----------
        training_run : int
            Its key.

        Yields
        ------
        None
            For the time of the block.
        """
        try:
            yield
        except Exception as error:
            outcome = (
                str(error)
                if isinstance(error, StoppedError)
                else (f"{type(error).__name__}: {error}")
            )
            with self.store.transaction() as unit:
                unit.training_runs.end(
                    training_run,
                    state="failed",
                    outcome=outcome,
                    model_version=None,
                    now=self.clock(),
                )
            raise
