"""Trainers that take the weight of every box from the dataset folder."""

import json
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from typing_extensions import override

from ml_backend.training.consensus_loss import (
    WEIGHTS,
    EarlLoss,
    SoftTargetLoss,
    weighted_criterion,
)
from ml_backend.training.dataset_folder import BOX_WEIGHTS
from ml_backend.ultralytics_settings import import_part

_StockFormat: Any = import_part("data.augment").Format
_StockDataset: Any = import_part("data.dataset").YOLODataset
_StockTrainer: Any = import_part("models.yolo.detect").DetectionTrainer
_unwrap = import_part("utils.torch_utils").unwrap_model


class LostLabelsError(RuntimeError):
    """Not the boxes that were written are those that ultralytics read."""


class _TwoColumns(_StockFormat):  # type: ignore[misc] # ultralytics ships no types
    """Keeps the column of weights where an image has no box."""

    @override
    def apply_instances(self, labels: dict[str, Any], params: Any = None) -> dict[str, Any]:
        done: dict[str, Any] = super().apply_instances(labels, params)
        if not len(done["cls"]):
            done["cls"] = torch.zeros(0, 2)
        return done


class WeightedDataset(_StockDataset):  # type: ignore[misc] # ultralytics ships no types
    """A training list whose boxes carry weights, in a second column beside their class.

    ultralytics moves, cuts and drops boxes together with the whole row of their class, so the
    weights stay with their boxes through every augmentation of the recipe.
    """

    format_class = _TwoColumns

    @override
    def get_labels(self) -> list[dict[str, Any]]:
        labels: list[dict[str, Any]] = super().get_labels()
        listed = Path(self.data["train"]).read_text().splitlines()
        if len(labels) != len(listed):
            raise LostLabelsError(
                f"ultralytics reads {len(labels)} of {len(listed)} lines of the training list; "
                "delete the dataset folder and train again"
            )
        weights = json.loads((Path(self.data["path"]) / BOX_WEIGHTS).read_text())
        for label in labels:
            own = weights[Path(label["im_file"]).stem]
            if len(own) != len(label["cls"]):
                raise LostLabelsError(
                    f"{label['im_file']} has {len(own)} boxes, of which ultralytics reads "
                    f"{len(label['cls'])}; delete the dataset folder and train again"
                )
            column = np.asarray(own, dtype=np.float32).reshape(-1, 1)
            label["cls"] = np.hstack([label["cls"][:, :1], column])
        return labels


class SoftTargetTrainer(_StockTrainer):  # type: ignore[misc] # ultralytics ships no types
    """Trains with soft class targets."""

    loss_class: ClassVar[type[SoftTargetLoss]] = SoftTargetLoss

    @override
    def build_dataset(self, img_path: str, mode: str = "train", batch: int | None = None) -> Any:
        if mode != "train":
            return super().build_dataset(img_path, mode, batch)
        stride = max(int(_unwrap(self.model).stride.max()), 32)
        return WeightedDataset(
            img_path=img_path,
            imgsz=self.args.imgsz,
            batch_size=batch,
            augment=True,
            hyp=self.args,
            rect=self.args.rect,
            cache=self.args.cache or None,
            stride=stride,
            prefix=f"{mode}: ",
            task=self.args.task,
            data=self.data,
        )

    @override
    def preprocess_batch(self, batch: dict[str, Any]) -> dict[str, Any]:
        done: dict[str, Any] = super().preprocess_batch(batch)
        if done["cls"].shape[-1] == 2:  # validation has no weights
            done["cls"], done[WEIGHTS] = done["cls"][:, :1], done["cls"][:, 1]
        return done

    @override
    def get_class_counts(self) -> Any:
        classes = np.concatenate([each["cls"][:, 0] for each in self.train_loader.dataset.labels])
        return np.bincount(classes.astype(int), minlength=self.data["nc"]).astype(np.float32)

    @override
    def _setup_train(self) -> None:
        super()._setup_train()
        network = _unwrap(self.model)
        network.criterion = weighted_criterion(network, self.loss_class)
        if self.start_epoch and hasattr(network.criterion, "update"):  # a resumed end-to-end head
            network.criterion.updates = self.start_epoch - 1
            network.criterion.update()


class EarlTrainer(SoftTargetTrainer):
    """Trains with weighted losses."""

    loss_class = EarlLoss
