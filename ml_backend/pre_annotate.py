"""From Label Studio's tasks to their pre-annotations; one task's trouble stays its own."""

import logging
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field

from backend.domain.findings import Finding
from backend.domain.predictions import shown_boxes
from backend.formats.image_cache import SmallCopy
from ml_backend.detector import Detections, Detector, as_predicted_boxes
from ml_backend.image_source import ImageSourceError
from ml_backend.inference_queue import InferenceQueue
from ml_backend.metrics import Metrics
from ml_backend.protocol import EVERY_FINDING, NOTHING_TO_STORE, Answer, prediction, wanted
from ml_backend.task_images import TaskImage, TaskImages

ANSWER_WITHIN_SECONDS = 80.0
"""Label Studio waits 100 s for all tasks together and drops everything that comes later."""

_ASKED_AHEAD = 128
_logger = logging.getLogger(__name__)


class TimeIsUpError(TimeoutError):
    """The one who asked does not wait any more."""


@dataclass(slots=True, eq=False)
class _Asked:
    """One task that waits for its answer."""

    number: int
    image: TaskImage
    deadline: float
    clock: Callable[[], float]
    findings: frozenset[Finding]
    size_px: tuple[int, int] = (0, 0)
    found: "Future[Detections]" = field(default_factory=Future)

    def load(self) -> SmallCopy:
        if self.clock() > self.deadline:
            raise TimeIsUpError
        copy = self.image.load()
        self.size_px = copy.size_px
        return copy


class PreAnnotator:
    """Answers for a request's tasks.

    Parameters
    ----------
    images : TaskImages
        Where images come from.
    queue : InferenceQueue
        Who looks at them, for all requests together.
    metrics : Metrics
        What is counted.
    clock : callable
        Monotonic seconds.
    """

    def __init__(
        self,
        images: TaskImages,
        queue: InferenceQueue,
        metrics: Metrics,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._images = images
        self._queue = queue
        self._metrics = metrics
        self._clock = clock

    def answer(
        self,
        tasks: Sequence[object],
        detector: Detector | None,
        *,
        findings: frozenset[Finding] = EVERY_FINDING,
        asked_at: float | None = None,
    ) -> list[Answer]:
        """Return one answer per task.

        Parameters
        ----------
        tasks : sequence of object
            Label Studio's tasks.
        detector : Detector or None
            What serves; None before the first model.
        findings : frozenset of Finding
            What the project's form can show; boxes of other findings are left out.
        asked_at : float or None, [s]
            When the request came in, by the clock; now when None.

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
        came = self._clock() if asked_at is None else asked_at
        pending: deque[_Asked] = deque()
        for number, task in enumerate(tasks):
            wish = wanted(task)
            if wish.is_unassisted:
                continue
            if len(pending) == _ASKED_AHEAD:
                self._collect(pending.popleft(), detector, answers)
            asked = _Asked(
                number,
                self._images.find(wish.image, wish.project_id),
                came + ANSWER_WITHIN_SECONDS,
                self._clock,
                findings,
            )
            asked.found = self._queue.look(asked.load, detector, source=asked.image.source)
            pending.append(asked)
        for asked in pending:
            self._collect(asked, detector, answers)
        return answers

    def _collect(self, asked: _Asked, detector: Detector, answers: list[Answer]) -> None:
        try:
            left = max(asked.deadline - self._clock(), 0)
            found = asked.found.result(timeout=left)
        except ImageSourceError as problem:
            _logger.warning("no pre-annotation: %s", problem)
            self._metrics.failures.labels(problem.cause).inc()
        except TimeoutError:
            _logger.warning("a task got no pre-annotation in %g s", ANSWER_WITHIN_SECONDS)
            self._metrics.failures.labels("time-is-up").inc()
        except Exception:  # the other tasks and the reader's page must not fall with this one
            _logger.exception("the detector %s failed", detector.model_version)
            self._metrics.failures.labels("detector").inc()
        else:
            self._metrics.answered.inc()
            answers[asked.number] = _answer(found, asked, detector)


def _answer(found: Detections, asked: _Asked, detector: Detector) -> Answer:
    height_px, width_px = asked.size_px
    sure = shown_boxes(as_predicted_boxes(found), detector.thresholds)
    shown = [box for box in sure if box.finding in asked.findings]
    return prediction(shown, width_px, height_px, detector.model_version)
