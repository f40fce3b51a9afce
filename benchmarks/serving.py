"""How fast pre-annotations are, against the bare network.

`--device cuda` measures from the image cache to the boxes in one process and needs no store, no
Label Studio and no web server: run it from a checkout on a machine with a GPU.
"""

import argparse
import json
import os
import platform
import sys
import tempfile
from pathlib import Path

import torch

from benchmarks import processor, serving_device

_WEIGHTS = Path(__file__).parents[1] / "backend" / "demo" / "sample" / "weights.pt"


def on_gpu(
    weights: Path, name: str | None, *, size_px: int, seconds: float
) -> dict[str, float | str | None]:
    """Measure on the first GPU: these weights, or an untrained network of this name."""
    with tempfile.TemporaryDirectory() as folder:
        if name:
            weights = serving_device.untrained(name, size_px, Path(folder))
        speed = serving_device.measure(
            weights, Path(folder), device="0", runtime="auto", size_px=size_px, seconds=seconds
        )
        if name:
            return speed
        return speed | serving_device.half_precision_differs(
            weights, Path(folder), size_px=size_px
        )


def main() -> None:
    """Run, print a table or JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="within a minute")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument("--weights", type=Path, default=_WEIGHTS, help="a checkpoint to serve")
    parser.add_argument("--size", type=int, default=0, help="longer side in pixels")
    parser.add_argument(
        "--example",
        type=Path,
        metavar="PATH",
        help="on a CPU: the folder of a checkout of Label Studio's YOLO example, to compare with",
    )
    parser.add_argument(
        "--example-python",
        type=Path,
        default=Path(sys.executable),
        metavar="PATH",
        help="the interpreter in which its requirements are installed",
    )
    parser.add_argument(
        "--untrained", metavar="NAME", help="on a GPU: a network such as yolo26m, for its speed"
    )
    chosen = parser.parse_args()
    seconds = 5.0 if chosen.quick else 20.0
    if chosen.device == "cuda":
        figures = on_gpu(
            chosen.weights, chosen.untrained, size_px=chosen.size or 512, seconds=seconds
        )
        machine = torch.cuda.get_device_name(0)
    else:
        # Imported here, because a machine that only lends its GPU has no web server.
        from benchmarks.serving_http import on_cpu  # noqa: PLC0415

        figures = on_cpu(
            chosen.weights,
            size_px=chosen.size or 640,
            quick=chosen.quick,
            example=chosen.example,
            example_python=chosen.example_python,
        )
        machine = processor.shown()
    conditions = {
        "device": chosen.device,
        "machine": machine,
        "cores": os.cpu_count(),
        "size_px": chosen.size or (512 if chosen.device == "cuda" else 640),
        "weights": chosen.untrained or chosen.weights.name,
        "torch": torch.__version__,
        "python": platform.python_version(),
        "load_average": os.getloadavg()[0],
        "label_studio_example": "measured" if chosen.example else "not given (--example PATH)",
    }
    if chosen.json:
        result = {
            "name": "serving",
            "quick": chosen.quick,
            "conditions": conditions,
            "figures": figures,
        }
        sys.stdout.write(json.dumps(result) + "\n")
        return
    for name, figure in (conditions | figures).items():
        shown = f"{figure:.3f}" if isinstance(figure, float) else figure
        sys.stdout.write(f"{name:36} {shown}\n")


if __name__ == "__main__":
    main()
