"""What the queue saves: radiologists' minutes to a given detector, replayed on phantoms.

Every method starts from the same images, chooses the next ones by what a detector trained so far
says, and is told what is on them; the detector is then trained anew. Layouts come from
VinBigData's table (--labels, --sizes) or, without it, from the project's own sampler. On a
processor without --device cuda the replay is tiny and shows a direction only.
"""

import argparse
import json
import os
import sys
import time
from dataclasses import asdict, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from benchmarks.active_learning import report
from benchmarks.active_learning.protocol import PROTOCOLS, Conditions
from benchmarks.active_learning.replay import METHODS
from benchmarks.active_learning.seeds import Study, replay_seeds
from benchmarks.phantom import Layouts, render_all, sampled
from benchmarks.phantom.tables import read_layouts

QUICK_METHODS = METHODS[:4]
LAYOUT_SEED = 20261127
"""Of the sampled layouts and of the pictures, the same for every seed of the replay."""


def prepare(layouts: Layouts, conditions: Conditions, folder: Path, processes: int) -> None:
    """Draw the radiographs and leave them where every process finds them; once per folder."""
    if (folder / "layouts.npz").exists():
        return
    phantoms = render_all(layouts, conditions.size, seed=LAYOUT_SEED, processes=processes)
    np.save(folder / "pixels.npy", phantoms.pixels)
    columns = asdict(layouts) | {"boxes_px": phantoms.boxes}
    np.savez(folder / "layouts.npz", **columns)


def chosen_conditions(chosen: argparse.Namespace) -> Conditions:
    """Return the conditions that the command line asks for."""
    usual = "quick" if chosen.quick else "tiny" if chosen.device == "cpu" else "full"
    conditions = PROTOCOLS[chosen.protocol or usual]
    recipe = conditions.recipe
    if chosen.iterations:
        recipe = replace(recipe, iterations=chosen.iterations)
    if chosen.width:
        recipe = replace(recipe, width=chosen.width)
    return replace(
        conditions,
        recipe=recipe,
        size=chosen.size or conditions.size,
        rounds=chosen.rounds or conditions.rounds,
    )


def arguments() -> argparse.ArgumentParser:
    """Return what can be asked for."""
    parser = argparse.ArgumentParser(
        prog="benchmarks.active_learning", description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    parser.add_argument("--quick", action="store_true", help="one seed, one small round")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--device", default="cpu", help="cpu or cuda")
    parser.add_argument(
        "--protocol", choices=PROTOCOLS, help="default: tiny, on a GPU full, with --quick quick"
    )
    parser.add_argument("--labels", type=Path, help="VinBigData's train.csv, plain or gzipped")
    parser.add_argument("--sizes", type=Path, help="image_id, height, width; default: beside it")
    parser.add_argument("--seeds", type=int, nargs="+", help="default: 0 1; on a GPU 0 to 5")
    parser.add_argument(
        "--methods", nargs="+", choices=METHODS, help="default: all; with --quick four"
    )
    parser.add_argument(
        "--processes", type=int, help="seeds at a time; default: one per core, on a GPU one"
    )
    parser.add_argument("--renderers", type=int, default=1, help="processes that draw")
    parser.add_argument("--minutes", type=float, default=600.0, help="start no replay after it")
    parser.add_argument(
        "--folder", type=Path, help="keeps pictures and replays; what is there is not done again"
    )
    parser.add_argument("--curves", type=Path, help="picture of the curves, a PNG")
    parser.add_argument("--report-only", action="store_true", help="of a file of replays")
    for name in ("iterations", "width", "size", "rounds"):
        parser.add_argument(f"--{name}", type=int, help="instead of the usual")
    return parser


def main() -> None:
    """Replay, print a table or JSON."""
    started = time.monotonic()
    parser = arguments()
    chosen = parser.parse_args()
    conditions = chosen_conditions(chosen)
    seeds = chosen.seeds or (
        [0] if chosen.quick else [0, 1] if chosen.device == "cpu" else [*range(6)]
    )
    with TemporaryDirectory() as temporary:
        folder = chosen.folder or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        study = Study(
            conditions, tuple(chosen.methods or (QUICK_METHODS if chosen.quick else METHODS)),
            chosen.device, folder,
            started + 60 * chosen.minutes,
        )  # fmt: skip
        if not chosen.report_only:
            prepare(layouts_of(chosen, conditions), conditions, folder, chosen.renderers)
            sys.stderr.write(f"radiographs after {time.monotonic() - started:.1f} s\n")
            at_a_time = (os.cpu_count() or 1) if chosen.device == "cpu" else 1
            replay_seeds(seeds, study, chosen.processes or min(at_a_time, len(seeds)))
        replays = report.read(study.replays)
    if not replays:
        parser.exit(1, f"no replay has been finished in {folder}\n")
    result = report.result(
        replays,
        quick=chosen.quick,
        conditions={
            **asdict(conditions),
            "layouts": "VinBigData, 15,000 images" if chosen.labels else "sampled",
            "device": report.device_name(chosen.device),
        },
    )
    if chosen.curves:
        report.draw(replays, chosen.curves)
    sys.stdout.write(json.dumps(result) + "\n" if chosen.json else report.table(result))


def layouts_of(chosen: argparse.Namespace, conditions: Conditions) -> Layouts:
    """Return where findings are: from the table, or sampled."""
    if chosen.labels:
        return read_layouts(chosen.labels, chosen.sizes)
    return sampled(np.random.default_rng(LAYOUT_SEED), conditions.images)


if __name__ == "__main__":
    main()
