"""A forward pass on a GPU as one launch: hundreds of launches take longer than what they start."""

import torch

from ml_backend.runtimes.network import RawNetwork


class RecordedPass:
    """The pass of one shape, recorded once and replayed; for one thread.

    Parameters
    ----------
    network : RawNetwork
        The network, on its GPU.
    shape : (int, int, int)
        Images, height and width.
    device : torch.device
        The GPU.
    """

    def __init__(self, network: RawNetwork, shape: tuple[int, ...], device: torch.device) -> None:
        self._frames = torch.zeros(shape, dtype=torch.uint8, device=device)
        for _ in range(2):  # whatever is set up by a first pass must not be recorded
            network(self._frames)
        torch.cuda.current_stream().synchronize()
        self._graph = torch.cuda.CUDAGraph()
        # Other threads go on allocating and copying meanwhile.
        with torch.cuda.graph(
            self._graph, stream=torch.cuda.current_stream(), capture_error_mode="thread_local"
        ):
            self._outputs = tuple(network(self._frames))

    def __call__(self, grey: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Replay the pass on the current stream.

        Parameters
        ----------
        grey : tensor of shape (images, height, width)
            Frames, uint8, in pinned memory.

        Returns
        -------
        tuple of tensor
            The network's outputs; the next call overwrites them.
        """
        self._frames.copy_(grey, non_blocking=True)
        self._graph.replay()
        return self._outputs
