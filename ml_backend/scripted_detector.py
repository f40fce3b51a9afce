"""A detector without weights: answers from a script, or else from the pixels' hash.

For demonstrations, tests and installations without torch; chosen by the setting `detector`.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from backend.domain.findings import Finding
from backend.formats.radiographs import pixel_hash
from ml_backend.detector import Detections, Radiograph

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
        self._model_version = model_version

    @property
    def model_version(self) -> str:
        """Name of the model version that it plays."""
        return self._model_version

    def detect(self, images: Sequence[Radiograph]) -> list[Detections]:
        """Answer for every image.

        Parameters
        ----------
        images : sequence of ndarray of shape (height, width)
            Grey images of any size.

        Returns
        -------
        list of Detections
            One per image, in order.
        """
        return [self._answer(image) for image in images]

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
