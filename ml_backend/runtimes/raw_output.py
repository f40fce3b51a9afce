"""What a network says of a batch of frames, and the runtimes that make it say so."""

import math
from dataclasses import dataclass
from typing import Protocol, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray

Frames: TypeAlias = NDArray[np.uint8]
"""Grey frames of one size, shape (images, height, width)."""


@dataclass(frozen=True, slots=True, eq=False)
class RawOutput:
    """The numbers of one forward pass, in single precision.

    Attributes
    ----------
    logits : tensor of shape (images, findings, places)
        Before the sigmoid.
    distances : tensor of shape (images, 4 * bins, places), [stride]
        From a place to the four edges; with several bins, logits of a distribution over them.
    features : tensor of shape (images, f)
        Mean and maximum of every channel of the neck.
    """

    logits: torch.Tensor
    distances: torch.Tensor
    features: torch.Tensor

    def is_finite(self) -> bool:
        """Return whether every score can be trusted to be a number.

        Returns
        -------
        bool
            False as soon as one is not.
        """
        logits = self.logits
        # numpy, because torch would wake threads that spin on the cores the network runs on.
        total = logits.numpy().sum() if logits.device.type == "cpu" else logits.sum()
        return math.isfinite(float(total))


class Runtime(Protocol):
    """Runs one network; safe to call from several threads."""

    @property
    def name(self) -> str:
        """What runs, on what, how precisely: for people."""
        ...

    @property
    def batch_size(self) -> int:
        """How many frames are worth one pass."""
        ...

    @property
    def workers(self) -> int:
        """How many threads keep the device busy."""
        ...

    def forward(self, frames: Frames) -> RawOutput:
        """Run the network.

        Parameters
        ----------
        frames : ndarray of shape (images, height, width)
            Grey frames, uint8; both sides multiples of the largest stride.

        Returns
        -------
        RawOutput
            What it says.
        """
        ...
