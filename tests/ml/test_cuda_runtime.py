"""Recorded passes on a GPU; `tests/ml/test_runtimes.py` has what runs anywhere."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from backend.demo import sample
from benchmarks.made_up_radiographs import radiograph
from ml_backend.detector import Detections

torch = pytest.importorskip("torch")

from ml_backend.runtimes import cuda_runtime  # noqa: E402
from ml_backend.yolo_detector import YoloDetector  # noqa: E402

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="this machine has no GPU")


@pytest.fixture(scope="module")
def detector() -> YoloDetector:
    return YoloDetector(sample.WEIGHTS, "m1", device="0", min_score=0.001)


def look(detector: YoloDetector, numbers: Sequence[int], side_px: int = 640) -> list[Detections]:
    images = [radiograph(number, is_square=True)[:, :side_px] for number in numbers]
    return detector.detect_in([detector.frame(image) for image in images])


def same(one: Detections, other: Detections) -> bool:
    """Half precision moves what is seen a little; another image looks quite different."""
    return bool(
        np.allclose(one.features, other.features, atol=0.05, rtol=0.05)
        and abs(one.scores.max(initial=0) - other.scores.max(initial=0)) < 0.01
    )


@pytest.mark.parametrize("images", [2, 9, 65])
def test_a_batch_says_what_its_images_say_alone(detector: YoloDetector, images: int) -> None:
    alone = [look(detector, [number])[0] for number in range(images)]

    together = look(detector, range(images))

    assert sum(len(each.scores) for each in alone) > 0
    assert all(same(*pair) for pair in zip(alone, together, strict=True))


def test_threads_do_not_mix_up_their_images(detector: YoloDetector) -> None:
    alone = [look(detector, [number])[0] for number in range(12)]

    with ThreadPoolExecutor(6) as threads:
        many = list(threads.map(lambda each: look(detector, [each % 12])[0], range(240)))

    assert all(same(alone[number % 12], found) for number, found in enumerate(many))


def test_a_pass_that_was_forgotten_is_recorded_anew(
    detector: YoloDetector, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cuda_runtime, "_MOST_RECORDED", 2)
    widths_px = (1024, 800, 600, 400)
    first = [look(detector, [0], width_px)[0] for width_px in widths_px]

    again = [look(detector, [0], width_px)[0] for width_px in widths_px]

    assert all(same(*pair) for pair in zip(first, again, strict=True))


def test_other_images_are_told_apart(detector: YoloDetector) -> None:
    one, other = look(detector, [0, 1])

    assert not same(one, other)
