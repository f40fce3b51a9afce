"""Score images with the champion: their pre-annotations, and their places in the queue."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from itertools import islice
from typing import TypeAlias

from backend.domain.images import Image
from backend.domain.skipped import Skipped
from backend.formats.image_cache import ImageCache
from backend.formats.radiographs import UnreadableImageError
from backend.store.unit_of_work import Store
from backend.workflow.record_predictions import record_predictions, unscored
from ml_backend.detector import Detections, Detector, as_prediction
from ml_backend.inference_queue import InferenceQueue, Source
from ml_backend.task_images import read_small

_AHEAD = 256
_KEPT_TOGETHER = 64
_LOADED_TOGETHER = 2000

_Asked: TypeAlias = tuple[Image, "Future[Detections]"]


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
        Images without an answer; the next run tries them again.
    """

    model_version: str
    scored: int = 0
    failed: list[Skipped] = field(default_factory=list)


def score_pool(
    store: Store,
    detector: Detector,
    *,
    clock: Callable[[], datetime],
    cache: ImageCache | None = None,
    on_start: Callable[[int], None] = lambda _: None,
    on_images: Callable[[int], None] = lambda _: None,
) -> ScoreReport:
    """Score every image that this model version has not answered yet.

    Results are kept batch by batch: a run that is interrupted goes on where it stopped. An image
    that cannot be read, or that the detector fails on, is remembered with the reason, and tried
    again by the next run. Only when it fails on all of a batch, the run ends with its error.

    Parameters
    ----------
    store : Store
        The database; the detector's model version is registered in it.
    detector : Detector
        What scores.
    clock : callable
        Gives the time; aware.
    cache : ImageCache or None
        Where small copies of the images are kept; none are when None.
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
        ids = unscored(unit, detector.model_version)
    on_start(len(ids))
    with InferenceQueue() as queue:
        pending = _asked_ahead(_images(store, ids), detector, queue, cache)
        for batch in _batches(pending, _KEPT_TOGETHER):
            _keep(store, batch, detector, report, clock())
            on_images(len(batch))
    return report


def _images(store: Store, ids: Sequence[str]) -> Iterator[Image]:
    """Yield images, loaded a few thousand at a time: a million rows are not held at once."""
    for first in range(0, len(ids), _LOADED_TOGETHER):
        with store.snapshot() as unit:
            images = list(unit.images.all(ids[first : first + _LOADED_TOGETHER]).values())
        yield from images


def _asked_ahead(
    images: Iterable[Image], detector: Detector, queue: InferenceQueue, cache: ImageCache | None
) -> Iterator[_Asked]:
    """Yield images in order while those after them are decoded and looked at."""
    pending: deque[_Asked] = deque()
    for image in images:
        if len(pending) == _AHEAD:
            yield pending.popleft()
        is_kept = cache is not None and cache.path(image.pixel_hash).exists()
        load, source = partial(read_small, image, cache), Source.COPY if is_kept else Source.FILE
        pending.append((image, queue.look(load, detector, source=source)))
    yield from pending


def _batches(asked: Iterator[_Asked], size: int) -> Iterator[list[_Asked]]:
    while batch := list(islice(asked, size)):
        yield batch


def _keep(
    store: Store,
    batch: Sequence[_Asked],
    detector: Detector,
    report: ScoreReport,
    now: datetime,
) -> None:
    predictions, failed, unexpected = [], {}, []
    for image, answer in batch:
        try:
            predictions.append(as_prediction(answer.result(), image.id, detector))
        except UnreadableImageError as problem:
            failed[image.id] = str(problem)
        except Exception as problem:  # noqa: BLE001 - the other images must not fall with this one
            failed[image.id] = f"{type(problem).__name__}: {problem}"
            unexpected.append(problem)

    with store.transaction() as unit:
        report.scored += record_predictions(unit, predictions, now=now)
        unit.predictions.note_failures(detector.model_version, failed, now=now)
        has_answered = bool(report.scored or unit.predictions.image_ids(detector.model_version))

    report.failed += [Skipped(f"image {each}", why) for each, why in failed.items()]
    is_full = len(batch) == _KEPT_TOGETHER
    if len(unexpected) == len(batch) and (is_full or not has_answered):
        raise unexpected[-1]  # the detector is down, and not one image odd
