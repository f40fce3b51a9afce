"""Fine-tune a detector on a dataset folder."""

import json
import math
import shutil
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from ml_backend.runtimes.device import choose_device
from ml_backend.training.weights import BaseWeightsMissingError
from ml_backend.ultralytics_settings import import_part

_AUGMENTATION: Mapping[str, float] = {
    # The detector has to bear another build, position and collimation; up is always up, and a
    # grey image has no hue. Left and right are swapped because no finding names a side, and
    # the mirrored heart costs less than twice the lungs to learn from brings.
    "fliplr": 0.5,
    "flipud": 0.0,
    "degrees": 4.0,
    "translate": 0.05,
    "scale": 0.15,
    "shear": 0.0,
    "perspective": 0.0,
    "hsv_h": 0.0,
    "hsv_s": 0.0,
    "hsv_v": 0.0,
    "bgr": 0.0,
    # Where something lies in the thorax is half of what it is: no collages of several thoraces.
    "mosaic": 0.0,
    "mixup": 0.0,
    "cutmix": 0.0,
    "copy_paste": 0.0,
    "close_mosaic": 0,
}


_BOXES_TO_CHOOSE_BY = 100


@dataclass(frozen=True, slots=True)
class Recipe:
    """Everything that decides what a training yields.

    Attributes
    ----------
    epochs : int
        Passes through the training list.
    image_size_px : int, [px]
        Length of an image's longer side; a multiple of 32.
    batch : int
        Images per step.
    seed : int
        Of order, augmentation and new layers.
    learning_rate : float
        Highest learning rate of AdamW; falls along a cosine to a hundredth.
    """

    epochs: int
    image_size_px: int
    batch: int
    seed: int
    learning_rate: float = 1e-3


def fit(
    folder: Path,
    base_weights: Path,
    recipe: Recipe,
    *,
    device: str = "auto",
    on_epoch: Callable[[int, int, dict[str, float]], None] = lambda *_: None,
) -> Path:
    """Fine-tune base weights on a dataset folder.

    May be killed at any moment: called again with the same folder, weights and recipe it goes
    on after the last finished epoch, and returns at once when it was through.

    Parameters
    ----------
    folder : Path
        A dataset folder.
    base_weights : Path
        Checkpoint to start from.
    recipe : Recipe
        How to train.
    device : str
        "auto" for the first GPU or else the CPU, "cpu", or a CUDA index.
    on_epoch : callable
        Called after every epoch with its number from 1, the number of epochs, and by name the
        losses and, where epochs are chosen by them, the validation figures.

    Returns
    -------
    Path
        The weights of the last epoch; those of the epoch that did best on the validation split
        when it holds at least 100 boxes. With fewer, chance decides which epoch looks best, and
        it is often one of the first.

    Raises
    ------
    BaseWeightsMissingError
        If `base_weights` is no file.
    """
    if not base_weights.is_file():
        raise BaseWeightsMissingError(f"{base_weights} is no file; give a checkpoint of YOLO")
    run = folder / "run"
    chosen, checkpoint = run / "chosen.pt", run / "resume.pt"
    key = {**asdict(recipe), "base_weights": str(base_weights.absolute())}
    if not _is_kept_run_of(run, key):
        _start_run(run, key)
    if (run / "finished").exists():
        return chosen

    where = torch.device(choose_device(device))
    trainer = _trainer(folder, base_weights, recipe, where, checkpoint)
    _report_progress(trainer, on_epoch)
    trainer.add_callback("on_model_save", lambda at: _keep(at, chosen, checkpoint))
    trainer.train()
    return chosen


def _trainer(
    folder: Path, base_weights: Path, recipe: Recipe, device: torch.device, checkpoint: Path
) -> Any:  # noqa: ANN401 - ultralytics ships no types
    arguments = {
        "task": "detect",
        "mode": "train",
        "model": str(base_weights),
        "data": str(folder / "data.yaml"),
        "project": str(folder.absolute()),
        "name": "run",
        "exist_ok": True,
        "epochs": recipe.epochs,
        "patience": recipe.epochs,
        "imgsz": recipe.image_size_px,
        "batch": recipe.batch,
        "nbs": recipe.batch,  # one step per batch, however small the data set is
        "seed": recipe.seed,
        "deterministic": True,
        "optimizer": "AdamW",  # "auto" changes optimiser and rate as the data set grows
        "lr0": recipe.learning_rate,
        "lrf": 0.01,
        "cos_lr": True,
        "momentum": 0.9,
        "warmup_epochs": min(3.0, recipe.epochs / 10),
        "warmup_bias_lr": 0.0,
        "amp": _precision(device),
        "device": "cpu" if device.type == "cpu" else str(device.index or 0),
        "workers": 0 if device.type == "cpu" else 8,
        "val": _validation_boxes(folder) >= _BOXES_TO_CHOOSE_BY,
        "conf": 0.01,  # keeps validation of a young detector out of the suppression's time limit
        "iou": 0.5,
        "max_det": 100,
        "plots": False,
        "verbose": False,
        **_AUGMENTATION,
    }
    if checkpoint.exists():
        arguments |= {"model": str(checkpoint), "resume": str(checkpoint)}
    return import_part("models.yolo.detect").DetectionTrainer(overrides=arguments)


def _precision(device: torch.device) -> str | bool:
    # "True" would fetch a further model from the network to try half precision with.
    if device.type != "cuda":
        return False
    return "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else False


def _report_progress(
    trainer: Any,  # noqa: ANN401 - ultralytics ships no types
    on_epoch: Callable[[int, int, dict[str, float]], None],
) -> None:
    def report(at: Any) -> None:  # noqa: ANN401 - ultralytics ships no types
        if at.epoch >= at.epochs:  # the closing validation is announced as one more epoch
            return
        measured = at.metrics if at.args.val else {}  # zeros until the first validation
        figures = {**at.tloss, **measured}
        numbers = {name: float(value) for name, value in figures.items()}
        finite = {name: value for name, value in numbers.items() if math.isfinite(value)}
        on_epoch(at.epoch + 1, at.epochs, finite)

    trainer.add_callback("on_fit_epoch_end", report)


def _is_kept_run_of(run: Path, key: Mapping[str, object]) -> bool:
    kept = run / "recipe.json"
    return kept.exists() and json.loads(kept.read_text()) == key


def _start_run(run: Path, key: Mapping[str, object]) -> None:
    shutil.rmtree(run, ignore_errors=True)
    run.mkdir()
    draft = run / "recipe.partial"
    draft.write_text(json.dumps(key))
    draft.rename(run / "recipe.json")


def _keep(trainer: Any, chosen: Path, checkpoint: Path) -> None:  # noqa: ANN401 - no types
    # ultralytics writes its files in place; copies that are renamed survive being killed.
    if not trainer.args.val or trainer.best_fitness == trainer.fitness:
        _copy(trainer.last, chosen)
    _copy(trainer.last, checkpoint)
    if trainer.epoch + 1 >= trainer.epochs:
        (chosen.parent / "finished").touch()


def _copy(source: Path, target: Path) -> None:
    partial = target.with_suffix(".partial")
    shutil.copyfile(source, partial)
    partial.replace(target)


def _validation_boxes(folder: Path) -> int:
    names = (Path(line).stem for line in (folder / "val.txt").read_text().splitlines())
    return sum(len((folder / "labels" / f"{name}.txt").read_text().splitlines()) for name in names)
