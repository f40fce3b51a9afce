"""Which device a network runs on; found out without torch, which takes seconds to import."""

import ctypes
import sys


def choose_device(wanted: str) -> str:
    """Return the device to run on, by torch's name.

    Parameters
    ----------
    wanted : str
        "auto", "cpu", a CUDA index, or several as in "0,1", of which the first serves.

    Returns
    -------
    str
        "cpu" or "cuda:0"; with "auto" the first GPU when there is one that torch can use.
    """
    wanted = wanted.split(",", maxsplit=1)[0].strip()
    if wanted == "auto":
        return "cuda:0" if _driver_has_gpu() and _torch_has_gpu() else "cpu"
    return f"cuda:{wanted}" if wanted.isdigit() else wanted


def _driver_has_gpu() -> bool:
    """Ask NVIDIA's driver, which answers at once; there is none on a machine without GPU."""
    for name in ("libcuda.so.1", "nvcuda.dll"):
        try:
            driver = ctypes.CDLL(name)
        except OSError:
            continue
        devices = ctypes.c_int(0)
        asked = driver.cuInit(0) == 0 and driver.cuDeviceGetCount(ctypes.byref(devices)) == 0
        return asked and devices.value > 0
    return False


def _torch_has_gpu() -> bool:
    # Imported here, because only a machine with a GPU has to wait for it.
    import torch  # noqa: PLC0415

    return torch.cuda.is_available()


def gpu_utilisation() -> dict[int, float]:
    """Return how busy each GPU was just now, by its own account.

    Returns
    -------
    dict of int to float
        By CUDA index, the share of time in which it computed, in [0, 1]; empty where this process
        uses no GPU, or NVIDIA's library is not there to ask.
    """
    torch = sys.modules.get("torch")  # who serves on a CPU has not loaded it
    try:
        if torch is None or not torch.cuda.is_initialized():
            return {}
        return {gpu: torch.cuda.utilization(gpu) / 100 for gpu in range(torch.cuda.device_count())}
    except Exception:  # noqa: BLE001 - half imported, or whatever the driver raises: a figure less
        return {}
