"""The network as an ONNX file, which ONNX Runtime and OpenVINO read; made once per weights.

Serving needs no torch then, which takes seconds to import and hundreds of megabytes: a process
that has not loaded it lets another one export, and never has to.
"""

import hashlib
import json
import multiprocessing
import sys
import tempfile
import warnings
from collections.abc import Collection
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict
from pathlib import Path

from ml_backend.runtimes.network_facts import NetworkFacts
from ml_backend.runtimes.raw_output import OUTPUTS

FORM = 2
"""Of an export; count up when the network's inputs or outputs, or what is noted of it, change."""

_OPERATORS = 17


def exported(weights: Path, folder: Path) -> tuple[bytes, NetworkFacts]:
    """Return a network as an ONNX file, exported if it was not yet.

    Parameters
    ----------
    weights : Path
        A checkpoint; its hash names the export.
    folder : Path
        Where exports are kept; made when missing.

    Returns
    -------
    network : bytes
        What the file holds; number, height and width of frames are free. It is what was exported:
        a file whose hash is not the noted one is exported anew.
    facts : NetworkFacts
        What has to be known of the network; so a network that was exported once is not loaded.
    """
    kept = folder / f"{_name(_sha256_of(weights))}.onnx"
    found = _find(kept)
    if found is None:
        if "torch" in sys.modules:
            _make(weights, kept)
        else:
            spawned = multiprocessing.get_context("spawn")
            with ProcessPoolExecutor(1, spawned) as another:
                another.submit(_make, weights, kept).result()
        found = _find(kept)
    assert found is not None  # noqa: S101 - it was just made
    return found


def forget_exports(folder: Path, *, keep: Collection[str]) -> None:
    """Remove exported networks; whoever needs one again exports it again.

    Parameters
    ----------
    folder : Path
        Where exports are kept; it may be missing.
    keep : collection of str
        Hashes of the weights whose exports stay.
    """
    kept = {_name(sha256) for sha256 in keep}
    for path in [*folder.glob("*.onnx"), *folder.glob("*.json")]:
        if path.stem not in kept:
            path.unlink(missing_ok=True)


def _name(weights_sha256: str) -> str:
    return f"{weights_sha256}-{FORM}"


def _find(kept: Path) -> tuple[bytes, NetworkFacts] | None:
    try:
        noted = json.loads(kept.with_suffix(".json").read_text())
        network = kept.read_bytes()
    except (OSError, ValueError):
        return None
    if hashlib.sha256(network).hexdigest() != noted["sha256"]:
        return None
    return network, NetworkFacts(**noted["facts"])


def _make(weights: Path, kept: Path) -> None:
    # Imported here, because of who must not load torch.
    from ml_backend.runtimes.network import load_network  # noqa: PLC0415

    network = load_network(weights, "cpu")
    kept.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=kept.parent) as draft:
        path, note = Path(draft) / "network", Path(draft) / "note"
        _export(network, path)
        sha256 = _sha256_of(path)
        note.write_text(json.dumps({"sha256": sha256, "facts": asdict(network.facts)}))
        path.replace(kept)
        note.replace(kept.with_suffix(".json"))


def _sha256_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _export(network: object, path: Path) -> None:
    import torch  # noqa: PLC0415 - see above

    frames = torch.zeros((2, 96, 64), dtype=torch.uint8)
    free = {"grey": {0: "images", 1: "height", 2: "width"}}
    free |= {"logits": {0: "images", 2: "places"}, "distances": {0: "images", 2: "places"}}
    with warnings.catch_warnings():
        # The successor of this exporter fixes the frame's size, or needs a further package.
        warnings.simplefilter("ignore")
        torch.onnx.export(
            network,  # type: ignore[arg-type]
            (frames,),
            str(path),
            input_names=["grey"],
            output_names=list(OUTPUTS),
            dynamic_axes=free | {"features": {0: "images"}},
            opset_version=_OPERATORS,
            dynamo=False,
        )
