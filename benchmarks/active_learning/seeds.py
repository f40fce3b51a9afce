"""Several seeds, some at a time; here, because a process cannot import what `__main__` defines."""

import json
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import torch

from benchmarks.active_learning import report
from benchmarks.active_learning.detector import Detector
from benchmarks.active_learning.protocol import Conditions, Truths
from benchmarks.active_learning.replay import replay
from benchmarks.phantom import Layouts


@dataclass(frozen=True, slots=True)
class Study:
    """What one process needs to replay a seed."""

    conditions: Conditions
    methods: tuple[str, ...]
    device: str
    folder: Path
    deadline: float

    @property
    def replays(self) -> Path:
        """The file that keeps every method's rounds, one line each."""
        return self.folder / "replays.jsonl"

    def left(self, seed: int) -> tuple[str, ...]:
        """Return the methods that this seed has not finished."""
        done = report.read(self.replays).get(seed, {})
        return tuple(name for name in self.methods if name not in done)


def replay_seeds(seeds: list[int], study: Study, processes: int) -> None:
    """Replay several seeds, some at a time."""
    work = partial(replay_seed, study=study)
    if processes == 1:
        for seed in seeds:
            work(seed)
        return
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        list(pool.map(work, seeds))


def replay_seed(seed: int, study: Study) -> None:
    """Replay one seed; every finished method is one more line of the file."""
    left = study.left(seed)
    if not left or time.monotonic() > study.deadline:
        return
    torch.set_num_threads(1)
    stored = dict(np.load(study.folder / "layouts.npz"))
    boxes_px = stored.pop("boxes_px")
    layouts = Layouts(int(stored.pop("count")), **stored)
    truths = Truths.of(layouts, boxes_px)
    detector = Detector(study.conditions.recipe, study.conditions.size, study.device)
    detector.look_at(np.load(study.folder / "pixels.npy"), truths.by_image)
    before = time.monotonic()
    for method, rounds in replay(detector, truths, study.conditions, seed, left):
        line = {"seed": seed, "method": method, "rounds": rounds}
        with study.replays.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")
        took = time.monotonic() - before
        before = time.monotonic()
        sys.stderr.write(f"seed {seed} {method:30} {took:6.1f} s\n")
        if before + took > study.deadline:
            sys.stderr.write(f"seed {seed}: no time for more\n")
            return
