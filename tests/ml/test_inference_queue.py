"""Looking at images for everybody who asks."""

from collections.abc import Sequence
from threading import Event

import numpy as np
import pytest
from typing_extensions import override

from backend.formats.image_cache import SmallCopy, small_copy
from ml_backend.detector import Detections
from ml_backend.inference_queue import InferenceQueue
from ml_backend.letterbox import Letterbox
from ml_backend.scripted_detector import ScriptedDetector
from tests.ml.conftest import radiograph


class Watched(ScriptedDetector):
    """Notes its batches; the first one waits until it may end."""

    def __init__(self, model_version: str = "m1") -> None:
        super().__init__(model_version=model_version)
        self.batches: list[int] = []
        self.started, self.may_end = Event(), Event()

    @override
    def detect_in(self, frames: Sequence[Letterbox]) -> list[Detections]:
        self.batches.append(len(frames))
        self.started.set()
        assert self.may_end.wait(20)
        return super().detect_in(frames)


def load(seed: int = 0, height_px: int = 96) -> SmallCopy:
    return small_copy(radiograph(seed, height_px))


class TestInferenceQueue:
    def test_answers_each_as_it_would_alone(self) -> None:
        detector = ScriptedDetector()
        with InferenceQueue() as queue:
            answers = [queue.look(lambda n=n: load(n), detector) for n in range(40)]  # type: ignore[misc]

            for number, answer in enumerate(answers):
                (alone,) = detector.detect_in([detector.frame(radiograph(number))])
                assert answer.result(20).scores.tolist() == alone.scores.tolist()

    def test_looks_at_what_waits_together_but_never_with_two_detectors(self) -> None:
        one, other = Watched("m1"), Watched("m2")
        other.may_end.set()
        with InferenceQueue(decoders=1) as queue:
            first = queue.look(load, one)
            assert one.started.wait(20)
            rest = [queue.look(load, which) for which in (one, other) * 6]
            while len(queue) < 12:
                pass
            one.may_end.set()
            for answer in [first, *rest]:
                answer.result(20)

        assert one.batches == [1, 6]
        assert other.batches == [6]

    def test_keeps_frames_of_one_shape_together(self) -> None:
        detector = Watched()
        with InferenceQueue(decoders=1) as queue:
            first = queue.look(load, detector)
            assert detector.started.wait(20)
            rest = [queue.look(lambda n=n: load(0, 96 + n % 2), detector) for n in range(6)]  # type: ignore[misc]
            while len(queue) < 6:
                pass
            detector.may_end.set()
            for answer in [first, *rest]:
                answer.result(20)

        assert detector.batches == [1, 3, 3]

    def test_hands_trouble_to_the_one_who_asked(self) -> None:
        def gone() -> SmallCopy:
            raise FileNotFoundError("gone")

        with InferenceQueue() as queue:
            broken, whole = (
                queue.look(gone, ScriptedDetector()),
                queue.look(load, ScriptedDetector()),
            )

            with pytest.raises(FileNotFoundError):
                broken.result(20)
            whole.result(20)

    def test_goes_on_after_a_detector_failed(self) -> None:
        class Broken(ScriptedDetector):
            @override
            def detect_in(self, frames: Sequence[Letterbox]) -> list[Detections]:
                raise RuntimeError("CUDA error")

        with InferenceQueue() as queue:
            with pytest.raises(RuntimeError, match="CUDA"):
                queue.look(load, Broken()).result(20)
            queue.look(load, ScriptedDetector()).result(20)

    def test_fails_only_the_frame_that_breaks_its_batch(self) -> None:
        class Picky(Watched):
            @override
            def detect_in(self, frames: Sequence[Letterbox]) -> list[Detections]:
                found = super().detect_in(frames)
                if any(frame.pixels.max() == 255 for frame in frames):
                    raise RuntimeError("not finite")
                return found

        detector = Picky()
        odd = small_copy(np.full((96, 80), 255, np.uint8))
        with InferenceQueue(decoders=1) as queue:
            first = queue.look(load, detector)
            assert detector.started.wait(20)
            rest = [
                queue.look(lambda n=n: odd if n == 2 else load(n), detector)  # type: ignore[misc]
                for n in range(5)
            ]
            while len(queue) < 5:
                pass
            detector.may_end.set()
            first.result(20)
            failed = [number for number, answer in enumerate(rest) if answer.exception(20)]

        assert failed == [2]
        assert detector.batches[:2] == [1, 5]
