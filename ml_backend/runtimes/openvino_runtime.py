"""The network on OpenVINO, the fastest runtime on a CPU."""

from pathlib import Path
from queue import SimpleQueue
from typing import Any

import openvino
import torch

from ml_backend.runtimes.exported import OUTPUTS
from ml_backend.runtimes.raw_output import Frames, RawOutput


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
    network : Path
        The ONNX file; the compiled network is kept beside it.
    cores : int
        How many cores there are.
    is_bfloat16 : bool
        Whether to compute in bfloat16: faster, and scores move in the second decimal.
    """

    batch_size = 1

    def __init__(self, network: Path, *, cores: int, is_bfloat16: bool) -> None:
        core = openvino.Core()
        core.set_property({"CACHE_DIR": str(network.parent / "openvino")})
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
        request = self._requests.get()
        try:
            answer = request.infer({"grey": frames}, share_inputs=True)
            return RawOutput(*(torch.from_numpy(answer[name].copy()) for name in OUTPUTS))
        finally:
            self._requests.put(request)
