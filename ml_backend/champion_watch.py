"""Keeps the server on the champion: notices a promotion or a rollback and swaps."""

import logging
from threading import Event, Thread

from backend.settings import Settings
from backend.store.unit_of_work import Store
from ml_backend.live_model import LiveModel
from ml_backend.open_detector import open_detector

_log = logging.getLogger(__name__)


class ChampionWatch:
    """A thread that makes the champion serve, as soon as it is another one.

    Parameters
    ----------
    settings : Settings
        How detectors are opened.
    store : Store
        Where the champion is known.
    live_model : LiveModel
        What serves.
    every_seconds : float, [s]
        How often it looks.
    """

    def __init__(
        self,
        settings: Settings,
        store: Store,
        live_model: LiveModel,
        *,
        every_seconds: float = 10.0,
    ) -> None:
        self._settings = settings
        self._store = store
        self._live_model = live_model
        self._every_seconds = every_seconds
        self._stopped = Event()
        self._thread = Thread(target=self._watch, name="champion-watch", daemon=True)

    def start(self) -> None:
        """Begin to watch."""
        self._thread.start()

    def stop(self) -> None:
        """End watching, and wait for the thread."""
        self._stopped.set()
        self._thread.join()

    def look(self) -> None:
        """Swap to the champion if another model version serves."""
        with self._store.snapshot() as unit:
            champion = unit.models.champion()
        if champion is not None and champion.name != self._live_model.model_version:
            self._live_model.swap(open_detector(self._settings, champion))
            _log.info("model version %s serves now", champion.name)

    def _watch(self) -> None:
        while True:
            try:
                self.look()
            except Exception:  # noqa: BLE001 - the thread has to live on
                # Whatever is wrong with the store or the weights, the old model goes on serving.
                _log.exception("the champion cannot be served")
            if self._stopped.wait(self._every_seconds):
                return
