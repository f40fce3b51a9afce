"""The detector without weights."""

import subprocess
import sys
from pathlib import Path

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from backend.domain.boxes import check_boxes
from backend.domain.findings import Finding
from backend.formats.radiographs import pixel_hash
from ml_backend.detector import Detections, as_predicted_boxes, detect
from ml_backend.scripted_detector import ScriptedDetector
from tests.ml.conftest import radiograph


class TestScriptedDetector:
    def test_answers_from_its_script(self) -> None:
        told = Detections(np.array([[1.0, 2, 3, 4]]), np.array([Finding.ILD]), np.array([0.5]))
        detector = ScriptedDetector({pixel_hash(radiograph(1)): told})

        first, second = detect(detector, [radiograph(1), radiograph(2)])

        np.testing.assert_array_equal(first.boxes, told.boxes)
        assert first.scores is told.scores
        assert second.scores is not told.scores

    @given(
        seed=st.integers(0, 10_000),
        height_px=st.integers(2, 300),
        width_px=st.integers(2, 300),
    )
    def test_makes_up_the_same_sound_boxes_every_time(
        self, seed: int, height_px: int, width_px: int
    ) -> None:
        image = radiograph(seed, height_px, width_px)

        (once,) = detect(ScriptedDetector(), [image])
        (again,) = detect(ScriptedDetector(), [image.copy()])

        np.testing.assert_array_equal(once.boxes, again.boxes)
        np.testing.assert_array_equal(once.scores, again.scores)
        check_boxes(once.boxes)
        assert (once.boxes >= 0).all()
        assert (once.boxes <= [width_px, height_px] * 2).all()
        assert (np.diff(once.scores) <= 0).all()
        assert ((once.scores > 0) & (once.scores < 1)).all()
        assert [box.score for box in as_predicted_boxes(once)] == once.scores.tolist()

    def test_serves_without_torch(self) -> None:
        program = (
            "import sys, ml_backend.app, ml_backend.live_model, ml_backend.scripted_detector\n"
            "print(*{'torch', 'torchvision', 'ultralytics'} & set(sys.modules))"
        )
        ran = subprocess.run(
            [sys.executable, "-c", program],
            capture_output=True,
            text=True,
            check=True,
            cwd=Path(__file__).parents[2],
        )
        assert ran.stdout.split() == []
