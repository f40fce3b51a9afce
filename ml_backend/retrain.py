"""Cut, train, calibrate, evaluate, gate: a challenger for the champion's place."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import datetime

from backend.domain.skipped import Skipped
from backend.settings import Settings
from backend.store.unit_of_work import Store
from backend.workflow.chain_step import NothingToDoError, Progress
from backend.workflow.job_lease import hold_lease
from ml_backend.chain.calibrate import calibrate
from ml_backend.chain.cut import cut
from ml_backend.chain.evaluate import evaluate
from ml_backend.chain.gate import gate
from ml_backend.chain.train import train
from ml_backend.chain.workshop import Workshop


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
        """Cut, train, calibrate, evaluate, gate.

        Parameters
        ----------
        force : bool
            Train even if a run on exactly these readings was finished before.

        Returns
        -------
        RetrainReport
            What came of it.
        """
        workshop = Workshop(self.store, self.settings, self.clock, self.progress)
        with hold_lease(self.store, "retrain", clock=self.clock):
            done = cut(workshop)
            try:
                trained = train(workshop, done, force=force)
            except NothingToDoError as reason:
                return RetrainReport(
                    done.dataset_version, None, promoted=False, reason=str(reason)
                )
            calibrated = calibrate(workshop, done, trained)
            evaluated = evaluate(workshop, done, trained, calibrated)
            gated = gate(workshop, done, trained, calibrated, evaluated)
        return RetrainReport(
            done.dataset_version,
            gated.model_version,
            promoted=gated.promoted,
            reason=gated.reason,
            map40=gated.map40,
            champion_map40=gated.champion_map40,
            skipped=trained.skipped,
        )
