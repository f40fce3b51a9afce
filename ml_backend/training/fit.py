"""Fine-tune a detector on a dataset folder."""

import gc
import json
import math
import shutil
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch

from backend.workflow.chain_step import StoppedError
from ml_backend.live_model import sha256_of
from ml_backend.training.devices import TrainingDevices, training_devices
from ml_backend.training.epochs import EpochFigures, keep_epoch, kept_epochs, watch_epochs
from ml_backend.training.recipe import Recipe
from ml_backend.training.weights import BaseWeightsMissingError
from ml_backend.ultralytics_settings import import_part

_BOXES_TO_CHOOSE_BY = 100

OnEpoch = Callable[[int, int, EpochFigures], None]


class NotEnoughMemoryError(RuntimeError):
    """Not even one image at a time fits into memory."""


@dataclass(frozen=True, slots=True)
class Fitted:
    """What came of a training.

    Attributes
    ----------
    weights : Path
        The weights of the last epoch; those of the epoch that did best on the validation split
        when it holds at least 100 boxes. With fewer, chance decides which epoch looks best, and
        it is often one of the first.
    batch : int
        How many images were computed at a time: the recipe's, or fewer where memory was short.
    epochs : tuple of mapping
        By epoch from the first: its number, losses, learning rates and, where epochs are chosen
        by them, validation figures.
    """

    weights: Path
    batch: int
    epochs: tuple[EpochFigures, ...]


def fit(
    folder: Path,
    base_weights: Path,
    recipe: Recipe,
    *,
    device: str = "auto",
    on_epoch: OnEpoch = lambda *_: None,
    should_stop: Callable[[], bool] = lambda: False,
) -> Fitted:
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
        "auto" for the first GPU or else the CPU, "cpu", a CUDA index, or several as in "0,1".
    on_epoch : callable
        Called after every epoch with its number from 1, the number of epochs, and its figures.
    should_stop : callable
        Asked after every epoch, or every second when several GPUs train; called again later,
        training goes on after its last epoch.

    Returns
    -------
    Fitted
        The weights, and how it went.

    Raises
    ------
    BaseWeightsMissingError
        If `base_weights` is no file.
    StoppedError
        If it was asked to stop.
    NotEnoughMemoryError
        If memory does not suffice, however few images are computed at a time.
    """
    if not base_weights.is_file():
        raise BaseWeightsMissingError(f"{base_weights} is no file; give a checkpoint of YOLO")
    run = folder / "run"
    key = {**asdict(recipe), "base_weights": sha256_of(base_weights)}
    if not _is_kept_run_of(run, key):
        _start_run(run, key)
    devices, batch = training_devices(device), recipe.batch
    while not (run / "finished.json").exists():
        trainer = _trainer(folder, base_weights, recipe, devices, batch)
        trainer.add_callback("on_model_save", partial(_keep, run=run))
        try:
            _train(trainer, run, recipe, devices, on_epoch, should_stop)
        except RuntimeError as error:
            if not _is_out_of_memory(error):
                raise
            batch = _smaller(min(batch, int(trainer.batch_size)), devices, recipe)
            del trainer, error
            _free_memory()
            continue
        if not (run / "finished.json").exists():
            raise StoppedError("training was asked to stop; it goes on after its last epoch")
    finished = json.loads((run / "finished.json").read_text())
    return Fitted(run / "chosen.pt", finished["batch"], kept_epochs(run))


def forget_run(folder: Path) -> None:
    """Let the next `fit` on a dataset folder begin with its first epoch.

    Parameters
    ----------
    folder : Path
        The dataset folder; it may be missing.
    """
    shutil.rmtree(folder / "run", ignore_errors=True)


def _trainer(
    folder: Path, base_weights: Path, recipe: Recipe, devices: TrainingDevices, batch: int
) -> Any:  # noqa: ANN401 - ultralytics ships no types
    run = folder / "run"
    checkpoint = run / "resume.pt"
    arguments = {
        "task": "detect",
        "mode": "train",
        "model": str(base_weights),
        "data": str(folder / "data.yaml"),
        "project": str(run.absolute()),
        "name": "ultralytics",  # its own folder: training on several GPUs deletes it first
        "exist_ok": True,
        "plots": False,
        "verbose": False,
        **recipe.arguments(chooses_epoch=_validation_boxes(folder) >= _BOXES_TO_CHOOSE_BY),
        **devices.arguments(),
        "batch": batch,
    }
    if checkpoint.exists():
        arguments |= {"model": str(checkpoint), "resume": str(checkpoint)}
    return _trainer_class(recipe)(overrides=arguments)


def _trainer_class(recipe: Recipe) -> Any:  # noqa: ANN401 - ultralytics ships no types
    if recipe.consensus_weights == "off":
        return import_part("models.yolo.detect").DetectionTrainer
    # Imported here, because it derives from classes of ultralytics, which takes seconds.
    from ml_backend.training import weighted_trainer  # noqa: PLC0415

    if recipe.consensus_weights == "earl":
        return weighted_trainer.EarlTrainer
    return weighted_trainer.SoftTargetTrainer


def _train(
    trainer: Any,  # noqa: ANN401 - ultralytics ships no types
    run: Path,
    recipe: Recipe,
    devices: TrainingDevices,
    on_epoch: OnEpoch,
    should_stop: Callable[[], bool],
) -> None:
    if devices.are_several:
        # Epochs end in other processes: their figures, and the wish to stop, are files.
        asked = run / "stop"
        asked.unlink(missing_ok=True)
        watching: AbstractContextManager[None] = watch_epochs(
            run,
            lambda figures: _report(figures, recipe.epochs, on_epoch),
            on_look=lambda: asked.touch() if should_stop() else None,
        )
        is_asked = asked.exists
    else:
        watching, is_asked = nullcontext(), should_stop
        trainer.add_callback(
            "on_fit_epoch_end", lambda at: _report_last(at, run, recipe.epochs, on_epoch)
        )
    trainer.add_callback("on_fit_epoch_end", partial(_stop_if_asked, should_stop=is_asked))
    with watching:
        trainer.train()


def _report_last(
    trainer: Any,  # noqa: ANN401 - ultralytics ships no types
    run: Path,
    epochs: int,
    on_epoch: OnEpoch,
) -> None:
    kept = kept_epochs(run)
    # The closing validation is announced as one more epoch, which is not kept.
    if kept and kept[-1]["epoch"] == trainer.epoch + 1:
        _report(kept[-1], epochs, on_epoch)


def _stop_if_asked(trainer: Any, should_stop: Callable[[], bool]) -> None:  # noqa: ANN401 - no types
    if trainer.epoch + 1 < trainer.epochs and should_stop():
        trainer.stop = True


def _report(figures: EpochFigures, epochs: int, on_epoch: OnEpoch) -> None:
    on_epoch(int(figures["epoch"]), epochs, figures)


def _is_out_of_memory(error: RuntimeError) -> bool:
    return isinstance(error, torch.OutOfMemoryError) or "out of memory" in str(error).lower()


def _smaller(batch: int, devices: TrainingDevices, recipe: Recipe) -> int:
    if batch <= devices.number:
        raise NotEnoughMemoryError(
            f"training at {recipe.image_size_px} px runs out of memory with a single image at a "
            "time; set OVERREAD_TRAIN_IMAGE_SIZE_PX lower, or train on another device"
        )
    return max(batch // 2, devices.number)


def _free_memory() -> None:
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def _is_kept_run_of(run: Path, key: Mapping[str, object]) -> bool:
    kept = run / "recipe.json"
    return kept.exists() and json.loads(kept.read_text()) == key


def _start_run(run: Path, key: Mapping[str, object]) -> None:
    shutil.rmtree(run, ignore_errors=True)
    run.mkdir()
    draft = run / "recipe.partial"
    draft.write_text(json.dumps(key))
    draft.rename(run / "recipe.json")


def _keep(trainer: Any, *, run: Path) -> None:  # noqa: ANN401 - ultralytics ships no types
    """Keep figures and weights of an epoch, each whole or not at all."""
    # ultralytics writes its files in place; copies that are renamed survive being killed.
    keep_epoch(run, trainer.epoch + 1, _figures(trainer))
    if not trainer.args.val or trainer.best_fitness == trainer.fitness:
        _copy(trainer.last, run / "chosen.pt")
    _copy(trainer.last, run / "resume.pt")
    if trainer.stop or trainer.epoch + 1 >= trainer.epochs:
        draft = run / "finished.partial"
        draft.write_text(json.dumps({"batch": int(trainer.batch_size)}))
        draft.replace(run / "finished.json")


def _figures(trainer: Any) -> dict[str, float]:  # noqa: ANN401 - ultralytics ships no types
    measured = trainer.metrics if trainer.args.val else {}  # zeros until the first validation
    numbers = {
        name: float(value) for name, value in {**trainer.tloss, **measured, **trainer.lr}.items()
    }
    return {name: value for name, value in numbers.items() if math.isfinite(value)}


def _copy(source: Path, target: Path) -> None:
    partial_copy = target.with_suffix(".partial")
    shutil.copyfile(source, partial_copy)
    partial_copy.replace(target)


def _validation_boxes(folder: Path) -> int:
    names = (Path(line).stem for line in (folder / "val.txt").read_text().splitlines())
    return sum(len((folder / "labels" / f"{name}.txt").read_text().splitlines()) for name in names)
