"""Score: the unread pool, with the champion."""

from backend.workflow.chain_step import NothingToDoError, StoppedError
from backend.workflow.record_predictions import unscored
from ml_backend.chain.workshop import Workshop
from ml_backend.image_cache import ImageCache
from ml_backend.open_detector import open_detector
from ml_backend.score_pool import score_pool


def score(workshop: Workshop) -> dict[str, object]:
    """Score every image that the champion has not answered yet; goes on where it was cut off.

    Parameters
    ----------
    workshop : Workshop
        What to work with.

    Returns
    -------
    dict
        How many images were scored and how many could not be read.

    Raises
    ------
    NothingToDoError
        If no model version is champion.
    StoppedError
        If it was asked to stop.
    """
    with workshop.store.snapshot() as unit:
        champion = unit.models.champion()
        if champion is None:
            raise NothingToDoError("no model version is champion yet")
        if not unscored(unit, champion.name):  # opening the detector takes longer than asking
            return {"model_version": champion.name, "scored": 0, "failed": 0, "problems": []}
    done = 0

    def on_images(more: int) -> None:
        nonlocal done
        done += more
        workshop.progress.advance(done)
        if workshop.should_stop():
            raise StoppedError("scoring was asked to stop; what is scored is kept")

    report = score_pool(
        workshop.store,
        open_detector(workshop.settings, champion),
        clock=workshop.clock,
        cache=ImageCache(workshop.settings.image_cache_dir),
        on_start=lambda total: workshop.progress.step(f"scoring with {champion.name}", total),
        on_images=on_images,
    )
    return {
        "model_version": champion.name,
        "scored": report.scored,
        "failed": len(report.failed),
        "problems": [f"{len(report.failed)} images could not be read: overread score lists them"]
        if report.failed
        else [],
    }
