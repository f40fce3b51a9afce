"""The network as an ONNX file, which ONNX Runtime and OpenVINO read; made once per weights."""

import hashlib
import os
import tempfile
import warnings
from pathlib import Path

import torch

from ml_backend.runtimes.network import RawNetwork

OUTPUTS = ("logits", "distances", "features")

_FORM = 1  # count up when the network's inputs or outputs change
_OPERATORS = 17


def exported(network: RawNetwork, weights: Path, folder: Path) -> Path:
    """Return the network as an ONNX file, exported if it was not yet.

    Parameters
    ----------
    network : RawNetwork
        The network, on the CPU.
    weights : Path
        The checkpoint that it was loaded from; its hash names the export.
    folder : Path
        Where exports are kept; made when missing.

    Returns
    -------
    Path
        The file; it appears whole or not at all. Number, height and width of frames are free.
    """
    with weights.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    kept = folder / f"{sha256}-{_FORM}.onnx"
    if not kept.exists():
        folder.mkdir(parents=True, exist_ok=True)
        descriptor, draft = tempfile.mkstemp(dir=folder, suffix=".partial")
        os.close(descriptor)
        try:
            _export(network, Path(draft))
            Path(draft).replace(kept)
        finally:
            Path(draft).unlink(missing_ok=True)
    return kept


def _export(network: RawNetwork, path: Path) -> None:
    frames = torch.zeros((2, 96, 64), dtype=torch.uint8)
    free = {"grey": {0: "images", 1: "height", 2: "width"}}
    free |= {"logits": {0: "images", 2: "places"}, "distances": {0: "images", 2: "places"}}
    with warnings.catch_warnings():
        # The successor of this exporter fixes the frame's size, or needs a further package.
        warnings.simplefilter("ignore")
        torch.onnx.export(
            network,
            (frames,),
            str(path),
            input_names=["grey"],
            output_names=list(OUTPUTS),
            dynamic_axes=free | {"features": {0: "images"}},
            opset_version=_OPERATORS,
            dynamo=False,
        )
