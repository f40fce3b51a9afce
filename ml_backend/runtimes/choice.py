"""Which runtime runs a network on this machine."""

from importlib.util import find_spec
from pathlib import Path
from typing import Literal, TypeAlias

from ml_backend.runtimes.network_facts import NetworkFacts
from ml_backend.runtimes.raw_output import Runtime
from ml_backend.runtimes.usable_cores import cores

RuntimeName: TypeAlias = Literal["torch", "onnxruntime", "openvino", "openvino-bf16"]


class UnavailableRuntimeError(RuntimeError):
    """The runtime that is asked for cannot run here."""


def choose_runtime(wanted: str, device: str) -> RuntimeName:
    """Return the runtime to use.

    Parameters
    ----------
    wanted : str
        A runtime's name, or "auto" for the fastest that this machine has and that says the same
        as torch.
    device : str
        Where to run, by torch's name.

    Returns
    -------
    str
        On a GPU torch; on a CPU OpenVINO, else ONNX Runtime, else torch. OpenVINO in bfloat16 has
        to be asked for: its scores and edges differ, and only some CPUs are faster with it.

    Raises
    ------
    UnavailableRuntimeError
        If it is asked for a runtime that is not installed, does not exist, or is no runtime
        for a GPU.
    """
    usable: list[RuntimeName] = _installed() if device == "cpu" else ["torch"]
    if wanted == "auto":
        return usable[0]
    for name in usable:
        if name == wanted:
            return name
    raise UnavailableRuntimeError(
        f"the runtime {wanted!r} does not run on this machine's {device.partition(':')[0]}; "
        f"expected {', '.join(usable)}: set OVERREAD_RUNTIME"
    )


def open_runtime(
    name: RuntimeName, weights: Path, *, device: str, exports_dir: Path
) -> tuple[Runtime, NetworkFacts]:
    """Make a network ready to run.

    Parameters
    ----------
    name : str
        Which runtime.
    weights : Path
        A checkpoint written by ultralytics.
    device : str
        Where to run, by torch's name.
    exports_dir : Path
        Where exported networks are kept.

    Returns
    -------
    runtime : Runtime
        Ready to run.
    facts : NetworkFacts
        What has to be known to use what it says.
    """
    # Imported here, because none of them is there on every machine, and torch takes seconds.
    if name == "torch":
        from ml_backend.runtimes.network import load_network  # noqa: PLC0415

        network = load_network(weights, device)
        if device == "cpu":
            from ml_backend.runtimes.torch_runtime import TorchRuntime  # noqa: PLC0415

            return TorchRuntime(network), network.facts
        from ml_backend.runtimes.cuda_runtime import CudaRuntime  # noqa: PLC0415

        return CudaRuntime(network), network.facts
    from ml_backend.runtimes.exported import exported  # noqa: PLC0415

    onnx, facts = exported(weights, exports_dir)
    if name == "onnxruntime":
        from ml_backend.runtimes.onnx_runtime import OnnxRuntime  # noqa: PLC0415

        return OnnxRuntime(onnx, cores=cores()), facts
    from ml_backend.runtimes.openvino_runtime import OpenVinoRuntime  # noqa: PLC0415

    return OpenVinoRuntime(onnx, cores=cores(), is_bfloat16=name == "openvino-bf16"), facts


def _installed() -> list[RuntimeName]:
    names: list[RuntimeName] = []
    if find_spec("openvino"):
        from ml_backend.runtimes.openvino_runtime import cpu_has_bfloat16  # noqa: PLC0415

        names += ["openvino", "openvino-bf16"] if cpu_has_bfloat16() else ["openvino"]
    if find_spec("onnxruntime"):
        names.append("onnxruntime")
    return [*names, "torch"]
