"""How well looks tell the same radiograph, saved anew, from another patient's."""

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from backend.domain.near_duplicates import NEAR_FROM_BITS
from backend.formats.looks import look_hash
from backend.formats.radiographs import SUFFIXES, Pixels, read_file

SEED = 7
SAMPLE = Path(__file__).parents[1] / "backend" / "demo" / "sample" / "images"


def saved_anew(pixels: Pixels) -> Iterator[tuple[str, Pixels]]:
    """Yield the same radiograph as other archives would hold it."""
    height, width = pixels.shape
    noise = np.random.default_rng(SEED).normal(0, 8, pixels.shape)
    turn = cv2.getRotationMatrix2D((width / 2, height / 2), 1, 1)
    yield "half_size", _grey(cv2.resize(pixels, (width // 2, height // 2), interpolation=3))
    yield "jpeg_30", _grey(cv2.imdecode(cv2.imencode(".jpg", pixels, [1, 30])[1], 0))
    yield "gamma", _grey(255 * (pixels / 255) ** 0.7)
    yield "window", _grey((pixels.astype(float) - 30) * 255 / 190)
    yield "noise", _grey(pixels + noise)
    yield "turned_1_degree", _grey(cv2.warpAffine(pixels, turn, (width, height)))
    yield "cropped_2_percent", pixels[height // 50 : -height // 50, width // 50 : -width // 50]


def _grey(values: NDArray[np.generic]) -> Pixels:
    return np.clip(values, 0, 255).astype(np.uint8)


def bits_apart(left: str, right: str) -> int:
    """Return in how many bits two looks differ."""
    return (int(left, 16) ^ int(right, 16)).bit_count()


def measure(paths: list[Path]) -> dict[str, float]:
    """Return distances between different radiographs, and between one and itself saved anew."""
    looks, same = [], {}
    for path in paths:
        pixels = read_file(path).pixels
        looks.append(look_hash(pixels))
        for name, changed in saved_anew(pixels):
            same.setdefault(name, []).append(bits_apart(looks[-1], look_hash(changed)))
    different = np.array(
        [
            bits_apart(left, right)
            for place, left in enumerate(looks)
            for right in looks[place + 1 :]
        ]
    )
    return {
        "pairs": len(different),
        "closest_different": int(different.min()),
        "median_different": float(np.median(different)),
        "taken_for_the_same": int((different <= NEAR_FROM_BITS).sum()),
        **{f"{name}_p95": float(np.quantile(bits, 0.95)) for name, bits in same.items()},
        **{
            f"{name}_noticed": float(np.mean(np.array(bits) <= NEAR_FROM_BITS))
            for name, bits in same.items()
        },
    }


def main() -> None:
    """Run, print a table or JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="at most 60 images")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("folders", nargs="*", type=Path, default=[SAMPLE])
    chosen = parser.parse_args()
    paths = sorted(
        path
        for folder in chosen.folders
        for path in folder.rglob("*")
        if path.suffix.lower() in SUFFIXES
    )[: 60 if chosen.quick else None]

    figures = measure(paths)
    if chosen.json:
        conditions = {"images": len(paths), "bits": NEAR_FROM_BITS, "seed": SEED}
        result = {
            "name": "near_duplicates",
            "quick": chosen.quick,
            "conditions": conditions,
            "figures": figures,
        }
        sys.stdout.write(json.dumps(result) + "\n")
        return
    for name, figure in figures.items():
        sys.stdout.write(f"{name:28} {figure:10.3f}\n")


if __name__ == "__main__":
    main()
