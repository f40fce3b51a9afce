"""The network on ONNX Runtime."""

from pathlib import Path

import onnxruntime
import torch

from ml_backend.runtimes.exported import OUTPUTS
from ml_backend.runtimes.raw_output import Frames, RawOutput

_ERRORS_ONLY = 3


class OnnxRuntime:
    """Runs an exported network on the CPU, one thread per pass and a pass per core.

    Parameters
    ----------
    network : Path
        The ONNX file.
    cores : int
        How many cores there are.
    """

    batch_size = 1

    def __init__(self, network: Path, *, cores: int) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.log_severity_level = _ERRORS_ONLY
        self._session = onnxruntime.InferenceSession(
            network, options, providers=["CPUExecutionProvider"]
        )
        self.name = f"ONNX Runtime {onnxruntime.__version__}, CPU, single precision"
        self.workers = cores

    def forward(self, frames: Frames) -> RawOutput:
        """Run the network.

        Parameters
        ----------
        frames : ndarray of shape (images, height, width)
            Grey frames, uint8.

        Returns
        -------
        RawOutput
            On the CPU.
        """
        return RawOutput(*map(torch.from_numpy, self._session.run(OUTPUTS, {"grey": frames})))
