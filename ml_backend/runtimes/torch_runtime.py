"""The network on torch: in half precision on a GPU, in single precision on a CPU."""

import math
from threading import Lock, local
from typing import Any

import torch

from ml_backend.runtimes.network import RawNetwork
from ml_backend.runtimes.raw_output import CANDIDATES_PER_FINDING, Candidates, Frames, select
from ml_backend.runtimes.usable_cores import cores

_GPU_BATCH = 64


class TorchRuntime:
    """Runs a network where it lies.

    Parameters
    ----------
    network : RawNetwork
        The network, on its device.
    is_half : bool
        Whether to compute in half precision; for GPUs.
    """

    def __init__(self, network: RawNetwork, *, is_half: bool) -> None:
        self._device = next(network.parameters()).device
        self._is_gpu = self._device.type == "cuda"
        self._network = network.half() if is_half else network
        if self._is_gpu:
            self._network = self._network.to(memory_format=torch.channels_last)
        self.name = f"torch, {_shown(self._device)}, {'half' if is_half else 'single'} precision"
        self.batch_size = _GPU_BATCH if self._is_gpu else 1
        self.workers = 2 if self._is_gpu else 1
        self._one_at_a_time = Lock()  # on a CPU, two passes would fight for the same cores
        self._thread = local()
        if not self._is_gpu:
            # With all cores, its spinning threads collapse as soon as anything else runs.
            torch.set_num_threads(max(1, cores() - 1))

    def look(self, frames: Frames, least_logit: float) -> Candidates:
        """Run the network, and keep of what it says the places that count.

        Parameters
        ----------
        frames : ndarray of shape (images, height, width)
            Grey frames, uint8.
        least_logit : float
            Places below count for nothing.

        Returns
        -------
        Candidates
            The surest of every finding.
        """
        with torch.inference_mode():
            logits, distances, features = self.forward(frames)
            if self._is_gpu:
                return select_there(logits, distances, features, least_logit=least_logit)
            return select(
                logits.numpy(), distances.numpy(), features.numpy(), least_logit=least_logit
            )

    def forward(self, frames: Frames) -> tuple[torch.Tensor, ...]:
        """Run the network and nothing else; on a GPU it may still run when this returns.

        Parameters
        ----------
        frames : ndarray of shape (images, height, width)
            Grey frames, uint8.

        Returns
        -------
        tuple of tensor
            `OUTPUTS`, on the network's device.
        """
        grey = torch.from_numpy(frames)
        with torch.inference_mode():
            if self._is_gpu:
                self._use_own_stream()
                grey = grey.pin_memory().to(self._device, non_blocking=True)
                return tuple(self._network(grey))
            with self._one_at_a_time:
                return tuple(self._network(grey))

    def _use_own_stream(self) -> None:
        # So that one thread's copies do not wait for another one's forward pass.
        if not hasattr(self._thread, "stream"):
            self._thread.stream = torch.cuda.Stream(self._device)  # type: ignore[no-untyped-call]
        torch.cuda.set_stream(self._thread.stream)


def select_there(
    logits: torch.Tensor, distances: torch.Tensor, features: torch.Tensor, *, least_logit: float
) -> Candidates:
    """Do what `select` does where the tensors lie, so that little has to come back from a GPU.

    Parameters
    ----------
    logits, distances, features : tensor
        As for `select`.
    least_logit : float
        Places below count for nothing.

    Returns
    -------
    Candidates
        The same as from `select`, in another order.
    """
    images, findings, places = logits.shape
    surest = logits.topk(min(CANDIDATES_PER_FINDING, places), dim=2)
    image, finding, rank = (surest.values >= least_logit).nonzero(as_tuple=True)
    place = surest.indices[image, finding, rank]

    def here(tensor: torch.Tensor) -> Any:  # noqa: ANN401 - of whatever numbers
        return tensor.cpu().numpy()

    return Candidates(
        (images, findings),
        here(image),
        here(finding),
        here(place),
        here(logits[image, finding, place]),
        here(distances[image, :, place]),
        here(features),
        is_finite=math.isfinite(float(logits.sum())),
    )


def _shown(device: torch.device) -> str:
    return torch.cuda.get_device_name(device) if device.type == "cuda" else "CPU"
