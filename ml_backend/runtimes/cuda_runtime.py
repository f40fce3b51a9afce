"""The network on an NVIDIA GPU, in half precision: passes are recorded once and replayed."""

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from threading import Lock
from typing import Any

import numpy as np
import torch

from ml_backend.runtimes.network import RawNetwork
from ml_backend.runtimes.raw_output import CANDIDATES_PER_FINDING, Candidates, Frames

BATCHES = (1, 8, 64)
"""A batch is filled up to the next of these sizes: a size never met before costs seconds."""
_MOST_RECORDED = 48
_WARM_UPS = 3


@dataclass(frozen=True, slots=True, eq=False)
class _Pass:
    """A recorded pass: what is put into `frames` comes out of the others at the next replay."""

    graph: Any
    frames: torch.Tensor
    outputs: tuple[torch.Tensor, ...]
    surest: tuple[torch.Tensor, ...]


class CudaRuntime:
    """Runs a network on a GPU.

    Parameters
    ----------
    network : RawNetwork
        The network, on its device.

    Notes
    -----
    To launch the hundreds of small kernels of a pass takes longer than to run them, and the
    GPU's library plans anew for every thread and every shape that it meets, which takes seconds.
    So a pass is recorded (a CUDA graph) for each shape of frames and size of batch, when it is
    first needed, and replayed from then on by whatever thread.
    """

    batch_size = BATCHES[-1]
    workers = 3  # one fills its frames, one has the GPU, one suppresses duplicates

    def __init__(self, network: RawNetwork) -> None:
        self._device = next(network.parameters()).device
        self._network = network.half().to(memory_format=torch.channels_last)
        self.name = f"torch, {torch.cuda.get_device_name(self._device)}, half precision"
        self._stream = torch.cuda.Stream(self._device)  # type: ignore[no-untyped-call]
        self._memory = torch.cuda.graph_pool_handle()
        self._passes: OrderedDict[tuple[int, ...], _Pass] = OrderedDict()
        side_px = network.facts.image_size_px
        self.forward(np.zeros((1, side_px, side_px), np.uint8))  # before anybody waits for it

    def look(self, frames: Frames, least_logit: float) -> Candidates:
        """Run the network, and keep of what it says the places that count.

        Parameters
        ----------
        frames : ndarray of shape (images, height, width)
            Grey frames, uint8; at most `batch_size`.
        least_logit : float
            Places below count for nothing.

        Returns
        -------
        Candidates
            The surest of every finding.
        """
        images = len(frames)
        grey = torch.from_numpy(frames).pin_memory()
        with _ONE_AT_A_TIME, torch.inference_mode(), torch.cuda.stream(self._stream):
            recorded = self._replay(grey)
            return gather(
                [part[:images] for part in recorded.outputs],
                [part[:images] for part in recorded.surest],
                least_logit=least_logit,
            )

    def forward(self, frames: Frames) -> tuple[torch.Tensor, ...]:
        """Run the network and nothing else, and wait for it.

        Parameters
        ----------
        frames : ndarray of shape (images, height, width)
            Grey frames, uint8; at most `batch_size`.

        Returns
        -------
        tuple of tensor
            `OUTPUTS`, on the network's device; the next pass writes over them.
        """
        grey = torch.from_numpy(frames).pin_memory()
        with _ONE_AT_A_TIME, torch.inference_mode(), torch.cuda.stream(self._stream):
            recorded = self._replay(grey)
            self._stream.synchronize()
            return tuple(part[: len(frames)] for part in recorded.outputs)

    def _replay(self, grey: torch.Tensor) -> _Pass:
        images, height_px, width_px = grey.shape
        shape = (next(size for size in BATCHES if size >= images), height_px, width_px)
        if shape not in self._passes:
            if len(self._passes) == _MOST_RECORDED:
                self._passes.popitem(last=False)
            self._passes[shape] = self._record(shape)
        self._passes.move_to_end(shape)
        recorded = self._passes[shape]
        recorded.frames[:images].copy_(grey, non_blocking=True)
        recorded.graph.replay()
        return recorded

    def _record(self, shape: tuple[int, ...]) -> _Pass:
        frames = torch.zeros(shape, dtype=torch.uint8, device=self._device)
        for _ in range(_WARM_UPS):  # plans are made now, because none can be while it records
            self._run(frames)
        self._stream.synchronize()
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(
            graph, pool=self._memory, stream=self._stream, capture_error_mode="thread_local"
        ):
            outputs, surest = self._run(frames)
        return _Pass(graph, frames, outputs, surest)

    def _run(self, frames: torch.Tensor) -> tuple[tuple[torch.Tensor, ...], ...]:
        outputs = tuple(self._network(frames))
        return outputs, surest(outputs[0])


_ONE_AT_A_TIME = Lock()
"""Passes of all models of the process: nothing else may run on the GPU while one is recorded."""


def surest(logits: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the places of every finding that may count, where the tensors lie.

    Parameters
    ----------
    logits : tensor of shape (images, findings, places)
        Before the sigmoid.

    Returns
    -------
    values : tensor of shape (images, findings, at most `CANDIDATES_PER_FINDING`)
        The largest logits.
    places : tensor of the same shape
        Where they are.
    """
    found = logits.topk(min(CANDIDATES_PER_FINDING, logits.shape[2]), dim=2)
    return found.values, found.indices


def gather(
    outputs: Sequence[torch.Tensor], found: Sequence[torch.Tensor], *, least_logit: float
) -> Candidates:
    """Do what `select` does where the tensors lie, so that little has to come back from a GPU.

    Parameters
    ----------
    outputs : sequence of tensor
        Logits, distances and features, as for `select`.
    found : sequence of tensor
        From `surest`, of these logits.
    least_logit : float
        Places below count for nothing.

    Returns
    -------
    Candidates
        The same as from `select`, in another order.
    """
    logits, distances, features = outputs
    values, places = found
    image, finding, rank = (values >= least_logit).nonzero(as_tuple=True)
    place = places[image, finding, rank]
    is_finite = logits.sum().isfinite()

    def here(tensor: torch.Tensor) -> Any:  # noqa: ANN401 - of whatever numbers
        return tensor.cpu().numpy()

    return Candidates(
        (logits.shape[0], logits.shape[1]),
        here(image),
        here(finding),
        here(place),
        here(values[image, finding, rank]),
        here(distances[image, :, place]),
        here(features),
        is_finite=bool(is_finite),
    )
