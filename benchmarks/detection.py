"""How well a detector that is trained on readers' consensus finds what is there.

Trains on a dataset in the form of VinBigData (a folder of images and train.csv), by the path
that an import, a consensus and a nightly retrain take, in a store that is deleted afterwards;
then measures on the test split of that dataset version. Every variant is the recipe with one
thing changed.
"""

import argparse
import json
import platform
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from backend.demo import sample
from backend.demo.simulated_readers import SIMULATED_READERS
from backend.domain.boxes import Box
from backend.domain.dataset import DatasetImage, DatasetVersion
from backend.domain.findings import Finding
from backend.domain.images import Split
from backend.domain.metrics.bootstrap import percentile_intervals
from backend.domain.metrics.calibration import expected_calibration_error
from backend.domain.metrics.froc import USUAL_RATES, froc_of, sensitivity_at
from backend.domain.metrics.judged_marks import judge_marks
from backend.domain.metrics.resampled_marks import MeanPrecision
from backend.domain.metrics.true_marks import true_marks
from backend.domain.predictions import PredictedBox
from backend.domain.training_set import draw_training_list, repeat_factors
from backend.formats.original_sizes import SizePx
from backend.formats.placement import PlacedReadings
from backend.store import schema
from backend.store.unit_of_work import Store
from backend.terminal import now
from backend.workflow import image_sets
from backend.workflow.cut_training_set import cut_training_set
from backend.workflow.reconcile_store import reconcile_store
from backend.workflow.register_images import ImageSet, register_images
from ml_backend.open_detector import LOWEST_SCORE
from ml_backend.training.dataset_folder import write_dataset_folder
from ml_backend.training.evaluate import evaluate
from ml_backend.training.fit import Fitted, fit
from ml_backend.training.recipe import ConsensusWeights, Recipe
from ml_backend.training.weights import store_weights
from ml_backend.ultralytics_settings import import_part
from ml_backend.yolo_detector import YoloDetector

SEED = 7
COUNTED_FROM = 0.05

PUBLISHED = (
    ("VinBigData 1st place, ensemble of 15+", "Kaggle test, 5-reader consensus", "mAP@0.4", 0.314),
    ("YOLOv5, unfiltered (Pham, ATC 2021)", "Kaggle test, 5-reader consensus", "mAP@0.4", 0.210),
    ("best single model of the 1st place", "own folds of the 3-reader labels", "mAP@0.4", 0.470),
    ("YOLOv8s 640, merged labels", "own 2,980 of the 3-reader labels", "mAP@0.5", 0.299),
    ("YOLO11m, split by patient (ACSS 2026)", "VinDr-CXR test", "mAP@0.5", 0.387),
    ("YOLO11-MFF (PLoS One 2025)", "VinDr-CXR", "mAP@0.5", 0.415),
    ("VinDr-CXR system, 51,485 radiographs", "own 3,000", "sensitivity at 1 FP", 0.802),
)
WARNING = (
    "Figures of different label regimes must not be compared: a mAP on the five-reader consensus "
    "of the\nKaggle test lies 0.15 to 0.2 below one on held-out images of the three-reader "
    "training labels."
)

Truths = Mapping[str, Sequence[tuple[Finding, Box]]]
Predictions = Mapping[str, Sequence[PredictedBox]]


@dataclass(frozen=True)
class Variant:
    """One way to learn from the same readings."""

    consensus_weights: ConsensusWeights = "soft"
    keeps_doubtful: bool = False
    repeats_rare: bool = True
    negatives_per_positive: float = 1.5
    mosaic: float = 0.0


VARIANTS = {
    "consensus": Variant(),
    "hard": Variant(consensus_weights="off"),
    "earl": Variant(consensus_weights="earl"),
    "every_box": Variant(keeps_doubtful=True),
    "every_box_hard": Variant(keeps_doubtful=True, consensus_weights="off"),
    "no_repeats": Variant(repeats_rare=False),
    "all_negatives": Variant(negatives_per_positive=float("inf")),
    "mosaic": Variant(mosaic=1.0),
}
"""consensus: what a nightly retrain does. hard and earl: other weights in the loss. every_box:
also boxes that are more likely wrong than right, weighed by that. every_box_hard: all readers'
fused boxes taken for certain, which is what most published systems learn from."""


@dataclass(frozen=True)
class Data:
    """A dataset version, and the clusters of every image that it was cut from."""

    version: DatasetVersion
    doubtful: Mapping[str, DatasetImage]

    def training(self, variant: Variant) -> DatasetVersion:
        """Return the version with the training labels of a variant; the others stay."""
        if not variant.keeps_doubtful:
            return self.version
        members = tuple(
            self.doubtful[member.image.id] if member.split is Split.TRAIN else member
            for member in self.version.images
        )
        return replace(self.version, images=members, sha256=f"{self.version.sha256}-with-doubtful")


def sample_readings() -> ImageSet:
    """Return the sample radiographs with what the simulated readers would mark on them."""
    images, published = sample.sample_images(), sample.published_boxes()

    def place(image_id: str, size: SizePx) -> tuple[PlacedReadings, SizePx | None]:
        marks = {
            reader.reader_id: reader.marks(
                image_id,
                published.get(image_id, ()),
                width_px=size.width_px,
                height_px=size.height_px,
            )
            for reader in SIMULATED_READERS
        }
        return PlacedReadings(marks, (), is_size_assumed=False), None

    return replace(images, place_readings=place)


def cut(images: ImageSet, folder: Path) -> Data:
    """Import, reconcile and cut, in a store of its own."""
    url = f"sqlite:///{folder / 'store.sqlite3'}"
    schema.upgrade(url)
    with closing(Store(url)) as store:
        report = register_images(store, images, now=now())
        say(f"{report.images} images, {report.readings} readings, {report.boxes} boxes")
        reconcile_store(store, clock=now)
        with store.transaction() as unit:
            version = cut_training_set(unit, seed=SEED, now=now())
            answers = unit.consensus.current()
    return Data(
        version,
        {
            member.image.id: replace(member, clusters=answers[member.image.id][1].clusters)
            for member in version.images
        },
    )


def train(
    data: Data, variant: Variant, recipe: Recipe, base: Path, device: str, folder: Path
) -> tuple[Fitted, YoloDetector]:
    """Train one variant as a nightly retrain would."""
    version = data.training(variant)
    shown = {
        one.image.id: {cluster.finding for cluster in one.clusters}
        for one in version.in_split(Split.TRAIN)
    }
    factors = repeat_factors(list(shown.values())).tolist() if variant.repeats_rare else ()
    listed = draw_training_list(
        shown,
        rng=np.random.default_rng(SEED),
        factors=dict(zip(shown, factors, strict=False)),
        negatives_per_positive=variant.negatives_per_positive,
    )
    written = write_dataset_folder(
        version, listed.image_ids, folder / "dataset", image_size_px=recipe.image_size_px
    )
    recipe = replace(recipe, consensus_weights=variant.consensus_weights, mosaic=variant.mosaic)
    fitted = fit(
        written.path,
        base,
        recipe,
        device=device,
        on_epoch=say_epoch,
    )
    stored = store_weights(fitted.weights, folder / "weights")
    detector = YoloDetector(stored.path, "benchmark", device=device, min_score=LOWEST_SCORE)
    return fitted, detector


def measure(test: Sequence[DatasetImage], predictions: Predictions) -> dict[str, float | None]:
    """Return the figures of one variant, every test image counting alike."""
    truths = {
        one.image.id: [(cluster.finding, cluster.box) for cluster in one.clusters] for one in test
    }
    judged = judge_marks(truths, predictions)
    at40, at50 = (
        percentile_intervals(
            MeanPrecision(judged, iou_thresholds=(threshold,)),
            judged.images,
            np.random.default_rng(SEED),
        ).at()
        for threshold in (0.4, 0.5)
    )
    curve = froc_of(judged)
    scores, hits = counted_marks(truths, predictions)
    return {
        "map40": at40.estimate,
        "map40_low": at40.low,
        "map40_high": at40.high,
        "map50": at50.estimate,
        **{f"sensitivity_at_{rate:g}fp": sensitivity_at(curve, rate) for rate in USUAL_RATES},
        "d_ece": expected_calibration_error(scores, hits, bins=10),
    }


def counted_marks(truths: Truths, predictions: Predictions) -> tuple[Any, Any]:
    """Return scores from `COUNTED_FROM` on, and whether each mark is true."""
    marks = true_marks(truths, predictions)
    scores = np.concatenate([np.empty(0), *(one for one, _ in marks.values())])
    hits = np.concatenate([np.empty(0), *(one for _, one in marks.values())])
    counts = scores >= COUNTED_FROM
    return scores[counts], hits[counts].astype(float)


def base_weights(named: Path | None, folder: Path) -> Path:
    """Return the weights to start from; without any, a network that knows nothing."""
    if named is not None:
        return named
    torch.manual_seed(SEED)
    network = import_part("nn.tasks").DetectionModel("yolo26n.yaml", verbose=False)
    torch.save({"model": network, "train_args": {}}, folder / "untrained.pt")
    return folder / "untrained.pt"


def say(line: str) -> None:
    """Tell people; results go to standard output."""
    sys.stderr.write(f"{line}\n")


def say_epoch(epoch: int, epochs: int, figures: Mapping[str, float]) -> None:
    """Tell how far a training has come."""
    losses = [f"{name} {value:.2f}" for name, value in figures.items() if name.endswith("_loss")]
    end = "\n" if epoch == epochs else "\r"
    sys.stderr.write(f"  epoch {epoch}/{epochs}: {', '.join(losses[:3])}{end}")


def run(chosen: argparse.Namespace, folder: Path) -> dict[str, object]:
    """Train and measure the variants."""
    is_sample = chosen.images is None
    if is_sample:
        images = sample_readings()
    else:
        images, skipped = image_sets.from_vinbigdata(
            chosen.images, chosen.labels, chosen.image_sizes
        )
        say(f"{len(skipped)} rows or files left out")
    data, base = cut(images, folder), base_weights(chosen.base_weights, folder)
    test = data.version.in_split(Split.TEST)
    recipe = Recipe(chosen.epochs, chosen.size, chosen.batch, SEED, patience=0)
    device = "cpu" if chosen.device == "auto" and not torch.cuda.is_available() else chosen.device

    figures: dict[str, float | None] = {}
    seconds: dict[str, float] = {}
    for number, name in enumerate(chosen.variants):
        say(f"{name}:")
        started = time.perf_counter()
        _, detector = train(data, VARIANTS[name], recipe, base, device, folder / name)
        seconds[name] = round(time.perf_counter() - started, 1)
        _, predictions = evaluate(detector, test)
        found = measure(test, predictions)
        say(f"  {seconds[name]} s: " + ", ".join(f"{k} {v}" for k, v in found.items()))
        figures |= {f"{name}_{key}": value for key, value in found.items()}
        if number == 0:
            figures |= {key: found[key] for key in ("map40", "map50", "sensitivity_at_1fp")}
    return {
        "name": "detection",
        "quick": chosen.quick,
        "conditions": {
            "data": "sample with simulated readers" if is_sample else "as given",
            "images": {split.value: len(data.version.in_split(split)) for split in Split},
            "test_boxes": sum(len(one.clusters) for one in test),
            "test_findings": len({c.finding for one in test for c in one.clusters}),
            "labels": f"consensus of the readers, {data.version.consensus_method}",
            "started_from": base.name,
            "epochs": chosen.epochs,
            "image_size_px": chosen.size,
            "batch": chosen.batch,
            "training_seconds": seconds,
            "seed": SEED,
            "device": torch.cuda.get_device_name() if device != "cpu" else platform.machine(),
            "torch": torch.__version__,
        },
        "figures": figures,
    }


def show(result: Mapping[str, Any], variants: Sequence[str]) -> None:
    """Print a table, beside what others published."""
    keys = ("map40", "map50", *(f"sensitivity_at_{rate:g}fp" for rate in USUAL_RATES), "d_ece")
    sys.stdout.write(f"{'':24}" + "".join(f"{name:>16}" for name in variants) + "\n")
    for key in keys:
        cells = [result["figures"][f"{name}_{key}"] for name in variants]
        shown = "".join(f"{'-' if cell is None else f'{cell:.3f}':>16}" for cell in cells)
        sys.stdout.write(f"{key:24}{shown}\n")
    sys.stdout.write("\nPublished:\n")
    for system, labels, metric, figure in PUBLISHED:
        sys.stdout.write(f"{system:40} {labels:34} {metric:20} {figure:.3f}\n")
    sys.stdout.write(f"\n{WARNING}\n")


def main() -> None:
    """Run, print a table or JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="two epochs at 128 px")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--images", type=Path, help="folder; the sample if unset")
    parser.add_argument("--labels", type=Path, help="train.csv, with --images")
    parser.add_argument("--image-sizes", type=Path, help="sizes of the originals, if resized")
    parser.add_argument("--base-weights", type=Path, help="an untrained network if unset")
    parser.add_argument("--variants", nargs="+", choices=VARIANTS, default=["consensus", "hard"])
    parser.add_argument("--epochs", type=int, default=60)
    parser.add_argument("--size", type=int, default=640, help="longer side in pixels")
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--device", default="auto")
    chosen = parser.parse_args()
    if (chosen.images is None) is not (chosen.labels is None):
        parser.error("--images and --labels belong together")
    if chosen.quick:
        chosen.epochs, chosen.size = min(chosen.epochs, 2), min(chosen.size, 128)

    with tempfile.TemporaryDirectory(prefix="overread-detection-") as folder:
        result = run(chosen, Path(folder))
    if chosen.json:
        sys.stdout.write(json.dumps(result) + "\n")
    else:
        show(result, chosen.variants)


if __name__ == "__main__":
    main()
