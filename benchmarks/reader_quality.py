"""Whether what is said about readers is so: on simulated crowds whose truth and bias are known.

Coverage of the intervals, the traps of case mix, an injected automation bias and none, and how
often a reader who does not change is said to have drifted.
"""

import argparse
import json
import os
import platform
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from backend.domain.findings import Finding
from backend.domain.metrics.automation_bias import AutomationBias, measure_bias
from backend.domain.metrics.bias_outcomes import DrawnReading, Outcome, Reference
from backend.domain.metrics.drift import FALSE_ALARMS, Series, detect_drift
from backend.domain.metrics.judged_readings import JudgedReadings, judge
from backend.domain.metrics.reader_quality import estimate_quality
from backend.domain.metrics.sensitivity import common_mix
from backend.domain.reading_table import ReadingTable
from benchmarks.simulated_assistance import MODEL, Sway, assist, model_of, truth_of
from benchmarks.simulated_crowd import SimulatedCrowd, simulate

SEED = 20261127
RESULTS = Path(__file__).parent / "results"
READERS = 10
SWAYED = Sway(helped=0.4, commission=0.3, omission=0.15)
UNASSISTED_SHARE = 0.1
PER_DAY = 8

Figures = dict[str, float]
Array = NDArray[np.float64]


def coverage(crowds: int, *, images: int, adjudicated: int) -> Figures:
    """Hold intervals from a few adjudicated images against what readers do on all of them."""
    rows: list[Figures] = []
    for number in range(crowds):
        rng = np.random.default_rng([SEED, number])
        crowd = simulate(rng, images=images, readers=READERS, readers_per_image=READERS)
        whole = judge(crowd.readings, truth_of(crowd))
        rows.extend(_covered(rng, crowd, whole, adjudicated) for _ in range(2))
    return {name: float(np.mean([row[name] for row in rows])) for name in rows[0]}


def _covered(
    rng: np.random.Generator, crowd: SimulatedCrowd, whole: JudgedReadings, adjudicated: int
) -> Figures:
    table = crowd.readings
    abnormal, normal = np.flatnonzero(crowd.is_abnormal), np.flatnonzero(~crowd.is_abnormal)
    chosen = np.concatenate(
        [
            rng.choice(abnormal, adjudicated * 2 // 3, replace=False),
            rng.choice(normal, adjudicated // 3, replace=False),
        ]
    )
    is_read = np.isin(table.reading_images, chosen) & (rng.random(len(table.reading_images)) < 0.4)
    judged = judge(table.readings_only(is_read), truth_of(crowd, chosen))
    found = estimate_quality(judged)
    sensitivity, rate, iou = _true_figures(whole)
    mix, abnormal_share = common_mix(judged), judged.is_abnormal.mean()
    true_rate = rate @ np.array([1 - abnormal_share, abnormal_share])
    seen = found.sensitivity.lesions[:, :-1] >= 5
    by_finding = _inside(
        found.sensitivity.lows[:, :-1], sensitivity, found.sensitivity.highs[:, :-1]
    )
    overall = sensitivity @ mix
    return {
        "coverage_sensitivity": _share(
            found.sensitivity.lows[:, -1], overall, found.sensitivity.highs[:, -1]
        ),
        "coverage_sensitivity_by_finding": float(by_finding[seen].mean()),
        "coverage_false_marks": _share(
            found.false_marks.lows[:, -1], true_rate, found.false_marks.highs[:, -1]
        ),
        "coverage_iou": _share(
            found.localisation.lows[:, -1], iou @ mix, found.localisation.highs[:, -1]
        ),
        "error_sensitivity": float(np.abs(found.sensitivity.estimates[:, -1] - overall).mean()),
        "width_sensitivity": float(
            (found.sensitivity.highs - found.sensitivity.lows)[:, -1].mean()
        ),
    }


def _true_figures(judged: JudgedReadings) -> tuple[Array, Array, Array]:
    """Return sensitivity and IoU by finding, and false marks per normal and abnormal image."""
    findings = len(Finding)
    cells = judged.chance_readers * findings + judged.chance_findings
    size = READERS * findings
    lesions = np.maximum(np.bincount(cells, minlength=size), 1)
    hits = np.bincount(cells, judged.is_hit, size)
    overlap = np.bincount(cells, np.nan_to_num(judged.chance_ious), size)
    kinds = judged.readers * 2 + judged.is_abnormal[judged.images]
    false = np.bincount(kinds[judged.false_readings], minlength=READERS * 2)
    usual = np.nansum(judged.chance_ious) / max(1, judged.is_hit.sum())
    return (
        (hits / lesions).reshape(READERS, -1),
        (false / np.maximum(np.bincount(kinds, minlength=READERS * 2), 1)).reshape(READERS, 2),
        np.where(hits > 0, overlap / np.maximum(hits, 1), usual).reshape(READERS, -1),
    )


def _inside(low: Array, value: Array, high: Array) -> NDArray[np.bool_]:
    return np.asarray((low <= value) & (value <= high))


def _share(low: Array, value: Array, high: Array) -> float:
    return float(_inside(low, value, high).mean())


def case_mix(crowds: int, *, images: int) -> Figures:
    """Give one reader normal images only, and one the easy half of the lesions."""
    rows: list[Figures] = []
    for number in range(crowds):
        rng = np.random.default_rng([SEED, 100 + number])
        crowd = simulate(rng, images=images, readers=READERS, readers_per_image=READERS)
        table = crowd.readings
        good = [row for row, kind in enumerate(crowd.readers.kinds) if kind == "good"]
        spared, eased = good[0], good[1]
        difficulty = np.zeros(len(table.image_ids))
        np.add.at(difficulty, crowd.truth.images, crowd.truth.difficulty)
        lesions = np.bincount(crowd.truth.images, minlength=len(difficulty))
        is_easy = difficulty / np.maximum(lesions, 1) > 0.3
        abnormal = crowd.is_abnormal[table.reading_images]
        is_read = rng.random(len(abnormal)) < 0.5
        is_read &= ~((table.reading_readers == spared) & abnormal)
        is_read &= ~((table.reading_readers == eased) & ~is_easy[table.reading_images])
        found = estimate_quality(judge(table.readings_only(is_read), truth_of(crowd)))
        whole = _true_figures(judge(table, truth_of(crowd)))[0]
        mix = common_mix(judge(table, truth_of(crowd)))
        counts = found.sensitivity
        naive = counts.found[eased, -1] / max(1, counts.lesions[eased, -1])
        rows.append(
            {
                "normal_only_is_estimable": float(found.is_estimable[spared, -1]),
                "normal_only_interval_width": float((counts.highs - counts.lows)[spared, -1]),
                "normal_only_sensitivity": float(counts.estimates[spared, -1]),
                "easy_only_error_naive": float(naive - whole[eased] @ mix),
                "easy_only_error": float(counts.estimates[eased, -1] - whole[eased] @ mix),
            }
        )
    return {name: float(np.mean([row[name] for row in rows])) for name in rows[0]}


def automation_bias(crowds: int, *, images: int, sway: Sway) -> Figures:
    """Compare estimates of the model's influence with what it did to every reading."""
    estimates: dict[Outcome, list[tuple[float, float, float, float]]] = {}
    for number in range(crowds):
        rng = np.random.default_rng([SEED, 200 + number])
        crowd = simulate(rng, images=images, readers=READERS, readers_per_image=4)
        both = assist(rng, crowd, model_of(rng, crowd), sway)
        is_assisted = rng.random(len(both.without.reading_images)) >= UNASSISTED_SHARE
        found = _bias(crowd, both.drawn(is_assisted), is_assisted, both.model)
        # The truth: every reading in both arms.
        shown, without = (_means(crowd, table, both.model) for table in (both.shown, both.without))
        for outcome in shown:
            effect = found.overall[outcome].difference
            if effect.estimate is None or effect.low is None or effect.high is None:
                continue
            true = shown[outcome] - without[outcome]
            estimates.setdefault(outcome, []).append(
                (effect.estimate, effect.low, effect.high, true)
            )
    figures: Figures = {}
    for outcome, rows in estimates.items():
        name = outcome.name.lower()
        estimate, low, high, true = np.array(rows).T
        figures[f"{name}_true"] = float(true.mean())
        figures[f"{name}_estimate"] = float(estimate.mean())
        figures[f"{name}_coverage"] = _share(low, true, high)
        figures[f"{name}_found"] = float(1 - _inside(low, np.zeros(len(low)), high).mean())
        figures[f"{name}_width"] = float((high - low).mean())
    return figures


def _bias(
    crowd: SimulatedCrowd, table: ReadingTable, is_assisted: NDArray[np.bool_], model: ReadingTable
) -> AutomationBias:
    pairs = zip(table.reading_images.tolist(), table.reading_readers.tolist(), strict=True)
    drawn = [
        DrawnReading(table.image_ids[image], table.reader_ids[reader], bool(arm), MODEL, None)
        for (image, reader), arm in zip(pairs, is_assisted, strict=True)
    ]
    return measure_bias(drawn, [Reference(table, truth_of(crowd))], {MODEL: model})


def _means(
    crowd: SimulatedCrowd, table: ReadingTable, model: ReadingTable
) -> dict[Outcome, float]:
    """Return what readings come to."""
    truth = truth_of(crowd)
    judged, by_model = judge(table, truth), judge(model, truth)
    is_missed = np.ones(len(judged.lesion_images), dtype=np.bool_)
    is_missed[by_model.chance_lesions[by_model.is_hit]] = False
    images = by_model.images[by_model.false_readings].tolist()
    wrong = ReadingTable.of_rows(
        [(name, "") for name in by_model.image_ids],
        [
            (by_model.image_ids[image], "", finding)
            for image, finding in zip(images, by_model.false_findings.tolist(), strict=True)
        ],
        by_model.false_boxes,
    )
    missed = ~judged.is_hit[is_missed[judged.chance_lesions]]
    return {
        Outcome.SENSITIVITY: float(judged.is_hit.mean()),
        Outcome.FALSE_MARKS: len(judged.false_readings) / len(judged.readers),
        Outcome.COMMISSION: float(judge(table, wrong).is_hit.mean()),
        Outcome.OMISSION: float(missed.mean()),
    }


def drift(readers: int) -> Figures:
    """Test readers who do not change, at once and every month, and readers who do."""
    rng = np.random.default_rng([SEED, 300])
    steady = [_read(rng, readings=400) for _ in range(readers)]
    moody = [_read(rng, readings=400, together=0.1) for _ in range(readers)]
    looks = range(80, 401, 32)
    return {
        "nominal": FALSE_ALARMS,
        "false_alarms": _drifted(steady),
        "false_alarms_with_good_and_bad_days": _drifted(moody),
        "false_alarms_eleven_looks": float(
            np.mean([any(_has_drifted(one, look) for look in looks) for one in steady])
        ),
        "found_sensitivity_80_to_60": _drifted(
            [_read(rng, readings=400, change=-0.2) for _ in range(readers)]
        ),
        "found_sensitivity_80_to_70": _drifted(
            [_read(rng, readings=400, change=-0.1) for _ in range(readers)]
        ),
    }


def _read(
    rng: np.random.Generator, *, readings: int, together: float = 0.0, change: float = 0.0
) -> Series:
    """Return a reader's hits on two or three lesions per image; changed half-way."""
    weights = rng.integers(2, 4, readings).astype(np.float64)
    mood = np.repeat(rng.normal(0, together, readings // PER_DAY + 1), PER_DAY)[:readings]
    chance = np.clip(0.8 + mood + change * (np.arange(readings) >= readings // 2), 0.02, 0.98)
    start = datetime(2026, 1, 1, tzinfo=UTC)
    return Series(
        tuple(start + timedelta(days=n // PER_DAY, minutes=n % PER_DAY) for n in range(readings)),
        rng.binomial(weights.astype(np.int64), chance).astype(np.float64),
        0.8 * weights,
        weights,
    )


def _drifted(all_series: list[Series]) -> float:
    return float(np.mean([detect_drift(one).has_drifted for one in all_series]))


def _has_drifted(one: Series, look: int) -> bool:
    seen = Series(one.times[:look], one.totals[:look], one.due[:look], one.weights[:look])
    return detect_drift(seen).has_drifted


def measure(*, quick: bool) -> dict[str, Figures]:
    """Measure everything, by part."""
    few = 3 if quick else 20
    images = 800 if quick else 3000
    started = time.perf_counter()
    parts = {
        "coverage": coverage(few, images=images, adjudicated=180),
        "case_mix": case_mix(few, images=400 if quick else 800),
        "bias": automation_bias(few, images=400 if quick else 1200, sway=SWAYED),
        "no_bias": automation_bias(few, images=400 if quick else 1200, sway=Sway()),
        "drift": drift(200 if quick else 2000),
    }
    parts["time"] = {"seconds": time.perf_counter() - started}
    return parts


def main() -> None:
    """Run, print a table or JSON; a full run keeps its results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer and smaller crowds")
    parser.add_argument("--json", action="store_true")
    chosen = parser.parse_args()
    parts = measure(quick=chosen.quick)
    result = {
        "name": "reader_quality",
        "quick": chosen.quick,
        "conditions": {
            "seed": SEED,
            "readers": READERS,
            "unassisted_share": UNASSISTED_SHARE,
            "sway": {
                "helped": SWAYED.helped,
                "commission": SWAYED.commission,
                "omission": SWAYED.omission,
            },
            "processors": os.cpu_count(),
            "python": platform.python_version(),
            "numpy": np.__version__,
        },
        "figures": {
            f"{part}_{name}": figure
            for part, figures in parts.items()
            for name, figure in figures.items()
        },
    }
    if not chosen.quick:
        (RESULTS / "reader_quality.json").write_text(json.dumps(result, indent=1) + "\n")
    if chosen.json:
        sys.stdout.write(json.dumps(result) + "\n")
        return
    for part, figures in parts.items():
        sys.stdout.write(f"{part}\n")
        for name, figure in figures.items():
            sys.stdout.write(f"  {name:36} {figure:8.4f}\n")


if __name__ == "__main__":
    main()
