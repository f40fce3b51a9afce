"""Gather, fit, evaluate, gate: a challenger for the champion's place."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Protocol

import numpy as np

from backend.domain.dataset import DatasetVersion
from backend.domain.images import Split
from backend.domain.metrics.average_precision import DetectionQuality
from backend.domain.models import ModelState, ModelVersion
from backend.domain.score_calibration import Scoring
from backend.domain.skipped import Skipped
from backend.domain.training_set import NothingToLearnError, TrainingList, draw_training_list
from backend.settings import Settings
from backend.store.unit_of_work import Store
from backend.workflow.cut_training_set import cut_training_set
from backend.workflow.job_lease import hold_lease
from backend.workflow.promote_model import promote_model
from ml_backend.open_detector import load_yolo, open_detector
from ml_backend.training.calibrate import learn_scoring, measure_scoring
from ml_backend.training.dataset_folder import write_dataset_folder
from ml_backend.training.evaluate import LOWEST_SCORE, evaluate
from ml_backend.training.fit import fit
from ml_backend.training.recipe import Recipe
from ml_backend.training.trained import Trained
from ml_backend.training.weights import StoredWeights, find_base_weights, store_weights


class Progress(Protocol):
    """Shows people how far a retrain has come."""

    def step(self, what: str, total: int) -> None:
        """Begin a step of so many parts.

        Parameters
        ----------
        what : str
            What is done.
        total : int
            Its parts.
        """

    def advance(self, done: int, note: str = "") -> None:
        """Say how many parts of the step are done.

        Parameters
        ----------
        done : int
            From the beginning of the step.
        note : str
            Shown beside it.
        """


@dataclass(frozen=True, slots=True)
class RetrainReport:
    """What came of a retrain.

    Attributes
    ----------
    dataset_version : str
        What was trained on.
    model_version : str or None
        The challenger; None when nothing was trained.
    promoted : bool
        Whether it is champion now.
    reason : str
        Why, or why not.
    map40, champion_map40 : float or None
        mAP@0.4 in [0, 1] of both on the frozen test split.
    skipped : tuple of Skipped
        Training images that could not be read.
    """

    dataset_version: str
    model_version: str | None
    promoted: bool
    reason: str
    map40: float | None = None
    champion_map40: float | None = None
    skipped: tuple[Skipped, ...] = ()

    def as_json(self) -> dict[str, object]:
        """Return the report as plain values.

        Returns
        -------
        dict
            For `--json`.
        """
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Retrain:
    """One attempt to train a challenger on the newest consensus.

    May be killed at any moment: the champion stays until the one transaction that replaces it,
    and training goes on after its last finished epoch when it is started again.

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
    """

    store: Store
    settings: Settings
    clock: Callable[[], datetime]
    progress: Progress

    def run(self, *, force: bool = False) -> RetrainReport:
        """Gather, fit, evaluate, gate.

        Parameters
        ----------
        force : bool
            Train even if a run on exactly these readings was finished before.

        Returns
        -------
        RetrainReport
            What came of it.
        """
        with hold_lease(self.store, "retrain", clock=self.clock):
            version, is_known = self._gather()
            if is_known and not force:
                return _nothing(version, "nothing was read since the last finished run")
            try:
                training_list = self._draw(version)
            except NothingToLearnError as error:
                return _nothing(version, str(error))
            with self._recorded(version) as note:
                weights, skipped = self._fit(version, training_list)
                scoring = self._learn_scoring(version, weights)
                quality, champion_quality, calibration = self._evaluate(version, weights, scoring)
                trained = Trained(weights, scoring, quality, calibration, skipped)
                report = self._gate(version, trained, champion_quality)
                note(report)
        return report

    def _gather(self) -> tuple[DatasetVersion, bool]:
        with self.store.transaction() as unit:
            unit.models.fail_interrupted_runs(now=self.clock())
            version = cut_training_set(unit, seed=self.settings.seed, now=self.clock())
            finished = {
                run.dataset_version for run in unit.models.runs() if run.state == "finished"
            }
        return version, version.name in finished

    def _draw(self, version: DatasetVersion) -> TrainingList:
        return draw_training_list(
            {
                member.image.id: {cluster.finding for cluster in member.clusters}
                for member in version.in_split(Split.TRAIN)
            },
            rng=np.random.default_rng(self.settings.seed),
        )

    @contextmanager
    def _recorded(self, version: DatasetVersion) -> Iterator[Callable[[RetrainReport], None]]:
        """Keep a record of the run, however it ends."""
        reports: list[RetrainReport] = []
        with self.store.transaction() as unit:
            run_id = unit.models.start_run(
                version.name,
                {"base_weights": self.settings.base_weights, **asdict(self._recipe())},
                now=self.clock(),
            )
        state, outcome = "failed", "interrupted"
        try:
            yield reports.append
            state, outcome = "finished", reports[-1].reason
        except Exception as error:
            outcome = f"{type(error).__name__}: {error}"
            raise
        finally:
            with self.store.transaction() as unit:
                unit.models.end_run(
                    run_id,
                    state=state,
                    outcome=outcome,
                    model_version=reports[-1].model_version if reports else None,
                    now=self.clock(),
                )

    def _recipe(self) -> Recipe:
        return Recipe(
            epochs=self.settings.train_epochs,
            image_size_px=self.settings.train_image_size_px,
            batch=self.settings.train_batch_size,
            seed=self.settings.seed,
        )

    def _fit(
        self, version: DatasetVersion, training_list: TrainingList
    ) -> tuple[StoredWeights, tuple[Skipped, ...]]:
        recipe = self._recipe()
        base_weights = find_base_weights(self.settings.base_weights, self.settings.weights_dir)
        self.progress.step(f"writing dataset {version.name}", 1)
        folder = write_dataset_folder(
            version,
            training_list.image_ids,
            self.settings.data_dir / "training" / version.name,
            image_size_px=recipe.image_size_px,
        )
        self.progress.step(f"training on {folder.training_lines} images", recipe.epochs)

        def on_epoch(epoch: int, _: int, figures: dict[str, float]) -> None:
            loss = sum(value for name, value in figures.items() if name.startswith("train/"))
            self.progress.advance(epoch, f"loss {loss:.2f}")

        fitted = fit(
            folder.path, base_weights, recipe, device=self.settings.device, on_epoch=on_epoch
        )
        return store_weights(fitted.weights, self.settings.weights_dir), folder.skipped

    def _learn_scoring(self, version: DatasetVersion, weights: StoredWeights) -> Scoring:
        validation = version.in_split(Split.VALIDATION)
        self.progress.step("learning what the scores mean", len(validation))
        detector = load_yolo(self.settings, weights.path, "challenger", min_score=LOWEST_SCORE)
        _, marked = evaluate(detector, validation, lambda done, _: self.progress.advance(done))
        return learn_scoring(
            validation, marked, false_marks_per_image=self.settings.false_marks_per_image
        )

    def _evaluate(
        self, version: DatasetVersion, weights: StoredWeights, scoring: Scoring
    ) -> tuple[DetectionQuality, DetectionQuality | None, dict[str, object]]:
        test = version.in_split(Split.TEST)
        with self.store.snapshot() as unit:
            champion = unit.models.champion()
        self.progress.step("evaluating the challenger", len(test))
        challenger = load_yolo(self.settings, weights.path, "challenger", min_score=LOWEST_SCORE)
        quality, marked = evaluate(challenger, test, lambda done, _: self.progress.advance(done))
        calibration = measure_scoring(scoring, test, marked)
        if champion is None:
            return quality, None, calibration
        self.progress.step(f"evaluating champion {champion.name}", len(test))
        detector = open_detector(self.settings, champion, min_score=LOWEST_SCORE)
        before, _ = evaluate(detector, test, lambda done, _: self.progress.advance(done))
        return quality, before, calibration

    def _gate(
        self,
        version: DatasetVersion,
        trained: Trained,
        champion_quality: DetectionQuality | None,
    ) -> RetrainReport:
        now = self.clock()
        with self.store.transaction() as unit:
            challenger = ModelVersion(
                name=unit.models.next_name(),
                state=ModelState.CHALLENGER,
                weights_uri=str(trained.weights.path.absolute()),
                weights_sha256=trained.weights.sha256,
                created_at=now,
                dataset_version=version.name,
                map40=trained.quality.map,
                report=trained.report(
                    self._recipe(), self.settings.base_weights, version.in_split(Split.TEST)
                ),
                scoring=trained.scoring,
            )
            decision = promote_model(unit, challenger, trained.quality, champion_quality, now=now)
        return RetrainReport(
            version.name,
            challenger.name,
            promoted=decision.promoted,
            reason=decision.reason,
            map40=decision.challenger_map,
            champion_map40=decision.champion_map,
            skipped=trained.skipped,
        )


def _nothing(version: DatasetVersion, reason: str) -> RetrainReport:
    return RetrainReport(version.name, None, promoted=False, reason=reason)
