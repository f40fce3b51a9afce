"""How often the gate errs, on made-up detectors of which it is known how good they are.

Pairs of detectors (`simulated_models`) meet on frozen test sets: equals that differ in their seed
only (A/A), challengers that are truly worse or better by a known mAP@0.4. Each pair is calibrated
on validation images of its own, compared by the gate's bootstrap, and judged twice: as if nothing
new had been learned from, and as if all of it were new.
"""

import argparse
import json
import os
import platform
import sys
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import cache, partial
from multiprocessing import get_context
from pathlib import Path

import numpy as np

from backend.domain.counted_share import share_interval
from backend.domain.metrics.average_precision import detection_quality
from backend.domain.promotion.changes import Comparison
from backend.domain.promotion.comparison import compare
from backend.domain.promotion.decision import decide
from backend.domain.promotion.verdicts import Circumstances, Verdict, margin
from benchmarks.simulated_models import Family, Pool, measured, true_boxes

SEED = 20261128
RESULTS = Path(__file__).parent / "results" / "gate.json"
POOL_IMAGES = 15_000
VALIDATION_IMAGES = 1000
TEST_IMAGES = 1500
CHAMPION_SKILL = -1.1
FAR = 0.05
"""mAP by which a challenger is truly worse or better."""

Figures = dict[str, float]


@dataclass(frozen=True, slots=True)
class Trial:
    """One challenger before the gate: how the two compare, and both verdicts."""

    comparison: Comparison
    without_news: Verdict
    with_news: Verdict


@dataclass(frozen=True, slots=True)
class Scale:
    """How much is done."""

    equals: int
    at_the_margin: int
    others: int
    resamples: int


FULL = Scale(equals=200, at_the_margin=100, others=50, resamples=1000)
QUICK = Scale(equals=12, at_the_margin=12, others=6, resamples=400)
WORKERS = 2


def true_map(pool: Pool, skill: float, *, seeds: int = 2) -> float:
    """Return the mAP@0.4 of detectors of a skill on all images of the pool."""
    found = []
    for seed in range(seeds):
        rng = np.random.default_rng([SEED, 1, seed])
        marks = Family.draw(rng, pool).marks(rng, skill)
        images = len(pool.image_sizes)
        found.append(detection_quality(true_boxes(pool), marks, images=images)[0].map or 0.0)
    return float(np.mean(found))


def skills_of(pool: Pool) -> Callable[[float], float]:
    """Return what skill has a wanted mAP@0.4: by a parabola through five that were measured."""
    skills = CHAMPION_SKILL + np.array([-0.6, -0.3, 0.0, 0.3, 0.6])
    curve = np.polyfit([true_map(pool, skill) for skill in skills.tolist()], skills, 2)
    return lambda wanted: float(np.polyval(curve, wanted))


@cache
def the_pool() -> Pool:
    """Return all images there are; every process draws the same."""
    return Pool.draw(np.random.default_rng([SEED, 0]), POOL_IMAGES)


def run_trial(number: int, *, skill: float, resamples: int) -> Trial:
    """Let a challenger of a skill meet a champion on a test set of its own."""
    pool = the_pool()
    rng = np.random.default_rng([SEED, 2, number])
    test, weights = pool.frozen_set(rng, TEST_IMAGES)
    validation = pool.only(np.sort(rng.permutation(POOL_IMAGES)[:VALIDATION_IMAGES]))
    families = (Family.draw(rng, validation), Family.draw(rng, test))
    champion = measured(rng, families, weights, CHAMPION_SKILL)
    challenger = measured(rng, families, weights, skill)
    comparison = compare(champion, challenger, rng, resamples=resamples)
    if comparison is None:
        raise RuntimeError("the test set shows nothing")

    def verdict(news: float) -> Verdict:
        facts = Circumstances("challenger", "champion", comparison.map40.challenger, news=news)
        return decide(comparison, facts).verdict

    return Trial(comparison, verdict(0.0), verdict(1.0))


def measure(scale: Scale, say: Callable[[str], None]) -> tuple[Figures, dict[str, object]]:
    """Run all trials; return figures and conditions."""
    pool = the_pool()
    usual = true_map(pool, CHAMPION_SKILL)
    allowed = margin(TEST_IMAGES)
    shifts = {"equal": 0.0, "worse": -FAR, "at the margin": -allowed, "better": FAR}
    skill_of = skills_of(pool)
    numbers_of = {"equal": scale.equals, "at the margin": scale.at_the_margin}
    trials: dict[str, list[Trial]] = {}
    first = 0
    # One thread each: two that multiply small matrices together mostly wait for one another. A
    # spawned process reads this when it loads numpy.
    os.environ["OPENBLAS_NUM_THREADS"] = "1"  # noqa: TID251 - a setting of numpy, not of ours
    with ProcessPoolExecutor(WORKERS, mp_context=get_context("spawn")) as workers:
        for name, shift in shifts.items():
            say(f"challengers: {name}")
            skill = skill_of(usual + shift) if shift else CHAMPION_SKILL
            number = numbers_of.get(name, scale.others)
            numbers = range(first, first + number)
            one = partial(run_trial, skill=skill, resamples=scale.resamples)
            trials[name] = list(workers.map(one, numbers, chunksize=4))
            first += number
    return _figures(trials), _conditions(pool, scale, trials, usual)


def _figures(trials: dict[str, list[Trial]]) -> Figures:
    equal, worse, margin_, better = trials.values()
    happened = {
        # Of equals, nothing new learned from: any promotion is one for nothing.
        "false_promotions": [one.without_news.passes for one in equal],
        "false_better": [one.with_news is Verdict.BETTER for one in equal],
        # Truly worse by the margin, everything new: the gate says "not worse".
        "false_not_worse": [one.with_news.passes for one in margin_],
        "power": [not one.with_news.passes for one in worse],
        "power_shown": [one.with_news in {Verdict.WORSE, Verdict.HARMFUL} for one in worse],
        "better_promoted": [one.without_news.passes for one in better],
        "equal_promoted_with_news": [one.with_news.passes for one in equal],
    }
    figures: Figures = {}
    for name, each in happened.items():
        low, high = share_interval(sum(each), len(each))
        figures |= {name: float(np.mean(each)), f"{name}_low": low, f"{name}_high": high}
    return {
        **figures,
        "trials": float(sum(len(own) for own in trials.values())),
        "trials_equal": float(len(equal)),
        "trials_worse": float(len(worse)),
        "trials_at_the_margin": float(len(margin_)),
        "trials_better": float(len(better)),
        "standard_error_map40": float(
            np.mean([one.comparison.map40.standard_error for one in equal])
        ),
        "spread_map40": float(np.std([one.comparison.map40.difference for one in equal])),
    }


def _conditions(
    pool: Pool, scale: Scale, trials: dict[str, list[Trial]], usual: float
) -> dict[str, object]:
    lesions = [one.comparison.by_finding for one in trials["equal"]]
    fewest = min(change.lesions for found in lesions for change in found.values())
    return {
        "test_images": TEST_IMAGES,
        "test_lesions": int(np.mean([one.comparison.lesions for one in trials["equal"]])),
        "fewest_lesions_of_a_finding": fewest,
        "abnormal_share": round(float(pool.parameters.abnormal_share), 3),
        "validation_images": VALIDATION_IMAGES,
        "champion_map40": round(usual, 3),
        "margin": margin(TEST_IMAGES),
        "resamples": scale.resamples,
        "verdicts": {
            name: {
                "without news": dict(Counter(one.without_news.value for one in own)),
                "with news": dict(Counter(one.with_news.value for one in own)),
            }
            for name, own in trials.items()
        },
        "seed": SEED,
        "python": platform.python_version(),
        "cpus": os.cpu_count(),
    }


def main() -> None:
    """Run, print a table or JSON; a full run is kept."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="few trials, rough bootstraps")
    parser.add_argument("--json", action="store_true")
    chosen = parser.parse_args()

    started = time.perf_counter()
    figures, conditions = measure(
        QUICK if chosen.quick else FULL, lambda what: sys.stderr.write(f"{what}\n") and None
    )
    conditions["seconds"] = round(time.perf_counter() - started, 1)
    result = {
        "name": "gate",
        "quick": chosen.quick,
        "conditions": conditions,
        "figures": figures,
    }
    if not chosen.quick:
        RESULTS.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    if chosen.json:
        sys.stdout.write(json.dumps(result) + "\n")
        return
    for name, figure in figures.items():
        sys.stdout.write(f"{name:32} {figure:.4f}\n")


if __name__ == "__main__":
    main()
