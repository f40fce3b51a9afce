"""Weights files: what training starts from, and what it leaves."""

import hashlib
import os
import secrets
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from io import BytesIO
from pathlib import Path

import torch

from ml_backend.live_model import verified_file
from ml_backend.ultralytics_settings import downloads_allowed, import_part

_KEPT_ARGUMENTS = ("imgsz", "task", "epochs", "batch", "seed", "optimizer", "lr0", "nbs")


_LEFTOVER_AFTER = timedelta(hours=1)


class BaseWeightsMissingError(FileNotFoundError):
    """The weights to start from are neither a file nor to be had from the network."""


@dataclass(frozen=True, slots=True)
class StoredWeights:
    """A weights file in the store of weights.

    Attributes
    ----------
    path : Path
        The file; its name is its hash.
    sha256 : str
        Hash of its bytes, hexadecimal.
    size_bytes : int
        Its size.
    """

    path: Path
    sha256: str
    size_bytes: int

    def verified(self) -> Path:
        """Return the file after checking that it is the one that was stored.

        Returns
        -------
        Path
            The file, safe to open.

        Raises
        ------
        WeightsTamperedError
            If the file cannot be read or has another hash.
        """
        return verified_file(
            self.path, self.sha256, "the challenger", remedy="train again to have them back"
        )


def find_base_weights(name: str, weights_dir: Path) -> Path:
    """Return the weights to start from, fetched once when they are published by ultralytics.

    Parameters
    ----------
    name : str
        A file, or the name of a published checkpoint such as "yolo26n.pt".
    weights_dir : Path
        Folder in which fetched checkpoints are kept.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    BaseWeightsMissingError
        If there is no such file and it cannot be fetched.
    """
    kept = weights_dir / "base" / Path(name).name
    for known in (Path(name), kept):
        if known.is_file():
            return known
    problem = _fetch(kept) if Path(name).name == name else "it is not a file"
    if problem or not kept.is_file():
        raise BaseWeightsMissingError(
            f"no base weights {name!r}: {problem}. Download them where there is a network "
            f"and give the file: OVERREAD_BASE_WEIGHTS=/path/to/{Path(name).name}"
        )
    return kept


def store_weights(trained: Path, weights_dir: Path) -> StoredWeights:
    """Keep a trained checkpoint under the hash of its content.

    Only what serving and further training need is kept: the network in half precision, and the
    arguments that describe it. Optimizer state, paths of this machine and dates are left out, so
    that equal weights give equal files.

    Parameters
    ----------
    trained : Path
        A checkpoint written by training.
    weights_dir : Path
        Folder of the weights; made when missing.

    Returns
    -------
    StoredWeights
        Where it is now. The file appears whole or not at all.
    """
    network, checkpoint = import_part("nn.tasks").load_checkpoint(str(trained))
    trained_with = checkpoint.get("train_args", {})
    arguments = {name: trained_with[name] for name in _KEPT_ARGUMENTS if name in trained_with}
    network.args, network.criterion, network.pt_path = arguments, None, ""
    for parameter in network.parameters():
        parameter.requires_grad = False

    whole = BytesIO()  # into a file, torch would write the file's name as well
    torch.save({"model": network.half(), "train_args": arguments}, whole)
    content = whole.getvalue()
    sha256 = hashlib.sha256(content).hexdigest()
    stored = weights_dir / f"{sha256}.pt"
    _write_at_once(stored, content)
    return StoredWeights(stored, sha256, len(content))


def remove_leftovers(weights_dir: Path, *, now: datetime) -> None:
    """Remove what processes that were killed left half-written beside the weights.

    Parameters
    ----------
    weights_dir : Path
        Folder of the weights; it may be missing.
    now : datetime
        The time; aware. What is younger than an hour may still be written.
    """
    for path in weights_dir.glob("*.partial"):
        with suppress(FileNotFoundError):  # whoever wrote it has just finished
            written = datetime.fromtimestamp(path.stat().st_mtime, UTC)
            if now - written > _LEFTOVER_AFTER:
                path.unlink()


def _write_at_once(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"{path.stem}-{secrets.token_hex(8)}.partial")
    try:
        with partial.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
    except BaseException:
        partial.unlink(missing_ok=True)
        raise
    partial.replace(path)


def _fetch(kept: Path) -> str:
    downloads = import_part("utils.downloads")
    if kept.name not in downloads.GITHUB_ASSETS_NAMES:
        return "it is neither a file nor a checkpoint that ultralytics publishes"
    kept.parent.mkdir(parents=True, exist_ok=True)
    try:
        with downloads_allowed():
            downloads.attempt_download_asset(kept, retry=0, progress=False)
    except Exception as problem:  # noqa: BLE001 - urllib, curl and ultralytics raise many kinds
        return f"it could not be downloaded ({problem})"
    return ""
