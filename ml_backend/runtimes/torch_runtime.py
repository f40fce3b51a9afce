"""The network on torch, on a CPU in single precision."""

from threading import Lock

import torch

from ml_backend.runtimes.network import RawNetwork
from ml_backend.runtimes.raw_output import Candidates, Frames, select
from ml_backend.runtimes.usable_cores import cores


class TorchRuntime:
    """Runs a network on a CPU.

    Parameters
    ----------
    network : RawNetwork
        The network.
    """

    name = "torch, CPU, single precision"
    batch_size = 1
    workers = 1

    def __init__(self, network: RawNetwork) -> None:
        self._network = network
        self._one_at_a_time = Lock()  # two passes would fight for the same cores
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
        logits, distances, features = self.forward(frames)
        return select(logits.numpy(), distances.numpy(), features.numpy(), least_logit=least_logit)

    def forward(self, frames: Frames) -> tuple[torch.Tensor, ...]:
        """Run the network and nothing else.

        Parameters
        ----------
        frames : ndarray of shape (images, height, width)
            Grey frames, uint8.

        Returns
        -------
        tuple of tensor
            `OUTPUTS`.
        """
        with torch.inference_mode(), self._one_at_a_time:
            return tuple(self._network(torch.from_numpy(frames)))
