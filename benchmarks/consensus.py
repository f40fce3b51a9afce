"""How good the consensus is, beside the methods it is compared with, in the same run.

Two ways to know: leave one reader out of VinBigData's table (where it is present) and hold the
answers of the others against what that reader marked; and simulated crowds, whose truth is known.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from ensemble_boxes import nms
from scipy.stats import spearmanr  # type: ignore[import-untyped]

from backend.domain.consensus import methods, verdict
from backend.domain.consensus.panel import fit_panel
from backend.domain.consensus.reader_estimates import ReaderEstimates, estimate_readers
from backend.domain.consensus.survey import Survey
from backend.domain.findings import Finding
from backend.domain.metrics.calibration import (
    brier_score,
    expected_calibration_error,
    reliability_curve,
)
from backend.domain.reading_table import Numbers, ReadingTable
from backend.formats.consensus_csv import read_file
from benchmarks.judging import (
    Array,
    Boxes,
    Figures,
    anchored,
    area_under_roc,
    detection,
    export_f1,
    pairs,
)
from benchmarks.simulated_crowd import SimulatedCrowd, simulate

SEED = 20261124
PUBLISHED = Path(__file__).parents[2] / "shared" / "data" / "tables" / "vinbigdata_train.csv.gz"
RESULTS = Path(__file__).parent / "results"
OURS = methods.OVERREAD
_FEWEST_LESIONS = 10


@dataclass(frozen=True, slots=True)
class Answer:
    """What a method says of a table; alternatives are boxes as well."""

    boxes: Boxes
    p_no_finding: Array
    readers: ReaderEstimates | None = None


def by_method(name: str) -> Callable[[ReadingTable], Answer]:
    """Return a method by its name."""

    def answer(table: ReadingTable) -> Answer:
        readers = None
        if name == OURS:
            survey = Survey.of(table)
            panel = fit_panel(survey)
            found = verdict.reconcile(survey, panel)
            readers = estimate_readers(survey, panel, found)
        else:
            found = methods.METHODS[name](table)
        others = found.alternatives
        return Answer(
            Boxes(
                np.append(found.images, found.images[others.clusters]),
                np.append(found.findings, others.findings),
                np.vstack([found.boxes, found.boxes[others.clusters]]),
                np.append(found.scores, others.scores),
                np.append(found.p_true, np.zeros(len(others.clusters))),
            ),
            found.p_no_finding,
            readers,
        )

    return answer


def by_nms(table: ReadingTable) -> Answer:
    """Non-maximum suppression of all marks, each with the score 1."""
    found = []
    images, firsts = np.unique(table.mark_images, return_index=True)
    for image, rows in zip(
        images, np.split(np.arange(len(table.mark_images)), firsts[1:]), strict=True
    ):
        span = np.tile(table.mark_boxes[rows, 2:].max(axis=0), 2)
        boxes, _, findings = nms(
            [table.mark_boxes[rows] / span],
            [np.ones(len(rows))],
            [table.mark_findings[rows]],
            iou_thr=methods.WBF_IOU,
        )
        found += [
            (image, finding, *(box * span)) for box, finding in zip(boxes, findings, strict=True)
        ]
    kept = np.array(found).reshape(-1, 6)
    boxes = Boxes.sure(kept[:, 0].astype(np.int64), kept[:, 1].astype(np.int64), kept[:, 2:])
    is_unmarked = ~np.isin(np.arange(len(table.image_ids)), table.mark_images)
    return Answer(boxes, is_unmarked.astype(np.float64))


METHODS: Mapping[str, Callable[[ReadingTable], Answer]] = {
    **{name: by_method(name) for name in methods.METHODS},
    "nms": by_nms,
}


def marks_of(table: ReadingTable) -> Boxes:
    """Return the marks of a table."""
    return Boxes.sure(table.mark_images, table.mark_findings, table.mark_boxes)


@dataclass(frozen=True, slots=True)
class Fold:
    """What a method may see, what was hidden from it, and the images in question."""

    visible: ReadingTable
    hidden: ReadingTable
    images: Numbers


def folds(table: ReadingTable, *, probe: bool) -> Iterator[Fold]:
    """Hide each reading of every image once; as a probe, of one image in three at a time."""
    rng = np.random.default_rng(SEED)
    order = np.lexsort((rng.random(len(table.reading_images)), table.reading_images))
    rank = np.empty(len(order), dtype=np.int64)
    firsts = np.searchsorted(table.reading_images, table.reading_images)
    rank[order] = np.arange(len(order)) - firsts
    part = rng.integers(0, 3, len(table.image_ids))[table.reading_images]
    for fold in range(3):
        is_hidden = (rank == 0) & (part == fold) if probe else rank == fold
        yield Fold(
            table.readings_only(~is_hidden),
            table.readings_only(is_hidden),
            np.unique(table.reading_images[is_hidden]),
        )


def leave_one_out(
    table: ReadingTable, *, probe: bool, rounds: int
) -> tuple[dict[str, Figures], dict[str, tuple[Array, Array]]]:
    """Return figures, and predictions with observations, by method."""
    figures: dict[str, list[Figures]] = {name: [] for name in METHODS}
    anchors: dict[str, list[tuple[Array, Array]]] = {name: [] for name in METHODS}
    for _, fold in zip(range(rounds), folds(table, probe=probe), strict=False):
        truth, marks = marks_of(fold.hidden), marks_of(fold.visible)
        marks = marks.take(np.isin(marks.images, fold.images))
        for name, method in METHODS.items():
            found = method(fold.visible).boxes
            found = found.take(np.isin(found.images, fold.images))
            anchor = anchored(marks, found, found.scores, truth)
            anchors[name].append(anchor)
            figures[name].append(
                {
                    **detection(found, truth),
                    "map40_sure_rows": detection(found.take(found.scores >= 0.05), truth)["map40"],
                    "brier": brier_score(*anchor) or 0.0,
                    "ece": expected_calibration_error(*anchor) or 0.0,
                }
            )
    return {name: _mean(rows) for name, rows in figures.items()}, {
        name: _joined(parts) for name, parts in anchors.items()
    }


def simulated(
    seeds: range, *, images: int, dominant: bool
) -> tuple[dict[str, Figures], dict[str, tuple[Array, Array]]]:
    """Return figures, and predictions with observations, by method."""
    figures: dict[str, list[Figures]] = {name: [] for name in METHODS}
    anchors: dict[str, list[tuple[Array, Array]]] = {name: [] for name in METHODS}
    for seed in seeds:
        crowd = simulate(np.random.default_rng([SEED, seed]), images=images, dominant=dominant)
        truth = Boxes.sure(crowd.truth.images, crowd.truth.findings, crowd.truth.boxes)
        for name, method in METHODS.items():
            answer = method(crowd.readings)
            anchor = anchored(marks_of(crowd.readings), answer.boxes, answer.boxes.p_true, truth)
            anchors[name].append(anchor)
            figures[name].append(
                {
                    **detection(answer.boxes, truth),
                    "f1": export_f1(answer.boxes, truth),
                    "brier": brier_score(*anchor) or 0.0,
                    "ece": expected_calibration_error(*anchor) or 0.0,
                    "no_finding_auc": area_under_roc(
                        answer.p_no_finding,
                        ~np.isin(np.arange(len(answer.p_no_finding)), truth.images),
                    ),
                    **(skill_figures(crowd, truth, answer.readers) if answer.readers else {}),
                }
            )
    return {name: _mean(rows) for name, rows in figures.items()}, {
        name: _joined(parts) for name, parts in anchors.items()
    }


def skill_figures(crowd: SimulatedCrowd, truth: Boxes, readers: ReaderEstimates) -> Figures:
    """Return how well the readers' skill is estimated."""
    table, number = crowd.readings, len(crowd.readings.reader_ids)
    marks, lesions, overlap = pairs(marks_of(table), truth)
    seen = np.zeros((number, len(truth.images)), dtype=np.bool_)
    taken: set[int] = set()
    for row in np.argsort(-overlap, kind="stable").tolist():
        mark, lesion = int(marks[row]), int(lesions[row])
        reader = int(table.mark_readers[mark])
        if mark not in taken and not seen[reader, lesion]:
            taken.add(mark)
            seen[reader, lesion] = True
    has_read = np.zeros((number, len(table.image_ids)), dtype=np.bool_)
    has_read[table.reading_readers, table.reading_images] = True
    there = has_read[:, truth.images]
    f1 = (
        2.0
        * seen.sum(axis=1)
        / (np.bincount(table.mark_readers, minlength=number) + there.sum(axis=1))
    )
    covered = [
        readers.low[reader, finding]
        <= seen[reader, chosen].mean()
        <= readers.high[reader, finding]
        for reader in range(number)
        for finding in Finding
        if (chosen := there[reader] & (truth.findings == finding)).sum() >= _FEWEST_LESIONS
    ]
    is_good = np.array([kind == "good" for kind in crowd.readers.kinds])
    return {
        "skill_spearman": float(spearmanr(f1, readers.reliability).statistic),
        "bad_readers_last": area_under_roc(readers.reliability, is_good),
        "interval_coverage": float(np.mean(covered)),
    }


def seconds(table: Path, method: str) -> float:
    """Return how long the command takes from CSV to CSV, as a whole process."""
    with tempfile.TemporaryDirectory() as folder:
        started = time.perf_counter()
        subprocess.run(  # noqa: S603 - our own command
            [
                *(sys.executable, "-m", "backend.cli", "consensus", "--method", method),
                *("--input", str(table), "--output", str(Path(folder, "consensus.csv"))),
            ],
            check=True,
            capture_output=True,
        )
        return time.perf_counter() - started


def write_table(path: Path, crowd: SimulatedCrowd) -> None:
    """Write a simulated crowd in the form of VinBigData's table."""
    table = crowd.readings
    marked = set(zip(table.mark_images.tolist(), table.mark_readers.tolist(), strict=True))
    with path.open("w", encoding="utf-8") as file:
        file.write("image_id,class_name,class_id,rad_id,x_min,y_min,x_max,y_max\n")
        for image, reader in zip(
            table.reading_images.tolist(), table.reading_readers.tolist(), strict=True
        ):
            if (image, reader) not in marked:
                name = f"{table.image_ids[image]},No finding,14,{table.reader_ids[reader]}"
                file.write(f"{name},,,,\n")
        for image, reader, finding, box in zip(
            table.mark_images.tolist(),
            table.mark_readers.tolist(),
            table.mark_findings.tolist(),
            table.mark_boxes.tolist(),
            strict=True,
        ):
            named = f"{Finding(finding).title},{finding},{table.reader_ids[reader]}"
            edges = ",".join(f"{edge:.2f}" for edge in box)
            file.write(f"{table.image_ids[image]},{named},{edges}\n")


def _mean(rows: list[Figures]) -> Figures:
    return {name: float(np.mean([row[name] for row in rows])) for name in rows[0]}


def _joined(parts: list[tuple[Array, Array]]) -> tuple[Array, Array]:
    return np.concatenate([part[0] for part in parts]), np.concatenate([part[1] for part in parts])


def headline(part: str, by_method: Mapping[str, Figures]) -> Figures:
    """Return our figures, and for each the best of the other methods."""
    found: Figures = {}
    for name, figure in by_method[OURS].items():
        found[f"{part}_{name}"] = figure
        others = [row[name] for method, row in by_method.items() if method != OURS and name in row]
        if others:
            best = min(others) if name in {"brier", "ece"} else max(others)
            found[f"{part}_{name}_best_baseline"] = best
    return found


def measure(
    table: Path, *, quick: bool
) -> tuple[dict[str, object], Figures, dict[str, dict[str, Figures]]]:
    """Measure everything: conditions, headline figures, and all figures by part and method."""
    crowds, images = (range(1), 3000) if quick else (range(4), 5000)
    parts: dict[str, tuple[dict[str, Figures], dict[str, tuple[Array, Array]]]] = {}
    if table.exists():
        readings = read_file(table).table
        parts["loro"] = leave_one_out(readings, probe=False, rounds=1 if quick else 3)
        if not quick:
            parts["probe"] = leave_one_out(readings, probe=True, rounds=3)
    parts["sim"] = simulated(crowds, images=images, dominant=False)
    if not quick:
        parts["dominant"] = simulated(crowds, images=images, dominant=True)

    figures: Figures = {}
    for part, (by_name, _) in parts.items():
        figures |= headline(part, by_name)
    with tempfile.TemporaryDirectory() as folder:
        timed = table
        if not table.exists():
            timed = Path(folder, "simulated.csv")
            write_table(timed, simulate(np.random.default_rng(SEED), images=15000))
        figures["seconds_15000"] = seconds(timed, OURS)
        figures["seconds_15000_wbf"] = seconds(timed, "wbf")
    if not quick:
        for part, (_, anchors) in parts.items():
            figure_of(RESULTS / f"consensus_{part}_reliability.png", part, anchors)
    conditions: dict[str, object] = {
        "seed": SEED,
        "crowds": len(crowds),
        "images_per_crowd": images,
        "table": "VinBigData, 15,000 images" if table.exists() else "absent; timed on a crowd",
        "processors": os.cpu_count(),
        "python": platform.python_version(),
        "numpy": np.__version__,
    }
    return conditions, figures, {part: by_name for part, (by_name, _) in parts.items()}


def figure_of(path: Path, part: str, anchors: Mapping[str, tuple[Array, Array]]) -> None:
    """Draw whether what the methods say comes true."""
    from backend.formats.figures import reliability_diagram  # noqa: PLC0415 - loads matplotlib

    titles = {
        "loro": "A further reader marks it (leave one reader out)",
        "probe": "A further reader marks it (one image in three hidden)",
        "sim": "It is real (simulated crowds)",
        "dominant": "It is real (simulated crowds, three readers read most)",
    }
    curves = {name: reliability_curve(*anchors[name]) for name in (OURS, "wbf", "majority")}
    reliability_diagram(path, curves, titles[part])


def print_tables(methods_of: Mapping[str, Mapping[str, Figures]]) -> None:
    """Print what every method reached."""
    for part, by_name in methods_of.items():
        columns = list(by_name[OURS])
        sys.stdout.write(f"\n{part:10}" + "".join(f"{name:>17}" for name in columns) + "\n")
        for name, row in by_name.items():
            cells = (
                f"{row[column]:17.4f}" if column in row else f"{'-':>17}" for column in columns
            )
            sys.stdout.write(f"{name:10}" + "".join(cells) + "\n")


def main() -> None:
    """Run, print tables or JSON, keep the results of a full run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one fold, one small crowd")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--table", type=Path, default=PUBLISHED, help="VinBigData's train.csv")
    chosen = parser.parse_args()
    conditions, figures, by_part = measure(chosen.table, quick=chosen.quick)
    result = {
        "name": "consensus",
        "quick": chosen.quick,
        "conditions": conditions,
        "figures": figures,
        "methods": by_part,
    }
    if not chosen.quick:
        (RESULTS / "consensus.json").write_text(json.dumps(result, indent=1) + "\n")
    if chosen.json:
        sys.stdout.write(json.dumps(result) + "\n")
        return
    print_tables(by_part)
    ratio = figures["seconds_15000"] / figures["seconds_15000_wbf"]
    sys.stdout.write(
        f"\n15,000 images, CSV to CSV: {figures['seconds_15000']:.2f} s, "
        f"{ratio:.2f} times weighted boxes fusion\n"
    )


if __name__ == "__main__":
    main()
