"""Which model version serves, and how the next one takes over."""

import hashlib
from pathlib import Path

from backend.domain.models import ModelVersion
from ml_backend.detector import Detector

NO_MODEL = "none"
"""What is reported as model version before the first one is trained."""


class WeightsTamperedError(RuntimeError):
    """A weights file is missing or is not the one that was registered."""


class LiveModel:
    """Holds the detector that serves.

    A request takes `current` once and keeps what it got; a swap replaces the reference in one
    step. So a request never sees two models and is never refused during a swap, and the old
    detector is freed when its last request ends.

    Parameters
    ----------
    detector : Detector or None
        What serves at first; none before the first model is trained, which is normal.
    """

    def __init__(self, detector: Detector | None = None) -> None:
        self._detector = detector

    def current(self) -> Detector | None:
        """Return the detector that serves now.

        Returns
        -------
        Detector or None
            None before the first model is trained.
        """
        return self._detector

    @property
    def model_version(self) -> str:
        """Name of the model version that serves, "none" before the first."""
        detector = self._detector
        return NO_MODEL if detector is None else detector.model_version

    @property
    def runtime(self) -> str:
        """What it runs on, for people; "none" before the first model."""
        detector = self._detector
        return NO_MODEL if detector is None else detector.runtime

    def swap(self, new: Detector | None) -> None:
        """Let another detector serve from the next request on.

        Parameters
        ----------
        new : Detector or None
            What serves next.
        """
        self._detector = new


def verified_weights(model: ModelVersion) -> Path:
    """Return the weights file of a model version after checking that it is the registered one.

    Parameters
    ----------
    model : ModelVersion
        What the store knows.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    WeightsTamperedError
        If the file cannot be read or has another hash.
    """
    return verified_file(
        Path(model.weights_uri),
        model.weights_sha256,
        model.name,
        remedy="restore it from a backup, or `overread models rollback` to another version",
    )


def verified_file(path: Path, sha256: str, name: str, *, remedy: str) -> Path:
    """Return a weights file after checking its hash, which comes before it is ever opened.

    Parameters
    ----------
    path : Path
        The file.
    sha256 : str
        Hash that its bytes must have, hexadecimal.
    name : str
        Whose weights these are, for the message.
    remedy : str
        What to do when it is another file, for the message.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    WeightsTamperedError
        If the file cannot be read or has another hash.
    """
    try:
        found = sha256_of(path)
    except OSError as problem:
        raise WeightsTamperedError(
            f"the weights of {name} cannot be read from {path} ({problem.strerror}); {remedy}"
        ) from problem
    if found != sha256:
        raise WeightsTamperedError(
            f"{path} has sha256 {found[:12]}..., but {name} was "
            f"registered with {sha256[:12]}...; {remedy}"
        )
    return path


def sha256_of(path: Path) -> str:
    """Return the hash of a file.

    Parameters
    ----------
    path : Path
        The file.

    Returns
    -------
    str
        SHA-256 of its bytes, hexadecimal.
    """
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
