"""The network on ONNX Runtime."""

from typing import Any

import onnxruntime

from ml_backend.runtimes.raw_output import OUTPUTS, Candidates, Frames, select

_ERRORS_ONLY = 3


class OnnxRuntime:
    """Runs an exported network on the CPU, one thread per pass and a pass per core.

    Parameters
    ----------
    network : bytes
        An ONNX file.
    cores : int
        How many cores there are.
    """

    batch_size = 1

    def __init__(self, network: bytes, *, cores: int) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.log_severity_level = _ERRORS_ONLY
        self._session = onnxruntime.InferenceSession(
            network, options, providers=["CPUExecutionProvider"]
        )
        self.name = f"ONNX Runtime {onnxruntime.__version__}, CPU, single precision"
        self.workers = cores

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
        return select(logits, distances, features, least_logit=least_logit)

    def forward(self, frames: Frames) -> list[Any]:
        """Run the network and nothing else.

        Parameters
        ----------
        frames : ndarray of shape (images, height, width)
            Grey frames, uint8.

        Returns
        -------
        list of ndarray
            `OUTPUTS`.
        """
        outputs: list[Any] = self._session.run(OUTPUTS, {"grey": frames})
        return outputs
