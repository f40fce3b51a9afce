"""A detector's network without its own pre- and post-processing: grey frames in, raw numbers out.

What goes in is what `letterbox` makes, bytes; scaling to [0, 1] is part of the network. So there
is one preprocessing, whatever runtime the network runs on.
"""

from pathlib import Path
from typing import Any

import torch
from torch import nn
from typing_extensions import override

from ml_backend.runtimes.network_facts import NetworkFacts, UnusableWeightsError
from ml_backend.ultralytics_settings import import_part


class RawNetwork(nn.Module):
    """A YOLO network of any family that says everything it knows in one pass.

    Parameters
    ----------
    network : torch.nn.Module
        A detection model of ultralytics, fused.
    image_size_px : int, [px]
        Length of an image's longer side in training.
    """

    def __init__(self, network: Any, image_size_px: int) -> None:  # noqa: ANN401 - no types
        super().__init__()
        self.layers = network.model
        self.facts = NetworkFacts(
            titles=[network.names[key] for key in sorted(network.names)],
            strides=[int(stride) for stride in self.head.stride],
            image_size_px=image_size_px,
        )
        self._kept = set(network.save)
        _take_grey(self.layers[0].conv)

    @property
    def head(self) -> Any:  # noqa: ANN401 - ultralytics ships no types
        """The detection head."""
        return self.layers[-1]

    @override
    def forward(self, grey: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Run the network.

        Parameters
        ----------
        grey : tensor of shape (images, height, width)
            Grey values, uint8.

        Returns
        -------
        logits : tensor of shape (images, findings, places)
            Before the sigmoid.
        distances : tensor of shape (images, 4 * bins, places)
            From a place to the four edges, in strides; logits of bins where there are several.
        features : tensor of shape (images, f)
            Mean and maximum of every channel of the neck.
        """
        x: Any = grey.unsqueeze(1).to(self.layers[0].conv.weight.dtype)
        outputs: list[Any] = []
        for layer in self.layers[:-1]:
            if isinstance(layer.f, list):
                x = [x if index == -1 else outputs[index] for index in layer.f]
            elif layer.f != -1:
                x = outputs[layer.f]
            x = layer(x)
            outputs.append(x if layer.i in self._kept else None)
        neck = [outputs[index] for index in self.head.f]
        raw = self.head.forward_head(neck, **self.head.one2many)
        pooled = [part.mean((2, 3)) for part in neck] + [part.amax((2, 3)) for part in neck]
        return raw["scores"].float(), raw["boxes"].float(), torch.cat(pooled, 1).float()


def load_network(weights: Path, device: str) -> RawNetwork:
    """Load a checkpoint written by ultralytics.

    Parameters
    ----------
    weights : Path
        The file; nothing that it brings is executed.
    device : str
        Where to, by torch's name.

    Returns
    -------
    RawNetwork
        In single precision, ready to run.

    Raises
    ------
    UnusableWeightsError
        If the file is no such checkpoint, or has no head that scores every place.
    """
    tasks = import_part("nn.tasks")
    try:
        network, checkpoint = tasks.load_checkpoint(str(weights), device=torch.device(device))
    except (TypeError, FileNotFoundError) as problem:
        raise UnusableWeightsError(f"{weights} is no ultralytics checkpoint") from problem
    head = network.model[-1]
    head.end2end = False  # YOLO26: score every place, as the other families do
    if head.end2end:
        raise UnusableWeightsError(
            f"{weights} was fused for NMS-free output and scores no places; "
            "give the checkpoint that training wrote"
        )
    network.fuse()
    size_px = int(checkpoint.get("train_args", {}).get("imgsz", 640))
    return RawNetwork(network.float(), size_px).to(device).eval()


def _take_grey(first: nn.Conv2d) -> None:
    # Three equal channels into a convolution are one channel into the sum of its weights.
    weight = first.weight.detach().sum(1, keepdim=True) / 255
    first.weight = nn.Parameter(weight, requires_grad=False)
    first.in_channels = 1
