"""Cut, train, calibrate, evaluate, gate: a challenger for the champion's place."""

from collections.abc import Callable
from datetime import datetime

from backend.settings import Settings
from backend.store.unit_of_work import Store
from backend.workflow.chain import run_chain
from backend.workflow.chain_run import Watchers
from backend.workflow.chain_step import Progress
from backend.workflow.retrain_report import RetrainReport
from ml_backend.night_shift import NightShift


def retrain(
    store: Store,
    settings: Settings,
    *,
    clock: Callable[[], datetime],
    progress: Progress,
    force: bool = False,
) -> RetrainReport:
    """Do the training steps of the chain; recorded and resumable as at night.

    May be killed at any moment: the champion stays until the one transaction that replaces it,
    and what was done is not done again when it is started again.

    Parameters
    ----------
    store : Store
        The database.
    settings : Settings
        Base weights, recipe, seed, device.
    clock : callable
        Gives the time; aware.
    progress : Progress
        Is told what happens.
    force : bool
        Train even if a run on exactly these readings was finished before.

    Returns
    -------
    RetrainReport
        What came of it.
    """
    end = run_chain(
        store,
        NightShift(settings, force=force).training_steps(),
        kind="retrain",
        clock=clock,
        watchers=Watchers(progress),
    )
    for error in end.failures.values():
        raise error
    return RetrainReport.of(end.record)
