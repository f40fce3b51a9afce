"""The network as an ONNX file, which ONNX Runtime and OpenVINO read; made once per weights."""

import hashlib
import json
import tempfile
import warnings
from dataclasses import asdict
from pathlib import Path

import torch

from ml_backend.runtimes.network import NetworkFacts, RawNetwork, load_network

OUTPUTS = ("logits", "distances", "features")

_FORM = 1  # count up when the network's inputs or outputs change
_OPERATORS = 17


def exported(weights: Path, folder: Path) -> tuple[Path, NetworkFacts]:
    """Return a network as an ONNX file, exported if it was not yet.

    Parameters
    ----------
    weights : Path
        A checkpoint; its hash names the export.
    folder : Path
        Where exports are kept; made when missing.

    Returns
    -------
    path : Path
        The file; it appears whole or not at all. Number, height and width of frames are free.
    facts : NetworkFacts
        What has to be known of the network; so a network that was exported once is not loaded.
    """
    with weights.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    kept = folder / f"{sha256}-{_FORM}.onnx"
    facts = kept.with_suffix(".json")
    if not facts.exists():
        network = load_network(weights, torch.device("cpu"))
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder) as draft:
            path = Path(draft) / "network"
            _export(network, path)
            path.replace(kept)
            path.write_text(json.dumps(asdict(network.facts)))
            path.replace(facts)
    return kept, NetworkFacts(**json.loads(facts.read_text()))


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
