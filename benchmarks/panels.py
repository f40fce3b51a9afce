"""What adaptive panels save, on simulated crowds whose truth is known.

Every image has readers enough; each rule decides how many of them are asked. Fixed panels of two
and three, adaptive ones that ask a third reader where the two leave the image uncertain, and as
many third readers at random instead. Reading time is 15 s an image and 12 s a box.
"""

import argparse
import json
import os
import platform
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from backend.domain.acquisition.panels import WORTH_ASKING_BITS, vote_gain
from backend.domain.consensus import verdict
from backend.domain.consensus.panel import fit_panel
from backend.domain.consensus.survey import Survey
from backend.domain.consensus.verdict import Verdict
from backend.domain.metrics.calibration import brier_score
from backend.domain.reading_table import ReadingTable
from benchmarks.judging import Array, Boxes, Figures, anchored, area_under_roc, export_f1
from benchmarks.simulated_crowd import SimulatedCrowd, simulate

SEED = 20261127
RESULTS = Path(__file__).parent / "results"
SECONDS_PER_IMAGE, SECONDS_PER_BOX = 15.0, 12.0
FLOORS_BITS = (0.02, 0.05, 0.1, 0.2, 0.3)

Rule = Callable[[ReadingTable, np.random.Generator], NDArray[np.bool_]]


def reconcile(table: ReadingTable) -> Verdict:
    """Reconcile readings, with what they themselves tell of the readers."""
    survey = Survey.of(table)
    return verdict.reconcile(survey, fit_panel(survey))


def readings_up_to(table: ReadingTable, most: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return which readings count when each image has so many."""
    firsts = np.searchsorted(table.reading_images, table.reading_images)
    # The crowd's readers are in random order by image but sorted in the table: shuffle them.
    rng = np.random.default_rng(SEED)
    order = np.lexsort((rng.random(len(firsts)), table.reading_images))
    place = np.empty(len(firsts), dtype=np.int64)
    place[order] = np.arange(len(firsts)) - firsts
    return np.asarray(place < most[table.reading_images])


def gain_of_images(table: ReadingTable, number: int) -> Array:
    """Return what a further reading of each image is expected to tell."""
    found = reconcile(table)
    return np.bincount(found.images, vote_gain(found.p_true, found.scores), minlength=number)


def fixed(readers: int) -> Rule:
    """Ask so many readers of every image."""

    def rule(table: ReadingTable, _: np.random.Generator) -> NDArray[np.bool_]:
        return readings_up_to(table, np.full(len(table.image_ids), readers))

    return rule


def adaptive(floor: float, most: int = 3, *, at_random: bool = False) -> Rule:
    """Ask two, and further ones while they tell more than a floor, or where a die says so."""

    def rule(table: ReadingTable, rng: np.random.Generator) -> NDArray[np.bool_]:
        asked = np.full(len(table.image_ids), 2)
        for readers in range(2, most):
            seen = table.readings_only(readings_up_to(table, asked))
            is_next = (gain_of_images(seen, len(asked)) >= floor) & (asked == readers)
            asked += rng.permutation(is_next) if at_random else is_next
        return readings_up_to(table, asked)

    return rule


RULES: dict[str, Rule] = {
    "fixed 2": fixed(2),
    "fixed 3": fixed(3),
    "fixed 4": fixed(4),
    **{f"adaptive {floor:g}": adaptive(floor) for floor in FLOORS_BITS},
    f"random third for {WORTH_ASKING_BITS:g}": adaptive(WORTH_ASKING_BITS, at_random=True),
    f"adaptive {WORTH_ASKING_BITS:g}, up to 4": adaptive(WORTH_ASKING_BITS, 4),
}


def judge(crowd: SimulatedCrowd, table: ReadingTable) -> Figures:
    """Return what the readings cost, and how good the consensus of them is."""
    found = reconcile(table)
    images = len(table.image_ids)
    truth = Boxes.sure(crowd.truth.images, crowd.truth.findings, crowd.truth.boxes)
    boxes = Boxes(found.images, found.findings, found.boxes, found.scores, found.p_true)
    # On the marks of all readers, whoever was asked: the same places for every rule.
    all_marks = crowd.readings
    marks = Boxes.sure(all_marks.mark_images, all_marks.mark_findings, all_marks.mark_boxes)
    seconds = SECONDS_PER_IMAGE * len(table.reading_images) + SECONDS_PER_BOX * len(
        table.mark_images
    )
    return {
        "readings_per_image": len(table.reading_images) / images,
        "seconds_per_image": seconds / images,
        "f1": export_f1(boxes, truth),
        "brier": brier_score(*anchored(marks, boxes, boxes.p_true, truth)) or 0.0,
        "no_finding_auc": area_under_roc(found.p_no_finding, ~crowd.is_abnormal),
    }


def measure(*, quick: bool) -> dict[str, Figures]:
    """Return the mean figures of every rule."""
    seeds, images = (range(2), 600) if quick else (range(6), 2500)
    rows: dict[str, list[Figures]] = {name: [] for name in RULES}
    for seed in seeds:
        rng = np.random.default_rng([SEED, seed])
        crowd = simulate(rng, images=images, readers_per_image=4)
        for name, rule in RULES.items():
            chosen = rule(crowd.readings, np.random.default_rng([SEED, seed, 1]))
            rows[name].append(judge(crowd, crowd.readings.readings_only(chosen)))
    return {
        name: {key: float(np.mean([row[key] for row in found])) for key in found[0]}
        for name, found in rows.items()
    }


def main() -> None:
    """Run, print a table or JSON; a full run keeps its results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer and smaller crowds")
    parser.add_argument("--json", action="store_true")
    chosen = parser.parse_args()
    by_rule = measure(quick=chosen.quick)
    ours, two, three = (
        by_rule[name] for name in (f"adaptive {WORTH_ASKING_BITS:g}", "fixed 2", "fixed 3")
    )
    result = {
        "name": "panels",
        "quick": chosen.quick,
        "conditions": {
            "seed": SEED,
            "crowds": 2 if chosen.quick else 6,
            "images": 600 if chosen.quick else 2500,
            "seconds_per_image": SECONDS_PER_IMAGE,
            "seconds_per_box": SECONDS_PER_BOX,
            "processors": os.cpu_count(),
            "python": platform.python_version(),
            "numpy": np.__version__,
        },
        "figures": {
            "readings_ratio": ours["readings_per_image"] / three["readings_per_image"],
            "seconds_ratio": ours["seconds_per_image"] / three["seconds_per_image"],
            "f1_adaptive": ours["f1"],
            "f1_fixed_2": two["f1"],
            "f1_fixed_3": three["f1"],
        },
        "rules": by_rule,
    }
    if not chosen.quick:
        (RESULTS / "panels.json").write_text(json.dumps(result, indent=1) + "\n")
    if chosen.json:
        sys.stdout.write(json.dumps(result) + "\n")
        return
    columns = list(ours)
    sys.stdout.write(f"{'':26}" + "".join(f"{name:>20}" for name in columns) + "\n")
    for name, row in by_rule.items():
        sys.stdout.write(f"{name:26}" + "".join(f"{row[key]:20.4f}" for key in columns) + "\n")


if __name__ == "__main__":
    main()
