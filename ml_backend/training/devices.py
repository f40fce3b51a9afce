"""What a training runs on: the CPU, one GPU, or several of one machine."""

from dataclasses import dataclass
from importlib.util import find_spec

import torch

from ml_backend.runtimes.device import choose_device


class SeveralGpusError(ValueError):
    """Training on several GPUs is asked for and cannot be had."""


@dataclass(frozen=True, slots=True)
class TrainingDevices:
    """Where to train.

    Attributes
    ----------
    name : str
        In ultralytics' words: "cpu", "0", or "0,1".
    number : int
        How many there are.
    precision : str or bool
        "bf16" where the hardware has it, False for single precision.
    """

    name: str
    number: int
    precision: str | bool

    @property
    def are_several(self) -> bool:
        """Whether training runs in one process per device (distributed data parallel)."""
        return self.number > 1

    def arguments(self) -> dict[str, object]:
        """Return them as arguments of ultralytics' trainers.

        Returns
        -------
        dict of str to object
            Device, precision and number of loading processes.
        """
        workers = 0 if self.name == "cpu" else 8
        return {"device": self.name, "amp": self.precision, "workers": workers}


def training_devices(wanted: str) -> TrainingDevices:
    """Return what to train on.

    Parameters
    ----------
    wanted : str
        "auto", "cpu", a CUDA index, or several as in "0,1".

    Returns
    -------
    TrainingDevices
        With "auto" the first GPU when there is one.

    Raises
    ------
    SeveralGpusError
        If several are asked for, and they are no different CUDA indices or a package that
        ultralytics needs for them is missing.
    """
    if "," in wanted:
        return _several([each.strip() for each in wanted.split(",")])
    device = torch.device(choose_device(wanted))
    if device.type == "cpu":
        return TrainingDevices("cpu", 1, precision=False)
    return TrainingDevices(str(device.index or 0), 1, _precision())


def _several(indices: list[str]) -> TrainingDevices:
    if not all(each.isdigit() for each in indices) or len(set(indices)) != len(indices):
        raise SeveralGpusError(
            f"expected different CUDA indices such as 0,1 in OVERREAD_DEVICE, got {indices}"
        )
    if find_spec("cloudpickle") is None:
        raise SeveralGpusError(
            "training on several GPUs needs the package cloudpickle: pip install cloudpickle"
        )
    return TrainingDevices(",".join(indices), len(indices), _precision())


def _precision() -> str | bool:
    # "True" would fetch a further model from the network to try half precision with.
    if not torch.cuda.is_available():
        return False
    return "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else False
