"""The chain is killed at every step and at random moments, and ends as if it never had been.

A project with pictures, simulated readings and a weak champion is made once. An undisturbed night
trains a challenger that the gate finds better, and it serves. Every trial begins with a copy of
the project and runs the whole chain, real training included, in a process of its own that is
killed with SIGKILL: in one trial at each step in turn, as soon as it is seen at work; in others at
random moments of random steps; in others while the gate decides. It is started again until it ends
by itself. All the while the champion is looked up and its weights are held against their hash;
afterwards all that a night leaves is held against what a run left that nobody disturbed.
"""

import argparse
import json
import platform
import shutil
import sys
import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from backend.terminal import Steps
from benchmarks.night_kills import Killer
from benchmarks.night_stage import set_stage
from benchmarks.night_watch import AFTER, ProofFailedError, Watch, expect_promoted, expect_same

SEED = 20261127
_KILLS_A_NIGHT = 3
_FEWEST_KILLS = 30
_OF_WEIGHTS = {
    "model versions",
    "terms of service",
    "reasons of the gate",
    "finished trainings",
    "predictions",
    "worklists",
}


@dataclass(frozen=True, slots=True)
class Plan:
    """How often the chain is killed.

    Attributes
    ----------
    steps : tuple of str
        At which steps one night is killed in turn; at all of the chain's when empty.
    nights : int
        Further nights, each killed three times at random.
    at_the_gate : int
        Further nights, each killed while the gate decides.
    between_epochs : int
        Nights with a training of two epochs, that is killed after the first one.
    """

    steps: tuple[str, ...]
    nights: int
    at_the_gate: int
    between_epochs: int


FULL = Plan((), nights=8, at_the_gate=8, between_epochs=2)
QUICK = Plan(("train", "gate"), nights=0, at_the_gate=0, between_epochs=0)


@dataclass(frozen=True, slots=True)
class Undisturbed:
    """What the night that nobody disturbed left, and how long its steps took, in seconds."""

    content: dict[str, str]
    durations: dict[str, float]


def run(plan: Plan, steps: Steps) -> dict[str, float]:
    """Carry out the proof; return its figures."""
    rng = np.random.default_rng(SEED)
    with tempfile.TemporaryDirectory(prefix="nights-") as name:
        killer = Killer(Watch(set_stage(Path(name))))
        steps.step("the night that nobody disturbs", 1)
        began = time.monotonic()
        night = _disturb_nobody(killer)
        seconds = time.monotonic() - began
        steps.step("nights that are killed", 1 + plan.nights)
        for number in range(1 + plan.nights):
            killer.watch.begin_again(killer.stage)
            if number == 0:
                _kill_at_every_step(killer, plan.steps or tuple(night.durations))
            else:
                _kill_at_random(killer, night.durations, rng)
            killer.finish()
            expect_same(killer.stage, night.content, f"in trial {number}")
            steps.advance(number + 1, f"{killer.kills.total()} kills")
        steps.step("nights that are killed while the gate decides", plan.at_the_gate)
        before = killer.kills["gate"]
        promoted = _kill_at_the_gate(killer, plan.at_the_gate, night, rng)
        at_the_gate = killer.kills["gate"] - before
    steps.step("trainings that are killed between epochs", plan.between_epochs)
    resumed = _kill_between_epochs(killer, plan.between_epochs)
    if plan == FULL and killer.kills.total() < _FEWEST_KILLS:
        raise ProofFailedError(f"expected {_FEWEST_KILLS} kills, got {killer.kills.total()}")
    trials = 1 + plan.nights + plan.at_the_gate
    return {
        "kills": killer.kills.total(),
        **{f"killed_at_{step}": killer.kills[step] for step in night.durations},
        "killed_while_the_gate_decided": at_the_gate,
        "of_these_after_the_promotion": promoted,
        "trials": trials,
        "trainings_resumed_after_an_epoch": resumed,
        "looks_at_the_champion": killer.watch.looks,
        "seconds_undisturbed": seconds,
    }


def _disturb_nobody(killer: Killer) -> Undisturbed:
    killer.finish()
    expect_promoted(killer.stage, "undisturbed")
    durations = killer.stage.ask("SELECT name, duration_seconds FROM night_step ORDER BY id")
    return Undisturbed(killer.stage.content(), dict(durations))


def _kill_at_every_step(killer: Killer, names: tuple[str, ...]) -> None:
    """Kill one night at each of its steps in turn, as soon as it is seen at work."""
    for name in names:
        if not killer.is_over():
            killer.kill(name)


def _kill_at_random(killer: Killer, durations: dict[str, float], rng: np.random.Generator) -> None:
    """Kill one night at random moments of random steps that are still to be done."""
    for _ in range(_KILLS_A_NIGHT):
        left = [name for name in durations if name not in killer.done()]
        if left and not killer.is_over():
            name = str(rng.choice(left))
            killer.kill(name, float(rng.uniform(0, durations[name])))


def _kill_at_the_gate(
    killer: Killer, trials: int, night: Undisturbed, rng: np.random.Generator
) -> int:
    """Kill nights while the gate decides; return how many had promoted the challenger by then."""
    if not trials:
        return 0
    stage, watch = killer.stage, killer.watch
    watch.begin_again(stage)
    killer.kill("evaluate")
    measuring = replace(stage, untouched=stage.untouched.with_name("measuring"))
    shutil.copytree(stage.settings.data_dir, measuring.untouched)
    promoted = 0
    for _ in range(trials):
        watch.begin_again(measuring)
        killer.kill("gate", float(rng.uniform(0, night.durations["gate"])))
        promoted += watch.serves == AFTER
        killer.finish()
        expect_same(stage, night.content, "killed at the gate")
    return promoted


def _kill_between_epochs(killer: Killer, trials: int) -> int:
    """Kill trainings after their first of two epochs; return how many went on after it."""
    if not trials:
        return 0
    resumed = 0
    with tempfile.TemporaryDirectory(prefix="nights-") as name:
        stage = set_stage(Path(name), epochs=2)
        killer.watch.move_to(stage)
        expected = _disturb_nobody(killer).content
        for _ in range(trials):
            killer.watch.begin_again(stage)
            killer.kill_between_epochs()
            killer.finish()
            # A checkpoint holds the weights in half precision: a training that went on after it
            # ends with other bits than one that was begun anew, and finds slightly other boxes.
            resumed += stage.content()["model versions"] != expected["model versions"]
            expect_same(stage, expected, "killed between epochs", but=_OF_WEIGHTS)
    return resumed


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
        "images": 38,
        "test_lesions": 49,
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
