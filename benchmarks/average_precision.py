"""How fast mAP@0.4 is computed, beside pycocotools on the same boxes in the same process."""

import argparse
import contextlib
import io
import json
import platform
import sys
import time
from collections.abc import Mapping, Sequence

import numpy as np
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from backend.domain.boxes import Box
from backend.domain.findings import Finding
from backend.domain.metrics.average_precision import mean_average_precision
from backend.domain.predictions import PredictedBox

SEED = 7
Truths = Mapping[str, Sequence[tuple[Finding, Box]]]
Predictions = Mapping[str, Sequence[PredictedBox]]


def made_up(images: int) -> tuple[Truths, Predictions]:
    """Return truths and jittered predictions with false marks, from `SEED`."""
    rng = np.random.default_rng(SEED)
    truths: dict[str, list[tuple[Finding, Box]]] = {}
    predictions: dict[str, list[PredictedBox]] = {}
    for number in range(images):
        corners = rng.uniform(0, 600, (rng.integers(0, 6), 2))
        sides = rng.uniform(40, 300, corners.shape)
        boxes = np.hstack([corners, corners + sides])
        findings = rng.integers(0, len(Finding), len(boxes))
        truths[str(number)] = [
            (Finding(int(finding)), Box(*box))
            for finding, box in zip(findings, boxes.tolist(), strict=True)
        ]
        moved = boxes + rng.normal(0, 20, boxes.shape)
        false_corners = rng.uniform(0, 600, (10, 2))
        false = np.hstack([false_corners, false_corners + rng.uniform(40, 300, (10, 2))])
        marked = np.vstack([moved, false])
        named = [*findings.tolist(), *rng.integers(0, len(Finding), len(false)).tolist()]
        predictions[str(number)] = [
            PredictedBox(Finding(finding), Box(*box), float(score))
            for finding, box, score in zip(
                named, marked.tolist(), rng.random(len(marked)), strict=True
            )
            if box[2] > box[0] and box[3] > box[1]
        ]
    return truths, predictions


def by_pycocotools(truths: Truths, predictions: Predictions) -> float:
    """Return pycocotools' AP at IoU 0.4, its 101-point form."""
    ground = COCO()
    ground.dataset = {
        "info": {},
        "images": [{"id": int(image)} for image in truths],
        "categories": [{"id": int(finding)} for finding in Finding],
        "annotations": [
            {"image_id": int(image), "category_id": int(finding), "bbox": _xywh(box),
             "area": (box.x_max - box.x_min) * (box.y_max - box.y_min), "iscrowd": 0}
            for image, marks in truths.items() for finding, box in marks
        ],
    }  # fmt: skip
    for number, annotation in enumerate(ground.dataset["annotations"], start=1):
        annotation["id"] = number
    with contextlib.redirect_stdout(io.StringIO()):
        ground.createIndex()
        found = ground.loadRes(
            [
                {"image_id": int(image), "category_id": int(one.finding), "bbox": _xywh(one.box),
                 "score": one.score}
                for image, boxes in predictions.items() for one in boxes
            ]
        )  # fmt: skip
        judge = COCOeval(ground, found, "bbox")
        judge.params.iouThrs = np.array([0.4])
        judge.evaluate()
        judge.accumulate()
    precision = judge.eval["precision"][0, :, :, 0, -1]
    return float(precision[precision > -1].mean())


def _xywh(box: Box) -> list[float]:
    return [box.x_min, box.y_min, box.x_max - box.x_min, box.y_max - box.y_min]


def main() -> None:
    """Run, print a table or JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="300 images instead of 3,000")
    parser.add_argument("--json", action="store_true")
    chosen = parser.parse_args()
    images = 300 if chosen.quick else 3000
    truths, predictions = made_up(images)

    started = time.perf_counter()
    ours = mean_average_precision(truths, predictions).map
    ours_seconds = time.perf_counter() - started
    started = time.perf_counter()
    theirs = by_pycocotools(truths, predictions)
    their_seconds = time.perf_counter() - started

    figures = {
        "speed_ratio_to_pycocotools": their_seconds / ours_seconds,
        "seconds": ours_seconds,
        "map40": ours,
        "map40_pycocotools": theirs,
    }
    if chosen.json:
        conditions = {"images": images, "seed": SEED, "python": platform.python_version()}
        result = {
            "name": "average_precision",
            "quick": chosen.quick,
            "conditions": conditions,
            "figures": figures,
        }
        sys.stdout.write(json.dumps(result) + "\n")
        return
    for name, figure in figures.items():
        sys.stdout.write(f"{name:32} {figure:.4f}\n")


if __name__ == "__main__":
    main()
