"""Replays as figures, a table, and a picture."""

import json
import platform
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from backend.domain.metrics.bootstrap import Interval
from benchmarks.active_learning import curves
from benchmarks.active_learning.curves import COSTS, QUERIES, Replays

OURS, RANDOM, FOREGROUND = "overread", "random", "foreground-aware-random"
SEED = 7
"""Of the resampling."""
COLOURS = ("#777777", "#bb8800", "#3377bb", "#cc2233", "#ee8866", "#aa3377", "#228833", "#66ccee",
           "#000000", "#9999dd")  # fmt: skip


def read(path: Path) -> dict[int, dict[str, Any]]:
    """Read a file of replays, as far as it got.

    Parameters
    ----------
    path : Path
        One JSON object per line: seed, method, rounds.

    Returns
    -------
    dict of int to dict of str to rounds
        By seed and method; empty without a file.
    """
    found: dict[int, dict[str, Any]] = {}
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    for line in lines:
        row = json.loads(line)
        found.setdefault(row["seed"], {})[row["method"]] = row["rounds"]
    return dict(sorted(found.items()))


def result(replays: Replays, *, quick: bool, conditions: Mapping[str, Any]) -> dict[str, Any]:
    """Return the benchmark's JSON.

    Parameters
    ----------
    replays : mapping of int to mapping of str to rounds
        By seed and method; not every seed need have every method.
    quick : bool
        Whether it was the short run.
    conditions : mapping
        What it was run with.

    Returns
    -------
    dict
        Name, conditions, figures, and a row per method. A method is judged on the seeds that it
        shares with `random` and `overread`, as far as these were replayed; what there is no
        other method to compare with is None. Without a common seed it is only named.
    """
    rng = np.random.default_rng(SEED)
    methods = list(dict.fromkeys(name for own in replays.values() for name in own))
    beside = {OURS, RANDOM}.intersection(methods)
    shared = {name: _with(replays, beside | {name}) for name in methods}
    rows = {name: _row(own, name, rng) for name, own in shared.items() if own}
    seeds = sorted({seed for row in rows.values() for seed in row["seeds"]})
    ours = rows.get(OURS, {})
    versus = ours.get("minutes_ratio_to_far")
    return {
        "name": "active_learning",
        "quick": quick,
        "conditions": {
            **conditions,
            "seeds": seeds,
            "shows": "a direction only" if quick or len(seeds) < 4 else "the ratio",
            "python": platform.python_version(),
            "torch": torch.__version__,
        },
        "figures": {
            "images_ratio": _first(ours.get("images_ratio")),
            "minutes_ratio": _first(ours.get("minutes_ratio")),
            "minutes_vs_far": _first(versus),
            "minutes_vs_far_high": versus[2] if versus else None,
            "rare_images_ratio": _first(ours.get("rare_images_ratio")),
        },
        "minutes_vs_far": versus,
        "minutes_vs_far_seeds": rows[FOREGROUND]["seeds"] if FOREGROUND in rows else [],
        "methods": rows,
        "not_compared": [name for name in methods if name not in rows],
    }


def _with(replays: Replays, names: Collection[str]) -> Replays:
    """Return the seeds that have finished some methods."""
    return {seed: own for seed, own in replays.items() if own.keys() >= set(names)}


def _row(replays: Replays, name: str, rng: np.random.Generator) -> dict[str, Any]:
    """Return what is told of a method; every seed has it."""
    seeds = sorted(replays)
    rounds = [replays[seed][name] for seed in seeds]
    row: dict[str, Any] = {"seeds": seeds, "interval": interval_of(len(seeds))}
    for cost in COSTS:
        row[f"{cost}_ratio"] = _cost_ratio(replays, name, RANDOM, cost, rng)
    for cost in COSTS:
        row[f"{cost}_ratio_at_best"] = _at_best(replays, name, cost)
    row["minutes_ratio_to_far"] = _cost_ratio(replays, name, FOREGROUND, "minutes", rng)
    row["rare_images_ratio"] = _rare_ratio(replays, name, rng)
    row["rare_images"] = [curves.rare_images(replays, name, seed) for seed in seeds]
    for cost in COSTS:
        own = curves.curve(replays, name, cost, seeds=seeds)
        if _with(replays, {RANDOM}):
            last = float(curves.curve(replays, RANDOM, cost, seeds=seeds).costs[-1])
            row[f"area_over_{cost}"] = round(own.area(last), 4)
        row[cost] = np.round(own.costs, 1).tolist()
    for figure in ("map40", "rare_ap", "sensitivity", "false_on_normals"):
        values = np.array([[one["judged"][figure] for one in own] for own in rounds])
        row[figure] = np.round(values.mean(axis=0), 4).tolist()
        row[f"{figure}_sd"] = np.round(values.std(axis=0), 4).tolist()
    if name not in {OURS, RANDOM} and _with(replays, {OURS}):
        row["overread_on_these_seeds"] = {
            **{f"{cost}_ratio": _cost_ratio(replays, OURS, RANDOM, cost, rng) for cost in COSTS},
            "rare_images_ratio": _rare_ratio(replays, OURS, rng),
        }
        if beside := _with(replays, {OURS, RANDOM}):
            row["minutes_over_overread"] = _list(
                curves.cost_ratio(beside, name, OURS, "minutes", goal=RANDOM, rng=rng)
            )
    return row


def interval_of(seeds: int) -> str:
    """Return what the intervals of so many seeds are about."""
    return "seeds and test images" if seeds > 1 else "test images only"


def _cost_ratio(
    replays: Replays, name: str, baseline: str, cost: str, rng: np.random.Generator
) -> list[float | None] | None:
    """Return `curves.cost_ratio` on the seeds that have both; none if there is no such seed."""
    both = _with(replays, {name, baseline})
    return _list(curves.cost_ratio(both, name, baseline, cost, rng=rng)) if both else None


def _at_best(replays: Replays, name: str, cost: str) -> float | None:
    both = _with(replays, {name, RANDOM})
    ratio = curves.cost_ratio_at_best(both, name, RANDOM, cost) if both else np.inf
    return round(ratio, 4) if np.isfinite(ratio) else None


def _rare_ratio(
    replays: Replays, name: str, rng: np.random.Generator
) -> list[float | None] | None:
    """Return `curves.rare_ratio`; of one seed without an interval, because none varies it."""
    both = _with(replays, {name, RANDOM})
    if not both:
        return None
    ends = _list(curves.rare_ratio(both, name, RANDOM, rng=rng))
    return ends if len(both) > 1 else [ends[0], None, None]


def table(result: Mapping[str, Any]) -> str:
    """Return the result for people.

    Parameters
    ----------
    result : mapping
        As `result` returns it.

    Returns
    -------
    str
        Lines.
    """
    conditions = result["conditions"]
    heading = (
        f"{'':28} {'seeds':>5} {'mAP@0.4 after every round':34} {'rare':>5} {'false':>6} "
        f"{'images':>17} {'boxes':>6} {'minutes':>17} {'rare images':>11} "
        f"{'overread beside':>18}"
    )
    about = (
        f"{conditions['layouts']}, {conditions['size']} px, seeds {conditions['seeds']}, "
        f"{conditions['device']}: shows {conditions['shows']}"
    )
    lines = [about, heading]
    for name, row in result["methods"].items():
        maps = " ".join(f"{one:.3f}" for one in row["map40"])
        lines.append(
            f"{name:28} {len(row['seeds']):5} {maps:34} {row['rare_ap'][-1]:5.3f} "
            f"{row['false_on_normals'][-1]:6.2f} {_text(row['images_ratio']):>17} "
            f"{_middle(row['boxes_ratio']):>6} {_text(row['minutes_ratio']):>17} "
            f"{_middle(row['rare_images_ratio']):>11} {_beside(row):>18}".rstrip()
        )
    lines += [f"{name:28} no seed in common: not compared" for name in result["not_compared"]]
    lines.append("")
    lines += [
        f"{name:28} {_one(figure)}"
        for name, figure in result["figures"].items()
        if _is_known(name, result["methods"])
    ]
    kinds = sorted({row["interval"] for row in result["methods"].values()})
    lines.append(f"intervals are of {', or with one seed of '.join(kinds)}")
    lines.append("overread beside: on the same seeds, images / minutes / rare images")
    lines.append(f"rare images are counted among the first {QUERIES} chosen")
    return "\n".join(lines) + "\n"


def draw(replays: Replays, path: Path) -> None:
    """Draw quality over images and over minutes, and rare quality over minutes.

    Parameters
    ----------
    replays : mapping of int to mapping of str to rounds
        By seed and method.
    path : Path
        The PNG.
    """
    from matplotlib.figure import Figure  # noqa: PLC0415 - only for the picture

    seeds = sorted(replays)
    figure = Figure(figsize=(12, 4.2), layout="constrained")
    panels = figure.subplots(1, 3)
    wanted = (("images", "map40"), ("minutes", "map40"), ("minutes", "rare_ap"))
    for panel, (cost, quality) in zip(panels, wanted, strict=True):
        names = dict.fromkeys(name for own in replays.values() for name in own)
        for name, colour in zip(names, COLOURS, strict=False):
            rounds = [own[name] for own in _with(replays, {name}).values()]
            costs = np.array([[one[cost] for one in own] for own in rounds])
            values = np.array([[one["judged"][quality] for one in own] for own in rounds])
            style = "-" if name in {OURS, RANDOM, FOREGROUND, "entropy-sum"} else ":"
            middle, error = values.mean(axis=0), values.std(axis=0) / np.sqrt(len(rounds))
            panel.plot(costs.mean(axis=0), middle, style, color=colour, label=name, marker=".")
            if style == "-":
                low, high = middle - error, middle + error
                panel.fill_between(costs.mean(axis=0), low, high, color=colour, alpha=0.15)
        panel.set_xlabel(f"{cost} read" if cost == "images" else "radiologist-minutes")
        rare = "mAP@0.4 of the five rarest findings"
        panel.set_ylabel("mAP@0.4" if quality == "map40" else rare)
        panel.grid(alpha=0.3)
    panels[0].legend(fontsize=7)
    figure.suptitle(f"Replay on phantoms, {len(seeds)} seeds, band: standard error", fontsize=10)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110)


def device_name(device: str) -> str:
    """Return what the replay ran on."""
    if device == "cpu":
        return f"cpu ({platform.machine()})"
    return str(torch.cuda.get_device_name(torch.device(device)))


def _list(interval: Interval) -> list[float | None]:
    """Return estimate, low, high; what is infinite, never reached, as none."""
    ends = (interval.estimate, interval.low, interval.high)
    return [None if one is None or not np.isfinite(one) else round(one, 4) for one in ends]


def _first(ends: list[float | None] | None) -> float | None:
    return ends[0] if ends else None


def _is_known(figure: str, rows: Mapping[str, Any]) -> bool:
    """Tell whether a figure's methods have been replayed; else there is nothing to say."""
    other = FOREGROUND if figure.startswith("minutes_vs_far") else RANDOM
    return {OURS, other} <= rows.keys()


def _beside(row: Mapping[str, Any]) -> str:
    """Return what overread pays on the seeds of another method: images, minutes, rare images."""
    ours = row.get("overread_on_these_seeds")
    if not ours:
        return ""
    names = ("images_ratio", "minutes_ratio", "rare_images_ratio")
    return " / ".join(_middle(ours[name]) for name in names)


def _text(ends: list[float | None] | None) -> str:
    if ends is None:
        return ""
    middle, low, high = map(_one, ends)
    return f"{middle} ({low}-{high})"


def _middle(ends: list[float | None] | None) -> str:
    return "" if ends is None else _one(ends[0])


def _one(ratio: float | None) -> str:
    return "never" if ratio is None else f"{ratio:.2f}"
