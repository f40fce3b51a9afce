"""The part of the nightly job that needs torch."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from backend.formats.image_cache import ImageCache
from backend.settings import Settings
from backend.store.unit_of_work import Store
from ml_backend.open_detector import open_detector
from ml_backend.retrain import Progress, Retrain
from ml_backend.score_pool import score_pool


@dataclass(frozen=True, slots=True)
class NightShift:
    """Trains and scores for the nightly job.

    Attributes
    ----------
    store : Store
        The database.
    settings : Settings
        Recipe, device, seed.
    clock : callable
        Gives the time; aware.
    progress : Progress
        Is told what happens.
    """

    store: Store
    settings: Settings
    clock: Callable[[], datetime]
    progress: Progress

    def retrain(self) -> dict[str, object]:
        """Cut, train, evaluate and pass the gate.

        Returns
        -------
        dict
            What came of it.
        """
        return Retrain(self.store, self.settings, self.clock, self.progress).run().as_json()

    def score(self) -> dict[str, object]:
        """Score the unread pool with the champion.

        Returns
        -------
        dict
            How many images were scored and how many could not be read.
        """
        with self.store.snapshot() as unit:
            champion = unit.models.champion()
        if champion is None:
            return {"scored": 0, "failed": 0, "reason": "no model version is champion yet"}
        report = score_pool(
            self.store,
            open_detector(self.settings, champion),
            clock=self.clock,
            cache=ImageCache(self.settings.image_cache_dir, self.settings.image_cache_bytes),
        )
        return {"scored": report.scored, "failed": len(report.failed)}
