"""Replays as figures, a table, and a picture."""

import json
import platform
from collections.abc import Mapping
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
           "#000000")  # fmt: skip


def read_all(path: Path) -> dict[int, dict[str, Any]]:
    """Read a file of replays, as far as it got.

    Parameters
    ----------
    path : Path
        One JSON object per line: seed, method, rounds.

    Returns
    -------
    dict of int to dict of str to rounds
        By seed and method.
    """
    found: dict[int, dict[str, Any]] = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        found.setdefault(row["seed"], {})[row["method"]] = row["rounds"]
    return dict(sorted(found.items()))


def read(path: Path) -> Replays:
    """Read what can be compared: seeds that have finished at least what all are measured against.

    Parameters
    ----------
    path : Path
        As for `read_all`.

    Returns
    -------
    mapping of int to mapping of str to rounds
        Not every seed need have every other method.
    """
    needed = {OURS, RANDOM, FOREGROUND}
    return {seed: own for seed, own in read_all(path).items() if needed <= own.keys()}


def _with(replays: Replays, name: str) -> Replays:
    """Return the seeds that have finished a method."""
    return {seed: own for seed, own in replays.items() if name in own}


def result(replays: Replays, *, quick: bool, conditions: Mapping[str, Any]) -> dict[str, Any]:
    """Return the benchmark's JSON.

    Parameters
    ----------
    replays : mapping of int to mapping of str to rounds
        By seed and method.
    quick : bool
        Whether it was the short run.
    conditions : mapping
        What it was run with.

    Returns
    -------
    dict
        Name, conditions, figures, and a row per method.
    """
    rng = np.random.default_rng(SEED)
    seeds = sorted(replays)
    methods = dict.fromkeys(name for own in replays.values() for name in own)
    rows = {name: _row(_with(replays, name), name, rng) for name in methods}
    ours = rows[OURS]
    versus = curves.cost_ratio(replays, OURS, FOREGROUND, "minutes", rng=rng)
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
            "images_ratio": ours["images_ratio"][0],
            "minutes_ratio": ours["minutes_ratio"][0],
            "minutes_vs_far": _list(versus)[0],
            "minutes_vs_far_high": _list(versus)[2],
            "rare_images_ratio": ours["rare_images_ratio"][0],
        },
        "minutes_vs_far": _list(versus),
        "methods": rows,
    }


def _row(replays: Replays, name: str, rng: np.random.Generator) -> dict[str, Any]:
    """Return what is told of a method."""
    seeds = sorted(replays)
    rounds = [replays[seed][name] for seed in seeds]
    row: dict[str, Any] = {"seeds": seeds}
    row |= {
        f"{cost}_ratio": _list(curves.cost_ratio(replays, name, RANDOM, cost, rng=rng))
        for cost in COSTS
    }
    for cost in COSTS:
        at_best = curves.cost_ratio_at_best(replays, name, RANDOM, cost)
        row[f"{cost}_ratio_at_best"] = round(at_best, 4) if np.isfinite(at_best) else None
    row["minutes_ratio_to_far"] = _list(
        curves.cost_ratio(replays, name, FOREGROUND, "minutes", rng=rng)
    )
    row["rare_images_ratio"] = _list(curves.rare_ratio(replays, name, RANDOM, rng=rng))
    row["rare_images"] = [curves.rare_images(replays, name, seed) for seed in seeds]
    for cost in COSTS:
        last = float(curves.curve(replays, RANDOM, cost, seeds=seeds).costs[-1])
        own = curves.curve(replays, name, cost, seeds=seeds)
        row[f"area_over_{cost}"] = round(own.area(last), 4)
        row[cost] = np.round(own.costs, 1).tolist()
    for figure in ("map40", "rare_ap", "sensitivity", "false_on_normals"):
        values = np.array([[one["judged"][figure] for one in own] for own in rounds])
        row[figure] = np.round(values.mean(axis=0), 4).tolist()
        row[f"{figure}_sd"] = np.round(values.std(axis=0), 4).tolist()
    return row


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
        f"{'':28} {'mAP@0.4 after every round':34} {'rare':>5} {'false':>6} "
        f"{'images':>17} {'boxes':>6} {'minutes':>17} {'rare images':>11}"
    )
    about = (
        f"{conditions['layouts']}, {conditions['size']} px, seeds {conditions['seeds']}, "
        f"{conditions['device']}: shows {conditions['shows']}"
    )
    lines = [about, heading]
    for name, row in result["methods"].items():
        maps = " ".join(f"{one:.3f}" for one in row["map40"])
        lines.append(
            f"{name:28} {maps:34} {row['rare_ap'][-1]:5.3f} {row['false_on_normals'][-1]:6.2f} "
            f"{_text(row['images_ratio']):>17} {_one(row['boxes_ratio'][0]):>6} "
            f"{_text(row['minutes_ratio']):>17} {row['rare_images_ratio'][0]:11.2f}"
        )
    lines.append("")
    lines += [f"{name:28} {_one(figure)}" for name, figure in result["figures"].items()]
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
            rounds = [own[name] for own in _with(replays, name).values()]
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


def _text(ends: list[float | None]) -> str:
    middle, low, high = map(_one, ends)
    return f"{middle} ({low}-{high})"


def _one(ratio: float | None) -> str:
    return "never" if ratio is None else f"{ratio:.2f}"
