"""The picture of the learning curve."""

from pathlib import Path

import cv2
import numpy as np

from backend.domain.acquisition.learning_curve import CurvePoint, forecast
from backend.formats.figures import learning_curve


def test_shows_the_curve_its_interval_and_the_points(tmp_path: Path) -> None:
    points = [
        CurvePoint(f"m{place}", 200 + 300 * place, 0.45 - 2.0 * (200 + 300 * place) ** -0.5)
        for place in range(5)
    ]

    learning_curve(tmp_path / "curve.png", points, forecast(points, more_images=300))

    picture = cv2.imread(str(tmp_path / "curve.png"))
    assert picture is not None
    blue, vermilion = (178, 114, 0), (0, 94, 213)  # as OpenCV orders the channels
    assert (picture == blue).all(axis=2).sum() > 100
    assert (picture == vermilion).all(axis=2).sum() > 100
    assert len(np.unique(picture.reshape(-1, 3), axis=0)) > 20
