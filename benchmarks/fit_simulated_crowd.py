"""Fit the simulated crowd on the VinBigData readings and show how close it comes."""

import argparse
import inspect
import json
import re
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from backend.domain.findings import NO_FINDING_CLASS_ID, Finding
from backend.domain.reading_table import ReadingTable
from benchmarks.simulated_crowd import CrowdParameters, fit_lesions, fit_rates, fit_readers, fitted
from benchmarks.simulated_crowd import statistics as crowd_statistics
from benchmarks.simulated_crowd.parameters import FITTED, to_json
from benchmarks.simulated_crowd.statistics import ReadingStatistics

TRIPLE = ("R8", "R9", "R10")
"""The readers of 94 % of the abnormal images."""
FINDINGS = len(Finding)

ABOUT = {
    "source": "VinBigData training readings (15,000 images, 17 readers): numbers fitted on the"
    " images that R8, R9 and R10 read together; no rows of it are kept.",
    "made_by": "python -m benchmarks.fit_simulated_crowd TABLE SIZES --write",
    "lists": "Lists of 14 run over the findings by class id; colocated, confusion and second_name"
    " are kept as [row, column, share]; null is infinity.",
    "assumed": "Not identifiable from the table, chosen by hand: difficulty_sd,"
    " hit_correlation, edge_noise_freedom, normal_false_factor, reader_sd (three readers are too"
    " few), everything about bad readers and adversaries; the last so that union, majority vote"
    " and weighted boxes fusion do as well as on an independent simulator.",
}
ASSUMED: dict[str, Any] = {
    "difficulty_sd": 1.2,
    "hit_correlation": 0.7,
    "edge_noise_freedom": 4.0,
    "normal_false_factor": 0.15,
    "bad_readers": (2, 4),
    "adversaries": 1,
    "reader_sd": 0.5,
    "bad_sensitivity": -2.5,
    "bad_false_factor": 5.0,
    "bad_noise_factor": 2.0,
    "adversary_sensitivity": -3.0,
    "adversary_false_factor": 6.0,
}


def read(table: Path) -> ReadingTable:
    """Return the readings of the images that the triple marked."""
    rows = pd.read_csv(table)
    rows = rows[(rows.class_id != NO_FINDING_CLASS_ID) & rows.rad_id.isin(TRIPLE)]
    marks = list(zip(rows.image_id, rows.rad_id, rows.class_id.astype(int), strict=True))
    boxes = rows[["x_min", "y_min", "x_max", "y_max"]].to_numpy(dtype=np.float64)
    return crowd_statistics.marked_by_all(ReadingTable.of_rows([], marks, boxes))


def start(table: ReadingTable, sizes: pd.DataFrame, abnormal_share: float) -> CrowdParameters:
    """Return what can be read off the table; rates are first guesses."""
    clusters = crowd_statistics.cluster(table)
    sure = clusters.votes >= 2
    by_id = sizes.set_index("image_id").loc[list(table.image_ids), ["width", "height"]]
    places = fit_lesions.relative(clusters.boxes[sure], by_id.to_numpy()[clusters.images[sure]])
    findings = clusters.findings[sure]
    mixtures = [fit_lesions.mixture(places[findings == finding]) for finding in range(FINDINGS)]
    counts = np.zeros((len(table.image_ids), FINDINGS))
    np.add.at(counts, (clusters.images[sure], findings), 1)
    logs = np.log(sizes[["width", "height"]].to_numpy(dtype=np.float64))
    spread = fit_lesions.spread(table, counts)
    votes = crowd_statistics.votes_by_finding(clusters)
    confusion, second_name, colocated = fit_readers.namings(table, clusters)
    skill, reader_finding_sd = fit_readers.skill(table, clusters)
    false = votes[:, 0] * 0.5 / 3 / len(table.image_ids)
    edge_noise, noise_sd, bias_sd = fit_readers.edges(table, clusters)
    per_reader = np.bincount(table.mark_readers[clusters.votes[clusters.of_marks] == 1])
    return CrowdParameters(
        abnormal_share=abnormal_share,
        image_size_mean=logs.mean(axis=0),
        image_size_covariance=np.cov(logs.T),
        lesions_per_image=np.minimum(
            counts.mean(axis=0) * 1.3, np.where(np.isinf(spread), 0.9, 9)
        ),
        lesion_spread=spread,
        lesion_correlation=fit_lesions.correlation(counts),
        side_change=fit_lesions.side_changes(places, findings, clusters.images[sure]),
        place_shares=np.array([one[0] for one in mixtures]),
        place_means=np.array([one[1] for one in mixtures]),
        place_covariances=np.array([one[2] for one in mixtures]),
        colocated=colocated,
        sensitivity=skill,
        reader_finding_sd=reader_finding_sd,
        confusion=confusion,
        second_name=second_name,
        same_rectangle=fit_readers.same_rectangle(table),
        edge_noise=edge_noise,
        reader_noise_sd=noise_sd,
        size_bias_sd=bias_sd,
        false_marks=false,
        false_beside_true=np.full(FINDINGS, 0.3),
        reader_false_sd=float(np.log(per_reader).std(ddof=1)),
        **ASSUMED,
    )


def meanings() -> dict[str, str]:
    """Return what every parameter is, and its unit, as `CrowdParameters` says it."""
    text = (inspect.getdoc(CrowdParameters) or "").partition("----------\n")[2]
    entries = re.findall(r"^(\w.*?) : .*\n((?:    .*\n?)+)", text, flags=re.MULTILINE)
    return {names: " ".join(meaning.split()) for names, meaning in entries}


def show(real: ReadingStatistics, made: ReadingStatistics) -> None:
    """Print real and simulated statistics side by side."""
    sys.stdout.write(f"{'':38} {'real':>7} {'made':>7}\n")
    made_rows = rows_of(made)
    for name, value in rows_of(real).items():
        sys.stdout.write(f"{name:38} {value:7.3f} {made_rows[name]:7.3f}\n")


def rows_of(one: ReadingStatistics) -> dict[str, float]:
    """Return statistics under the names that they are printed by."""
    rows = {
        f"share of clusters with {votes} votes": share
        for votes, share in enumerate(one.vote_shares.tolist(), start=1)
    }
    rows |= {
        "clusters per image": float(one.clusters.sum()),
        "marks per reading, least": float(one.marks_per_reading[0]),
        "marks per reading, mean": float(one.marks_per_reading.mean()),
        "marks per reading, most": float(one.marks_per_reading[-1]),
        "pair F1, all findings": float(one.pair_f1[-1]),
        "mean IoU, all findings": float(one.mean_iou[-1]),
        "cross-class pairs per image": one.cross_class,
        "same rectangles per image": one.same_rectangles,
        "distinct findings per image": float(one.distinct[0]),
        "their standard deviation": float(one.distinct[1]),
    }
    columns = {
        "pair F1": one.pair_f1,
        "mean IoU": one.mean_iou,
        "images, any": one.found_by_any,
        "images, all": one.found_by_all,
    }
    for finding in Finding:
        for name, column in columns.items():
            rows[f"{finding.title}: {name}"] = float(column[finding])
    return rows


def main() -> None:
    """Fit or read the parameters, print the match."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("table", type=Path, help="the VinBigData training table")
    parser.add_argument("sizes", type=Path, help="image_id, height, width of its images")
    parser.add_argument("--write", action="store_true", help=f"fit anew and write {FITTED.name}")
    chosen = parser.parse_args()
    table = read(chosen.table)
    real = crowd_statistics.measure(table)
    if chosen.write:
        rows = pd.read_csv(chosen.table, usecols=["image_id", "class_id"])
        marked = rows.image_id[rows.class_id != NO_FINDING_CLASS_ID].nunique()
        share = marked / rows.image_id.nunique()
        parameters = fit_rates.matched(start(table, pd.read_csv(chosen.sizes), share), real)
        values = {"about": {**ABOUT, **meanings()}, "parameters": to_json(parameters)}
        FITTED.write_text(json.dumps(values, separators=(",", ":")) + "\n", encoding="utf-8")
        fitted.cache_clear()
    show(real, fit_rates.simulated(fitted(), fit_rates.SEED + 1))


if __name__ == "__main__":
    main()
