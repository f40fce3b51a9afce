"""How a detector is trained: everything that decides what comes out."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

ConsensusWeights = Literal["soft", "earl", "off"]

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
    "mixup": 0.0,
    "cutmix": 0.0,
    "copy_paste": 0.0,
}


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
        Images per step. Where memory does not suffice, fewer are computed at a time and the
        step is taken after as many.
    seed : int
        Of order, augmentation and new layers.
    learning_rate : float
        Highest learning rate of AdamW; falls along a cosine to a hundredth.
    patience : int
        Training ends after so many epochs without a better validation; 0 for never.
    consensus_weights : str
        What the probability q that a box is real does to the loss: "soft" asks for class scores
        of t·q, "earl" multiplies the box's losses by q, "off" takes every box for certain.
    mosaic : float
        Share of the training images that are shown as collages of four, in [0, 1], but in the
        last sixth of the epochs. None, since where something lies in the thorax is half of what
        it is; the benchmark `detection` can tell for a user's data.
    """

    epochs: int
    image_size_px: int
    batch: int
    seed: int
    learning_rate: float = 1e-3
    patience: int = 20
    consensus_weights: ConsensusWeights = "soft"
    mosaic: float = 0.0

    def arguments(self, *, chooses_epoch: bool) -> dict[str, object]:
        """Return the recipe in ultralytics' words; nothing is left to its defaults that matters.

        Parameters
        ----------
        chooses_epoch : bool
            Whether the validation split is large enough to choose an epoch by.

        Returns
        -------
        dict of str to object
            Arguments of a trainer.
        """
        return {
            "epochs": self.epochs,
            "patience": self.patience if chooses_epoch else 0,
            "imgsz": self.image_size_px,
            "batch": self.batch,
            "nbs": self.batch,  # one step per batch, however small the data set is
            "seed": self.seed,
            "deterministic": True,
            "optimizer": "AdamW",  # "auto" changes optimiser and rate as the data set grows
            "lr0": self.learning_rate,
            "lrf": 0.01,
            "cos_lr": True,
            "momentum": 0.9,
            "weight_decay": 0.0005,
            "warmup_epochs": min(3.0, self.epochs / 10),
            "warmup_bias_lr": 0.0,
            "val": chooses_epoch,
            "conf": 0.01,  # keeps validation of a young detector out of suppression's time limit
            "iou": 0.5,
            "max_det": 100,
            "mosaic": self.mosaic,
            "close_mosaic": self.epochs // 6 if self.mosaic else 0,
            **_AUGMENTATION,
        }
