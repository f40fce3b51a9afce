"""The one place that imports ultralytics, with everything off that phones home or installs."""

import importlib
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import numpy as np
from PIL import Image

_TRACKERS = ("clearml", "comet", "dvc", "mlflow", "raytune", "tensorboard", "wandb")

_SWITCHES = {
    "YOLO_AUTOINSTALL": "False",
    "YOLO_VERBOSE": "False",
    "ULTRALYTICS_SAFE_LOAD": "True",
}

# ultralytics reads its switches from the environment while it is imported and offers no other
# door; nothing of ours is configured here, so these are not settings of the project.
_environ = os.environ  # noqa: TID251


class UltralyticsImportedTooEarlyError(RuntimeError):
    """Somebody imported ultralytics past this module, with its telemetry on."""


@cache
def _private_folder() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="overread-ultralytics-")


@cache
def import_ultralytics() -> Any:  # noqa: ANN401 - the package ships no types
    """Import ultralytics without telemetry, self-installation and console output.

    Its settings file lives in a temporary folder of this process. A folder that processes
    share would be rewritten with the defaults, telemetry included, by whoever finds it damaged.
    Checkpoints are read with an allow-list of classes, so a pickle cannot run code of its own.

    Returns
    -------
    module
        The package.

    Raises
    ------
    UltralyticsImportedTooEarlyError
        If it was already imported elsewhere, so that the switches come too late.
    """
    if "ultralytics" in sys.modules and not _was_started_by_us():
        raise UltralyticsImportedTooEarlyError(
            "import ultralytics through ml_backend.ultralytics_settings only"
        )
    if "ultralytics" not in sys.modules:
        _environ.setdefault("YOLO_OFFLINE", "True")
        _environ.update(_SWITCHES, YOLO_CONFIG_DIR=_private_folder().name)
    plain_open = Image.open
    with np.printoptions():  # which ultralytics changes for the whole process
        package = importlib.import_module("ultralytics")
        Image.open = plain_open  # ultralytics puts an opener there that wants a HEIF library
        package.settings.update(sync=False, **dict.fromkeys(_TRACKERS, False))
    return package


def _was_started_by_us() -> bool:
    # Training on several GPUs starts processes that import ultralytics before anything of ours;
    # they inherit the switches, and the settings file with everything off.
    return all(_environ.get(name) == value for name, value in _SWITCHES.items())


def import_part(name: str) -> Any:  # noqa: ANN401 - the package ships no types
    """Import a module of ultralytics under the same conditions.

    Parameters
    ----------
    name : str
        Path inside the package, for example "nn.tasks".

    Returns
    -------
    module
        The module.
    """
    import_ultralytics()
    with np.printoptions():
        return importlib.import_module(f"ultralytics.{name}")


@contextmanager
def downloads_allowed() -> Iterator[None]:
    """Let ultralytics download within the block, unless the environment forbids it."""
    import_ultralytics()
    offline = _environ.get("YOLO_OFFLINE")
    if offline == "True":  # our own mark; "true" or "1" from outside stays in force
        del _environ["YOLO_OFFLINE"]
    try:
        yield
    finally:
        if offline is not None:
            _environ["YOLO_OFFLINE"] = offline
