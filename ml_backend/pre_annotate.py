"""From Label Studio's tasks to their pre-annotations; one task's trouble stays its own."""

import logging
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from backend.domain.predictions import SHOWN_FROM_SCORE
from ml_backend.detector import Detector, as_predicted_boxes, detect
from ml_backend.image_source import ImageSource, ImageSourceError
from ml_backend.letterbox import Radiograph
from ml_backend.metrics import Metrics
from ml_backend.protocol import NOTHING_TO_STORE, Answer, prediction, wanted

ANSWER_WITHIN_SECONDS = 80.0
"""Label Studio waits 100 s for all tasks together and drops everything that comes later."""

_AT_A_TIME = 8
_logger = logging.getLogger(__name__)


class PreAnnotator:
    """Answers for a request's tasks.

    Parameters
    ----------
    source : ImageSource
        Where images come from.
    metrics : Metrics
        What is counted.
    clock : callable
        Monotonic seconds.
    """

    def __init__(
        self,
        source: ImageSource,
        metrics: Metrics,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._source = source
        self._metrics = metrics
        self._clock = clock

    def answer(self, tasks: Sequence[object], detector: Detector | None) -> list[Answer]:
        """Return one answer per task.

        Parameters
        ----------
        tasks : sequence of object
            Label Studio's tasks.
        detector : Detector or None
            What serves; None before the first model.

        Returns
        -------
        list
            A prediction for every task whose image was seen, else `NOTHING_TO_STORE`: in the
            unassisted arm, without a model, when the image cannot be had, and when time is up.
            Label Studio asks again for the tasks without one.
        """
        answers = [NOTHING_TO_STORE for _ in tasks]
        if detector is None:
            return answers
        asked = [number for number, task in enumerate(tasks) if not wanted(task).is_unassisted]
        deadline = self._clock() + ANSWER_WITHIN_SECONDS
        with ThreadPoolExecutor(_AT_A_TIME) as pool:
            for start in range(0, len(asked), _AT_A_TIME):
                if self._clock() > deadline:
                    self._give_up(len(asked) - start)
                    break
                numbers = asked[start : start + _AT_A_TIME]
                images = list(pool.map(self._fetch, (tasks[number] for number in numbers)))
                for number, found in zip(numbers, self._detect(images, detector), strict=True):
                    answers[number] = found
        return answers

    def _fetch(self, task: object) -> Radiograph | None:
        try:
            return self._source.fetch(wanted(task).image)
        except ImageSourceError as problem:
            _logger.warning("no pre-annotation: %s", problem)
            self._metrics.failures.labels(problem.cause).inc()
            return None

    def _detect(self, images: Sequence[Radiograph | None], detector: Detector) -> list[Answer]:
        seen = [image for image in images if image is not None]
        try:
            answers = iter(_answers(seen, detector))
        except Exception:  # the other batches and the reader's page must not fall with this one
            _logger.exception("the detector %s failed", detector.model_version)
            self._metrics.failures.labels("detector").inc(len(seen))
            return [NOTHING_TO_STORE for _ in images]
        return [NOTHING_TO_STORE if image is None else next(answers) for image in images]

    def _give_up(self, left: int) -> None:
        _logger.warning(
            "%d tasks got no pre-annotation in %g s; retrieve predictions again, or push them "
            "with `overread queue refill`",
            left,
            ANSWER_WITHIN_SECONDS,
        )
        self._metrics.failures.labels("time-is-up").inc(left)


def _answers(images: Sequence[Radiograph], detector: Detector) -> list[Answer]:
    answers = []
    for image, detections in zip(images, detect(detector, images), strict=True):
        boxes = as_predicted_boxes(detections)
        shown = [box for box in boxes if box.score >= SHOWN_FROM_SCORE]
        height_px, width_px = image.shape
        answers.append(prediction(shown, width_px, height_px, detector.model_version))
    return answers
