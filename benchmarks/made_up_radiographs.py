"""Pictures with the sizes and the smoothness of radiographs, from a seed."""

import cv2
import numpy as np

from ml_backend.letterbox import Radiograph

_SHAPES = ((1024, 832), (1024, 1024), (840, 1024))


def radiograph(seed: int, *, scale: float = 1.0, is_square: bool = False) -> Radiograph:
    """Return blurred noise with a bright column and two dark lungs in it."""
    rng = np.random.default_rng(seed)
    height, width = (1024, 1024) if is_square else _SHAPES[seed % len(_SHAPES)]
    height, width = round(height * scale), round(width * scale)
    small = rng.normal(128, 40, (32, 32)).astype(np.float32)
    picture = cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC)
    for centre in (0.3, 0.7):
        axes = (round(width * 0.16), round(height * 0.3))
        cv2.ellipse(picture, (round(width * centre), height // 2), axes, 0, 0, 360, 60.0, -1)
    picture = cv2.GaussianBlur(picture, (0, 0), 6 * scale)
    picture += rng.normal(0, 4, picture.shape).astype(np.float32)
    return np.clip(picture, 0, 255).astype(np.uint8)
