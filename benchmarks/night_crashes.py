"""The chain is killed at every step and at random moments, and ends as if it never had been.

A project with radiographs of the sample, simulated readings and a weak champion is made once.
Every trial begins with a copy of it and runs the whole chain, real training included, in a
process of its own that is killed with SIGKILL: in one trial at each step in turn, as soon as it is
seen at work, in the others at random moments of random steps. It is started again until it ends
by itself. All the while the champion is looked up and its weights are held against their hash;
afterwards all that a night leaves is held against what a run left that nobody disturbed.
"""

import argparse
import hashlib
import json
import os
import platform
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from backend.terminal import Steps
from benchmarks.night_stage import Stage, set_stage

SEED = 20261127
_KILLS_A_NIGHT = 3
_OF_WEIGHTS = {"model versions", "finished trainings", "predictions", "worklists"}
_LOOKS_EVERY_SECONDS = 0.02
_TOO_LONG_SECONDS = 600.0


class ProofFailedError(RuntimeError):
    """Something was lost, doubled or half-written, or the proof could not be carried out."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How often the chain is killed.

    Attributes
    ----------
    steps : tuple of str
        At which steps one night is killed in turn; at all of the chain's when empty.
    nights : int
        Further nights, each killed three times at random.
    between_epochs : int
        Nights with a training of two epochs, that is killed after the first one.
    """

    steps: tuple[str, ...]
    nights: int
    between_epochs: int


FULL = Plan((), nights=8, between_epochs=2)
QUICK = Plan(("train", "gate"), nights=0, between_epochs=0)


@dataclass(slots=True)
class Watch:
    """Looks at the champion again and again."""

    stage: Stage
    looks: int = 0
    hashed: dict[tuple[str, int, int], str] = field(default_factory=dict)

    def look(self) -> None:
        """Raise unless one model version is champion, with the weights it was registered with."""
        self.looks += 1
        found = self.stage.ask(
            "SELECT name, weights_uri, weights_sha256 FROM model_version WHERE state = 'champion'"
        )
        if len(found) != 1:
            raise ProofFailedError(f"{len(found)} model versions are champion")
        [(name, uri, sha256)] = found
        status = Path(uri).stat()
        key = (uri, status.st_mtime_ns, status.st_size)
        if key not in self.hashed:
            self.hashed[key] = hashlib.sha256(Path(uri).read_bytes()).hexdigest()
        if self.hashed[key] != sha256:
            raise ProofFailedError(f"the weights of champion {name} are not those registered")


def run(plan: Plan, steps: Steps) -> dict[str, float]:
    """Carry out the proof; return its figures."""
    rng = np.random.default_rng(SEED)
    kills: Counter[str] = Counter()
    equal = 0
    with tempfile.TemporaryDirectory(prefix="nights-") as name:
        stage = set_stage(Path(name))
        watch = Watch(stage)
        steps.step("the night that nobody disturbs", 1)
        began = time.monotonic()
        _finish(stage, watch)
        seconds = time.monotonic() - began
        expected = stage.content()
        durations: dict[str, float] = dict(
            stage.ask("SELECT name, duration_seconds FROM night_step ORDER BY id")
        )
        promoted = stage.ask("SELECT name FROM model_version WHERE state = 'champion'")[0][0]
        steps.advance(1)
        steps.step("nights that are killed", 1 + plan.nights)
        for number in range(1 + plan.nights):
            stage.set_up_again()
            if number == 0:
                _kill_at_every_step(stage, watch, plan.steps or tuple(durations), kills)
            else:
                _kill_at_random(stage, watch, durations, kills, rng)
            if not _is_over(stage):
                _finish(stage, watch)
            _compare(stage, expected, f"in trial {number}")
            equal += 1
            steps.advance(number + 1, f"{kills.total()} kills")
    resumed = _kill_between_epochs(plan.between_epochs, kills, steps)
    return {
        "kills": kills.total(),
        **{f"killed_at_{step}": kills[step] for step in durations},
        "trials": 1 + plan.nights,
        "trials_that_ended_bit_for_bit_like_the_undisturbed_night": equal,
        "trainings_resumed_after_an_epoch": resumed,
        "challenger_was_promoted": float(promoted == "m2"),
        "looks_at_the_champion": watch.looks,
        "seconds_undisturbed": seconds,
    }


def _kill_at_every_step(
    stage: Stage, watch: Watch, names: Sequence[str], kills: Counter[str]
) -> None:
    """Kill one night at each of its steps in turn, as soon as it is seen at work."""
    for name in names:
        if not _is_over(stage):
            _kill(stage, watch, name, 0.0, kills)


def _kill_at_random(
    stage: Stage,
    watch: Watch,
    durations: dict[str, float],
    kills: Counter[str],
    rng: np.random.Generator,
) -> None:
    """Kill one night at random moments of random steps that are still to be done."""
    for _ in range(_KILLS_A_NIGHT):
        left = [name for name in durations if name not in _done(stage)]
        if left and not _is_over(stage):
            name = str(rng.choice(left))
            _kill(stage, watch, name, float(rng.uniform(0, durations[name])), kills)


def _kill(stage: Stage, watch: Watch, step: str, after: float, kills: Counter[str]) -> None:
    """Start the chain, and kill it some seconds after a step was seen at work."""
    before = _attempts(stage, step)
    child = stage.play_apart()
    give_up, due = time.monotonic() + _TOO_LONG_SECONDS, float("inf")
    while time.monotonic() < min(give_up, due):
        watch.look()
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            _expect_success(stage, status)
            return  # faster than in the undisturbed night: nothing left to kill
        if due == float("inf") and _attempts(stage, step) > before:
            due = time.monotonic() + after
        time.sleep(_LOOKS_EVERY_SECONDS)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    watch.look()
    kills[_at_work(stage, step)] += 1


def _finish(stage: Stage, watch: Watch) -> None:
    """Start the chain and wait for its end."""
    child = stage.play_apart()
    give_up = time.monotonic() + _TOO_LONG_SECONDS
    while time.monotonic() < give_up:
        watch.look()
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            _expect_success(stage, status)
            return
        time.sleep(_LOOKS_EVERY_SECONDS)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    raise ProofFailedError(f"a night took longer than {_TOO_LONG_SECONDS:.0f} s")


def _expect_success(stage: Stage, status: int) -> None:
    if status:
        log = (stage.settings.data_dir / "night.log").read_text()
        raise ProofFailedError(f"a night ended with {status}:\n{log[-4000:]}")


def _kill_between_epochs(trials: int, kills: Counter[str], steps: Steps) -> int:
    """Kill trainings after their first of two epochs; return how many went on after it."""
    if not trials:
        return 0
    resumed = 0
    with tempfile.TemporaryDirectory(prefix="nights-") as name:
        stage = set_stage(Path(name), epochs=2)
        watch = Watch(stage)
        steps.step("trainings that are killed between epochs", trials)
        _finish(stage, watch)
        expected = stage.content()
        for number in range(1, trials + 1):
            stage.set_up_again()
            child = stage.play_apart()
            kept = stage.settings.data_dir / "training" / "d1" / "run" / "resume.pt"
            while not kept.exists():
                watch.look()
                time.sleep(_LOOKS_EVERY_SECONDS)
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            kills["train"] += 1
            _finish(stage, watch)
            # A checkpoint holds the weights in half precision: a training that went on after it
            # ends with other bits than one that was begun anew, and finds slightly other boxes.
            resumed += stage.content()["model versions"] != expected["model versions"]
            same = {what: expected[what] for what in expected if what not in _OF_WEIGHTS}
            _compare(stage, same, "killed between epochs")
            steps.advance(number)
    return resumed


def _compare(stage: Stage, expected: dict[str, str], how: str) -> None:
    """Raise unless the project is what the undisturbed night made of it."""
    found = stage.content()
    wrong = [what for what in expected if found[what] != expected[what]]
    if wrong:
        rows = {what: stage.told(what)[:8] for what in wrong}
        raise ProofFailedError(f"{how}, it ended with other {wrong}: {rows}")
    if stage.ask("SELECT count(*) FROM night_run") != [(1,)]:
        raise ProofFailedError("a night that was cut off did not go on as the same run")
    for uri, sha256 in stage.ask("SELECT weights_uri, weights_sha256 FROM model_version"):
        if hashlib.sha256(Path(uri).read_bytes()).hexdigest() != sha256:
            raise ProofFailedError(f"{uri} is not what was registered")


def _attempts(stage: Stage, step: str) -> int:
    found = stage.ask(f"SELECT attempts FROM night_step WHERE name = '{step}'")  # noqa: S608 - ours
    return int(found[0][0]) if found else 0


def _done(stage: Stage) -> set[str]:
    return {name for (name,) in stage.ask("SELECT name FROM night_step WHERE state = 'done'")}


def _is_over(stage: Stage) -> bool:
    """Return whether a night was killed after its end, or ended before it could be killed."""
    return any(state != "running" for (state,) in stage.ask("SELECT state FROM night_run"))


def _at_work(stage: Stage, step: str) -> str:
    """Return the step that was at work, or else the one that had been at work just before."""
    running = stage.ask("SELECT name FROM night_step WHERE state = 'running'")
    return str(running[-1][0]) if running else step


def main() -> None:
    """Run the proof and print its figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="two kills, one epoch")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    arguments = parser.parse_args()
    plan = QUICK if arguments.quick else FULL
    with Steps() as steps:
        figures = run(plan, steps)
    conditions = {
        "images": 16,
        "image_size_px": 64,
        "epochs": 1,
        "seed": SEED,
        "store": "SQLite",
        "device": "cpu, 1 thread",
        "label_studio": "down",
        "python": platform.python_version(),
    }
    result = {
        "name": "night_crashes",
        "quick": arguments.quick,
        "conditions": conditions,
        "figures": figures,
    }
    if arguments.json:
        sys.stdout.write(json.dumps(result) + "\n")
        return
    for name, figure in figures.items():
        print(f"{name:<46} {figure:g}")  # noqa: T201


if __name__ == "__main__":
    main()
