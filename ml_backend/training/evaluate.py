"""How well a detector finds what a dataset split shows."""

from collections.abc import Callable, Sequence

from backend.domain.dataset import DatasetImage
from backend.domain.metrics.average_precision import DetectionQuality, mean_average_precision
from backend.domain.predictions import PredictedBox
from ml_backend.detector import Detector, as_predicted_boxes, detect
from ml_backend.image_source import read_registered
from ml_backend.letterbox import Radiograph

LOWEST_SCORE = 0.001
"""Confidence from which a detector has to report boxes for its precision to be measured."""

_AT_A_TIME = 16


def evaluate(
    detector: Detector,
    images: Sequence[DatasetImage],
    on_image: Callable[[int, int], None] = lambda *_: None,
) -> tuple[DetectionQuality, dict[str, tuple[PredictedBox, ...]]]:
    """Measure a detector on images with known findings.

    Parameters
    ----------
    detector : Detector
        Loaded with `LOWEST_SCORE`.
    images : sequence of DatasetImage
        Usually the frozen test split.
    on_image : callable
        Called with the number of images that are done and of all images.

    Returns
    -------
    DetectionQuality
        Mean average precision at IoU 0.4, and its parts.
    dict of str to tuple of PredictedBox
        What was marked, by image id.

    Raises
    ------
    UnreadableImageError
        If an image cannot be read: figures of fewer images would not compare with earlier ones.
    """
    predictions: dict[str, tuple[PredictedBox, ...]] = {}
    for start in range(0, len(images), _AT_A_TIME):
        batch = images[start : start + _AT_A_TIME]
        pixels: list[Radiograph] = [read_registered(member.image) for member in batch]
        for member, found in zip(batch, detect(detector, pixels), strict=True):
            predictions[member.image.id] = as_predicted_boxes(found)
        on_image(len(predictions), len(images))

    truths = {
        member.image.id: [(cluster.finding, cluster.box) for cluster in member.clusters]
        for member in images
    }
    return mean_average_precision(truths, predictions), predictions
