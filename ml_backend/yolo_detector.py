"""An ultralytics detector behind our own frame, our own runtimes and our own suppression.

ultralytics' `predict` is not used: when its suppression runs out of time it returns no boxes for
the images that are left, and an overloaded machine then looks confidently empty.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from backend.domain.consensus.logistic import logit, sigmoid
from backend.domain.findings import Finding
from backend.domain.score_calibration import Scoring
from ml_backend.detector import Detections
from ml_backend.letterbox import Letterbox, Radiograph, letterbox
from ml_backend.runtimes.choice import choose_runtime, open_runtime
from ml_backend.runtimes.device import choose_device
from ml_backend.runtimes.network_facts import UnusableWeightsError
from ml_backend.runtimes.raw_output import Candidates, Runtime
from ml_backend.suppression import find_marks

TITLES = tuple(finding.title for finding in Finding)


class BrokenDetectorError(RuntimeError):
    """A detector's output is not finite, so nothing can be said about the image."""


class YoloDetector:
    """Runs the weights of one model version; YOLOv8, YOLO11 and YOLO26 alike.

    Parameters
    ----------
    weights_path : Path
        A checkpoint written by ultralytics.
    model_version : str
        Name of the model version.
    device : str
        "auto" for the first GPU or else the CPU, "cpu", or a CUDA index.
    runtime : str
        "auto" for the fastest that this machine has, or a runtime's name.
    exports_dir : Path or None
        Where exported networks are kept; beside the weights when None.
    image_size_px : int or None, [px]
        Length of an image's longer side as the detector sees it; the size that the weights were
        trained at when None.
    min_score : float
        Boxes below this raw score are left out.
    min_probability : float
        So are boxes below this probability, unless their finding's threshold is lower.
    scoring : Scoring or None
        How its scores become probabilities; they stay as they are when None.
    titles : sequence of str
        What the weights have to detect, by class id.
    """

    def __init__(  # noqa: PLR0913 - each by its name, each with a default
        self,
        weights_path: Path,
        model_version: str,
        *,
        device: str = "auto",
        runtime: str = "auto",
        exports_dir: Path | None = None,
        image_size_px: int | None = None,
        min_score: float = 0.05,
        min_probability: float = 0.0,
        scoring: Scoring | None = None,
        titles: Sequence[str] = TITLES,
    ) -> None:
        chosen = choose_device(device)
        self._runtime, facts = open_runtime(
            choose_runtime(runtime, chosen),
            weights_path,
            device=chosen,
            exports_dir=exports_dir or weights_path.parent / "exports",
        )
        if tuple(facts.titles) != tuple(titles):
            raise UnusableWeightsError(
                f"{weights_path} detects {', '.join(facts.titles[:4])}, ...; expected the "
                f"{len(titles)} findings in their order: {', '.join(titles)}"
            )
        self.model_version = model_version
        self._least_logit = float(logit(np.array(min_score))) if min_score > 0 else -np.inf
        self.thresholds: Mapping[Finding, float] = scoring.thresholds if scoring else {}
        self._scoring = scoring
        self._kept_from = np.full(len(titles), min_probability)
        for finding, threshold in self.thresholds.items():
            self._kept_from[finding] = min(min_probability, threshold)
        self.image_size_px = image_size_px or facts.image_size_px
        self._strides = facts.strides

    @property
    def runtime(self) -> str:
        """What the detector runs on, for people."""
        return self._runtime.name

    @property
    def bare(self) -> Runtime:
        """The network alone, to measure what the rest costs."""
        return self._runtime

    @property
    def batch_size(self) -> int:
        """How many frames are worth looking at together."""
        return self._runtime.batch_size

    @property
    def workers(self) -> int:
        """How many threads keep the device busy."""
        return self._runtime.workers

    def frame(self, image: Radiograph, size_px: tuple[int, int] | None = None) -> Letterbox:
        """Return an image as the detector sees it.

        Parameters
        ----------
        image : ndarray of shape (height, width)
            Grey image of any size.
        size_px : (int, int) or None, [px]
            Height and width of the image whose pixels boxes are to be in, when `image` is a
            smaller copy of it.

        Returns
        -------
        Letterbox
            The frame.
        """
        return letterbox(image, self.image_size_px, size_px=size_px, stride_px=self._strides[-1])

    def detect_in(self, frames: Sequence[Letterbox]) -> list[Detections]:
        """Mark the findings in frames.

        A place may carry several findings: every finding above the lowest score is reported.

        Parameters
        ----------
        frames : sequence of Letterbox
            From `frame`; of any shapes.

        Returns
        -------
        list of Detections
            One per frame, in order.

        Raises
        ------
        BrokenDetectorError
            If the network returns a number that is not finite.
        """
        found: dict[int, Detections] = {}
        for batch in _batches_of_equal_shape(frames, self.batch_size):
            together = [frames[index] for index in batch]
            pixels = np.stack([frame.pixels for frame in together])
            candidates = self._runtime.look(pixels, self._least_logit)
            found |= zip(batch, self._detections(candidates, together), strict=True)
        return [found[index] for index in range(len(frames))]

    def _detections(
        self, candidates: Candidates, frames: Sequence[Letterbox]
    ) -> Iterator[Detections]:
        features = candidates.features
        if not (
            candidates.is_finite
            and np.isfinite(candidates.distances).all()
            and np.isfinite(features).all()
        ):
            raise BrokenDetectorError(
                f"the weights of {self.model_version} give numbers that are not finite; "
                "roll back with `overread models rollback` and train again"
            )
        height_px, width_px = frames[0].pixels.shape
        marks = find_marks(candidates, (height_px, width_px), strides=self._strides)
        boxes, findings, spreads = marks.boxes, marks.findings, marks.spreads
        raw_scores = sigmoid(marks.logits)
        scores = self._scoring.calibrate(findings, raw_scores) if self._scoring else raw_scores
        ends = np.searchsorted(marks.images, np.arange(len(frames) + 1))
        for number, frame in enumerate(frames):
            own = slice(ends[number], ends[number + 1])
            corners = frame.to_image(boxes[own])
            on_image = (corners[:, 2:] - corners[:, :2] >= 1).all(axis=1)  # not only in the border
            is_kept = on_image & (scores[own] >= self._kept_from[findings[own]])
            by_score = np.argsort(-scores[own][is_kept], kind="stable")
            yield Detections(
                corners[is_kept][by_score],
                findings[own][is_kept][by_score],
                scores[own][is_kept][by_score],
                spreads[own][is_kept][by_score] / frame.scale,
                features[number],
                raw_scores[own][is_kept][by_score],
            )


def _batches_of_equal_shape(frames: Sequence[Letterbox], size: int) -> Iterator[list[int]]:
    by_shape: dict[tuple[int, ...], list[int]] = {}
    for index, frame in enumerate(frames):
        by_shape.setdefault(frame.pixels.shape, []).append(index)
    for indices in by_shape.values():
        for start in range(0, len(indices), size):
            yield indices[start : start + size]
