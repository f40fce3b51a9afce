"""Score images with the champion: their pre-annotations, and their places in the queue."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime

from backend.domain.images import Image
from backend.domain.predictions import Prediction
from backend.domain.skipped import Skipped
from backend.formats.radiographs import UnreadableImageError
from backend.store.unit_of_work import Store
from backend.workflow.record_predictions import record_predictions, unscored
from ml_backend.detector import Detector, as_predicted_boxes, detect
from ml_backend.image_source import read_registered
from ml_backend.letterbox import Radiograph

_AT_A_TIME = 16
_DECODERS = 4


@dataclass(slots=True)
class ScoreReport:
    """What a scoring run did.

    Attributes
    ----------
    model_version : str
        Which model version scored.
    scored : int
        Images that have a prediction now and had none before.
    failed : list of Skipped
        Images that could not be read; the next run tries them again.
    """

    model_version: str
    scored: int = 0
    failed: list[Skipped] = field(default_factory=list)


def score_pool(
    store: Store,
    detector: Detector,
    *,
    clock: Callable[[], datetime],
    on_start: Callable[[int], None] = lambda _: None,
    on_images: Callable[[int], None] = lambda _: None,
) -> ScoreReport:
    """Score every image that this model version has not answered yet.

    Results are kept batch by batch: a run that is interrupted goes on where it stopped.

    Parameters
    ----------
    store : Store
        The database; the detector's model version is registered in it.
    detector : Detector
        What scores.
    clock : callable
        Gives the time; aware.
    on_start : callable
        Called once with the number of images.
    on_images : callable
        Called with the number of images that were done since the last call.

    Returns
    -------
    ScoreReport
        What was done.
    """
    report = ScoreReport(detector.model_version)
    with store.snapshot() as unit:
        images = list(unit.images.all(unscored(unit, detector.model_version)).values())
    on_start(len(images))
    for batch, pixels in _decoded(images):
        readable = _readable(batch, pixels, report)
        found = detect(detector, [radiograph for _, radiograph in readable])
        predictions = [
            Prediction(image.id, detector.model_version, as_predicted_boxes(detections))
            for (image, _), detections in zip(readable, found, strict=True)
        ]
        with store.transaction() as unit:
            report.scored += record_predictions(unit, predictions, now=clock())
        on_images(len(batch))
    return report


def _decoded(
    images: Sequence[Image],
) -> Iterator[tuple[Sequence[Image], list[Radiograph | UnreadableImageError]]]:
    """Yield batches with their pixels; the next batch is decoded while this one is worked on."""
    batches = [images[first : first + _AT_A_TIME] for first in range(0, len(images), _AT_A_TIME)]
    with ThreadPoolExecutor(_DECODERS) as pool:
        ahead = [pool.submit(_read, image) for image in batches[0]] if batches else []
        for number, batch in enumerate(batches):
            ready, ahead = (
                ahead,
                [
                    pool.submit(_read, image)
                    for image in (batches[number + 1] if number + 1 < len(batches) else ())
                ],
            )
            yield batch, [future.result() for future in ready]


def _read(image: Image) -> Radiograph | UnreadableImageError:
    try:
        return read_registered(image)
    except UnreadableImageError as error:
        return error


def _readable(
    batch: Sequence[Image],
    pixels: Sequence[Radiograph | UnreadableImageError],
    report: ScoreReport,
) -> list[tuple[Image, Radiograph]]:
    readable = []
    for image, outcome in zip(batch, pixels, strict=True):
        if isinstance(outcome, UnreadableImageError):
            report.failed.append(Skipped(f"image {image.id}", str(outcome)))
        else:
            readable.append((image, outcome))
    return readable
