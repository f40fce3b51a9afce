"""The network on torch: in half precision on a GPU, in single precision on a CPU."""

import os
from threading import Lock, local

import torch

from ml_backend.runtimes.network import RawNetwork
from ml_backend.runtimes.raw_output import Frames, RawOutput

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
            torch.set_num_threads(max(1, (os.cpu_count() or 2) - 1))

    def forward(self, frames: Frames) -> RawOutput:
        """Run the network.

        Parameters
        ----------
        frames : ndarray of shape (images, height, width)
            Grey frames, uint8.

        Returns
        -------
        RawOutput
            On the network's device.
        """
        grey = torch.from_numpy(frames)
        with torch.inference_mode():
            if self._is_gpu:
                self._use_own_stream()
                grey = grey.pin_memory().to(self._device, non_blocking=True)
                return RawOutput(*self._network(grey))
            with self._one_at_a_time:
                return RawOutput(*self._network(grey))

    def _use_own_stream(self) -> None:
        # So that one thread's suppression does not wait for another one's forward pass.
        if not hasattr(self._thread, "stream"):
            self._thread.stream = torch.cuda.Stream(self._device)  # type: ignore[no-untyped-call]
        torch.cuda.set_stream(self._thread.stream)


def choose_device(wanted: str) -> torch.device:
    """Return the device to run on.

    Parameters
    ----------
    wanted : str
        "auto", "cpu", a CUDA index, or several as in "0,1", of which the first serves.

    Returns
    -------
    torch.device
        With "auto" the first GPU when there is one.
    """
    wanted = wanted.split(",", maxsplit=1)[0].strip()
    if wanted == "auto":
        return torch.device("cuda:0" if torch.cuda.is_available() else "cpu")
    return torch.device(f"cuda:{wanted}" if wanted.isdigit() else wanted)


def _shown(device: torch.device) -> str:
    return torch.cuda.get_device_name(device) if device.type == "cuda" else "CPU"
