"""A detector without weights: answers from a script, or else from the pixels' hash.

For demonstrations, tests and installations without torch; chosen by the setting `detector`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from backend.domain.findings import Finding
from backend.formats.radiographs import pixel_hash
from ml_backend.detector import Detections
from ml_backend.letterbox import Letterbox, Radiograph

_NOTHING_TO_TELL: Mapping[str, Detections] = {}


class ScriptedDetector:
    """Answers the same for the same pixels, always.

    Parameters
    ----------
    script : mapping of str to Detections
        Answers by `pixel_hash` of the image. Images that it does not name get zero to three
        boxes that depend on nothing but their pixels.
    model_version : str
        Name of the model version that it plays.
    """

    def __init__(
        self,
        script: Mapping[str, Detections] = _NOTHING_TO_TELL,
        model_version: str = "scripted-1",
    ) -> None:
        self._script = dict(script)
        self.model_version = model_version
        self.runtime = "a script"
        self.thresholds: Mapping[Finding, float] = {}
        self.batch_size = 8
        self.workers = 1

    def frame(self, image: Radiograph, size_px: tuple[int, int] | None = None) -> Letterbox:
        """Return an image as it is.

        Parameters
        ----------
        image : ndarray of shape (height, width)
            Grey image of any size.
        size_px : (int, int) or None, [px]
            Height and width of the image whose pixels boxes are to be in.

        Returns
        -------
        Letterbox
            Without borders.
        """
        height_px, width_px = size_px or image.shape
        scale = max(image.shape) / max(height_px, width_px)
        return Letterbox(image, scale, 0, 0, width_px, height_px)

    def detect_in(self, frames: Sequence[Letterbox]) -> list[Detections]:
        """Answer for every frame.

        Parameters
        ----------
        frames : sequence of Letterbox
            From `frame`.

        Returns
        -------
        list of Detections
            One per frame, in order.
        """
        return [
            replace(answer, boxes=frame.to_image(answer.boxes))
            for frame in frames
            for answer in [self._answer(frame.pixels)]
        ]

    def _answer(self, image: Radiograph) -> Detections:
        key = pixel_hash(image)
        scripted = self._script.get(key)
        return _made_up(key, image.shape) if scripted is None else scripted


def _made_up(key: str, shape: tuple[int, ...]) -> Detections:
    chance = np.random.default_rng(int(key, 16))
    height_px, width_px = shape[:2]
    count = int(chance.integers(0, 4))
    size = np.array([width_px, height_px])
    near = chance.uniform(0.1, 0.5, (count, 2)) * size
    far = near + chance.uniform(0.1, 0.4, (count, 2)) * size
    boxes = np.concatenate([near, far], axis=1).round(1)
    scores = np.sort(chance.uniform(0.3, 0.95, count).round(3))[::-1]
    findings = chance.choice(len(Finding), count, replace=False).astype(np.int64)
    return Detections(boxes, findings, scores)
