"""The network on OpenVINO, the fastest runtime on a CPU."""

from collections.abc import Iterator
from contextlib import contextmanager
from queue import SimpleQueue
from typing import Any

import openvino

from ml_backend.runtimes.raw_output import OUTPUTS, Candidates, Frames, select


def cpu_has_bfloat16() -> bool:
    """Return whether this CPU multiplies bfloat16 numbers itself.

    Returns
    -------
    bool
        True on CPUs with AVX512_BF16 or AMX.
    """
    return "BF16" in openvino.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")


class OpenVinoRuntime:
    """Runs an exported network on the CPU, one thread per pass and a pass per core.

    Parameters
    ----------
    network : bytes
        An ONNX file.
    cores : int
        How many cores there are.
    is_bfloat16 : bool
        Whether to compute in bfloat16: faster on some CPUs, and scores move in the second decimal.
    """

    batch_size = 1

    def __init__(self, network: bytes, *, cores: int, is_bfloat16: bool) -> None:
        core = openvino.Core()
        compiled = core.compile_model(
            core.read_model(network),
            "CPU",
            {
                "INFERENCE_PRECISION_HINT": "bf16" if is_bfloat16 else "f32",
                "NUM_STREAMS": cores,
                "INFERENCE_NUM_THREADS": cores,
            },
        )
        precision = "bfloat16" if is_bfloat16 else "single precision"
        self.name = f"OpenVINO {openvino.__version__.partition('-')[0]}, CPU, {precision}"
        self.workers = cores
        self._requests: SimpleQueue[Any] = SimpleQueue()
        for _ in range(cores):
            self._requests.put(compiled.create_infer_request())

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
        with self._request() as request:
            answer = request.infer({"grey": frames}, share_inputs=True, share_outputs=True)
            logits, distances, features = (answer[name] for name in OUTPUTS)
            return select(logits, distances, features, least_logit=least_logit)

    def forward(self, frames: Frames) -> None:
        """Run the network and nothing else.

        Parameters
        ----------
        frames : ndarray of shape (images, height, width)
            Grey frames, uint8.
        """
        with self._request() as request:
            request.infer({"grey": frames}, share_inputs=True, share_outputs=True)

    @contextmanager
    def _request(self) -> Iterator[Any]:
        request = self._requests.get()
        try:
            yield request
        finally:
            self._requests.put(request)
