"""How often the forecast of the learning curve holds what comes, on made-up curves.

Curves of four kinds, measured with noise after every 300 images; the forecast says what the next
300 will bring. Reported is how often the true rise lies in the 95 % interval (to 0.001 mAP), how
wide that is, and how far off the expected rise is.
"""

import argparse
import json
import os
import platform
import sys
from collections.abc import Callable
from itertools import product
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from backend.domain.acquisition.learning_curve import CurvePoint, forecast

SEED = 20261127
RESULTS = Path(__file__).parent / "results"
FIRST_IMAGES, MORE_IMAGES = 200, 300
POINTS = (3, 5, 8)
NOISES = (0.005, 0.01, 0.02)
CLOSE_ENOUGH = 0.001

Curve = Callable[[NDArray[np.float64]], NDArray[np.float64]]


def power_law(rng: np.random.Generator) -> Curve:
    """Learning slows down for ever."""
    end, decay = rng.uniform(0.25, 0.6), rng.uniform(0.2, 1.0)
    start = rng.uniform(0.0, 0.5) * end
    return lambda n: end - (end - start) * (n / FIRST_IMAGES) ** -decay


def saturating(rng: np.random.Generator) -> Curve:
    """Learning comes to an end."""
    end, scale = rng.uniform(0.25, 0.6), rng.uniform(300.0, 2000.0)
    start = rng.uniform(0.05, 0.5) * end
    return lambda n: end - (end - start) * np.exp(-n / scale)


def logarithmic(rng: np.random.Generator) -> Curve:
    """Every doubling brings the same."""
    slope = rng.uniform(0.02, 0.08)
    return lambda n: 0.05 + slope * np.log(n / 100.0)


def flat(rng: np.random.Generator) -> Curve:
    """Nothing is learned any more."""
    end = rng.uniform(0.25, 0.6)
    return lambda n: np.full_like(n, end)


KINDS = (power_law, saturating, logarithmic, flat)


def measure(*, repeats: int) -> list[dict[str, object]]:
    """Return one row per kind of curve, number of points and noise."""
    rows: list[dict[str, object]] = []
    for kind, points, noise in product(KINDS, POINTS, NOISES):
        rng = np.random.default_rng([SEED, len(rows)])
        held, widths, errors, rises = [], [], [], []
        for _ in range(repeats):
            curve = kind(rng)
            sizes = FIRST_IMAGES + MORE_IMAGES * np.arange(points, dtype=np.float64)
            seen = np.clip(curve(sizes) + rng.normal(0.0, noise, points), 0.0, 1.0)
            found = forecast(
                [
                    CurvePoint("m", int(size), float(value))
                    for size, value in zip(sizes, seen, strict=True)
                ],
                more_images=MORE_IMAGES,
            )
            before, after = curve(np.array([sizes[-1], sizes[-1] + MORE_IMAGES]))
            rise = after - before
            held.append(found.low - CLOSE_ENOUGH <= rise <= found.high + CLOSE_ENOUGH)
            widths.append(found.high - found.low)
            errors.append(found.gain - rise)
            rises.append(rise)
        rows.append(
            {
                "kind": kind.__name__,
                "points": points,
                "noise": noise,
                "coverage": float(np.mean(held)),
                "width": float(np.mean(widths)),
                "bias": float(np.mean(errors)),
                "rise": float(np.mean(rises)),
            }
        )
    return rows


def main() -> None:
    """Run, print a table or JSON; a full run keeps its results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer curves")
    parser.add_argument("--json", action="store_true")
    chosen = parser.parse_args()
    repeats = 10 if chosen.quick else 100
    rows = measure(repeats=repeats)
    coverages = [float(str(row["coverage"])) for row in rows]
    result = {
        "name": "learning_curve",
        "quick": chosen.quick,
        "conditions": {
            "seed": SEED,
            "curves_per_row": repeats,
            "more_images": MORE_IMAGES,
            "processors": os.cpu_count(),
            "python": platform.python_version(),
            "numpy": np.__version__,
        },
        "figures": {
            "coverage_mean": float(np.mean(coverages)),
            "coverage_lowest": min(coverages),
        },
        "rows": rows,
    }
    if not chosen.quick:
        (RESULTS / "learning_curve.json").write_text(json.dumps(result, indent=1) + "\n")
    if chosen.json:
        sys.stdout.write(json.dumps(result) + "\n")
        return
    columns = list(rows[0])
    sys.stdout.write("".join(f"{name:>14}" for name in columns) + "\n")
    for row in rows:
        cells = (
            f"{row[name]:>14.4f}" if name in columns[3:] else f"{row[name]:>14}"
            for name in columns
        )
        sys.stdout.write("".join(cells) + "\n")


if __name__ == "__main__":
    main()
