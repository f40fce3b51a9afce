"""Score: the unread pool, with the champion, and with the challenger in its shadow."""

from backend.domain.models import ModelVersion
from backend.formats.image_cache import ImageCache
from backend.workflow.chain_step import NothingToDoError, StoppedError
from backend.workflow.record_predictions import unscored
from ml_backend.chain.workshop import Workshop
from ml_backend.open_detector import open_detector
from ml_backend.score_pool import ScoreReport, score_pool


def score(workshop: Workshop) -> dict[str, object]:
    """Score every image that the champion has not answered yet; goes on where it was cut off.

    A challenger in the shadow scores too; nobody sees what it says.

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
        champion, challenger = unit.models.champion(), unit.models.challenger()
        if champion is None:
            raise NothingToDoError("no model version is champion yet")
        # Opening a detector takes longer than asking.
        due = [one for one in (champion, challenger) if one and unscored(unit, one.name)]
    reports = {model.name: _score_with(workshop, model) for model in due}
    failed = max((len(report.failed) for report in reports.values()), default=0)
    return {
        "model_version": champion.name,
        "shadow": challenger and challenger.name,
        "scored": reports[champion.name].scored if champion.name in reports else 0,
        "failed": failed,
        "problems": [f"{failed} images could not be read: overread score lists them"]
        if failed
        else [],
    }


def _score_with(workshop: Workshop, model: ModelVersion) -> ScoreReport:
    done = 0

    def on_images(more: int) -> None:
        nonlocal done
        done += more
        workshop.progress.advance(done)
        if workshop.should_stop():
            raise StoppedError("scoring was asked to stop; what is scored is kept")

    return score_pool(
        workshop.store,
        open_detector(workshop.settings, model),
        clock=workshop.clock,
        cache=ImageCache(workshop.settings.image_cache_dir, workshop.settings.image_cache_bytes),
        on_start=lambda total: workshop.progress.step(f"scoring with {model.name}", total),
        on_images=on_images,
    )
