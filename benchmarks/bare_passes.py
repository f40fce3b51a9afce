"""Bare passes of a network, without anything around them: what a server is held against."""

import time
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from ml_backend.letterbox import Letterbox
from ml_backend.ultralytics_settings import import_part
from ml_backend.yolo_detector import YoloDetector

_QUIET = 0.1
_SHOWN_TO_TORCH = 12  # frames of every shape, and not for long


class Floor:
    """Passes of the served network on the same frames, runtime and threads, in this process.

    The images differ in shape and a pass takes as long as its frame is large, so every image has
    its own frame here. All were passed once, on every thread: the first pass of a shape is slow.
    """

    def __init__(self, detector: YoloDetector, frames: Iterable[Letterbox]) -> None:
        self._network, self._workers = detector.bare, detector.workers
        self.frames = [frame.pixels[None] for frame in frames]
        self.runtime = detector.runtime
        for _ in range(self._workers):
            self.images_per_second()

    def once(self) -> None:
        """Pass the first frame."""
        self._network.forward(self.frames[0])

    def images_per_second(self) -> float:
        """Pass all frames, with as many passes at once as the server has."""
        started = time.perf_counter()
        with ThreadPoolExecutor(self._workers) as pool:
            list(pool.map(self._network.forward, self.frames))
        return len(self.frames) / (time.perf_counter() - started)


class EagerTorch:
    """Passes of ultralytics' `predict`, which Label Studio's example calls image by image.

    The memory layout and the number of threads are what ultralytics itself chooses.
    """

    def __init__(self, weights: Path, frames: Sequence[NDArray[np.uint8]]) -> None:
        device = import_part("utils.torch_utils").select_device("cpu", verbose=False)
        self.threads = torch.get_num_threads()  # which `select_device` just set
        backend = import_part("nn.autobackend").AutoBackend
        self._network = backend(str(weights), device=device, verbose=False)
        self._frames = [_in_colour(frame) for frame in frames[:_SHOWN_TO_TORCH]]
        self.images_per_second()

    def images_per_second(self) -> float:
        """Pass the first frames, one after the other."""
        started = time.perf_counter()
        with torch.inference_mode():
            for frame in self._frames:
                self._network(frame)
        return len(self._frames) / (time.perf_counter() - started)


def _in_colour(frame: NDArray[np.uint8]) -> torch.Tensor:
    return torch.from_numpy(frame).unsqueeze(1).expand(-1, 3, -1, -1).float() / 255


def times_the_floor(bare: Sequence[float], whole: Sequence[float]) -> float:
    """Return how many times as long an answer takes as the bare passes around it; the median.

    They are taken by turns, so that both meet the same machine.

    Parameters
    ----------
    bare : sequence of float, [s]
        One more than `whole`: each answer has a pass before it and a pass after it.
    whole : sequence of float, [s]
        Answers.
    """
    passes = np.array(bare)
    return float(np.median(np.array(whole) / ((passes[:-1] + passes[1:]) / 2)))


def floor_moved(bare: Sequence[float]) -> float:
    """Return by which share a bare pass differs from the next one; the median.

    A ratio over the floor is no better than this.
    """
    passes = np.array(bare)
    return float(np.median(np.abs(passes[1:] / passes[:-1] - 1)))


def noise(figures: Mapping[str, float]) -> str:
    """Return why the ratios over the floor mean little; "none seen" on a quiet machine."""
    impossible = [
        name
        for name, figure in figures.items()
        if "_vs_floor" in name and (figure > 1 if "throughput" in name else figure < 1)
    ]
    if impossible:  # a server cannot beat the network that it runs
        return f"the floor was slower than the server: {', '.join(impossible)}"
    if figures["floor_moved"] > _QUIET:
        return f"the floor moved by {figures['floor_moved']:.0%} from pass to pass"
    return "none seen"
