"""The figures of every epoch, in a file that survives being killed."""

import json
import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread

EpochFigures = Mapping[str, float]
"""The number of an epoch from 1 under "epoch", and by name what was measured in it."""

_SECONDS_BETWEEN_LOOKS = 1.0

_logger = logging.getLogger(__name__)


def kept_epochs(run: Path) -> tuple[EpochFigures, ...]:
    """Return the figures of the finished epochs.

    Parameters
    ----------
    run : Path
        Folder of a training.

    Returns
    -------
    tuple of mapping
        From the first epoch on; none before the first is finished.
    """
    file = run / "epochs.json"
    return tuple(json.loads(file.read_text())) if file.exists() else ()


def keep_epoch(run: Path, epoch: int, figures: EpochFigures) -> None:
    """Keep the figures of an epoch; those of a repeated epoch replace the earlier ones.

    Parameters
    ----------
    run : Path
        Folder of a training.
    epoch : int
        Its number, from 1.
    figures : mapping of str to float
        What was measured.
    """
    before = [each for each in kept_epochs(run) if each["epoch"] < epoch]
    draft = run / "epochs.partial"
    draft.write_text(json.dumps([*before, {"epoch": epoch, **figures}]))
    draft.replace(run / "epochs.json")


@contextmanager
def watch_epochs(
    run: Path,
    on_epoch: Callable[[EpochFigures], None],
    *,
    on_look: Callable[[], object] = lambda: None,
) -> Iterator[None]:
    """Tell of every epoch that another process finishes within the block.

    Parameters
    ----------
    run : Path
        Folder of a training.
    on_epoch : callable
        Called once for each epoch, from a thread.
    on_look : callable
        Called every second, from that thread; what it raises is logged.

    Yields
    ------
    None
        For the time of the block.
    """
    known, is_over = len(kept_epochs(run)), Event()

    def look() -> None:
        nonlocal known
        while True:
            was_over = is_over.wait(_SECONDS_BETWEEN_LOOKS)
            try:
                on_look()
            except Exception:  # the next look may succeed, and the epochs have to be told of
                _logger.exception("a look at whether the training should stop failed")
            found = kept_epochs(run)
            for figures in found[known:]:
                on_epoch(figures)
            known = len(found)
            if was_over:
                return

    watcher = Thread(target=look, name="epochs", daemon=True)
    watcher.start()
    try:
        yield
    finally:
        is_over.set()
        watcher.join()
