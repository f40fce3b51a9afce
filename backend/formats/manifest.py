"""What a release consists of, written down so that anybody can check it later.

Beside the labels, every release folder has three files: manifest.json (name, dataset hash,
method, counts, and every file with its hash), images.csv (every image with its split, patient key
and readers) and boxes.csv (every box with its score, state and supporters). The last two are
enough to compute the dataset hash again.
"""

import csv
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from backend.domain.dataset import DatasetVersion
from backend.domain.images import Split

MANIFEST = "manifest.json"
IMAGES = "images.csv"
BOXES = "boxes.csv"
FORMAT_VERSION = 1

IMAGE_COLUMNS = (
    *("image_id", "file", "split", "patient_key", "source", "sha256", "pixel_hash"),
    *("width_px", "height_px", "weight", "repeat_factor", "readers", "adjudicated"),
)
BOX_COLUMNS = (
    *("image_id", "class_id", "class_name", "x_min", "y_min", "x_max", "y_max"),
    *("score", "p_true", "state", "supporters", "readers"),
)


@dataclass(frozen=True, slots=True)
class ListedFile:
    """A file of a release.

    Attributes
    ----------
    path : str
        Below the release folder, with forward slashes.
    sha256 : str
        Hash of its bytes, hexadecimal.
    size_bytes : int, [byte]
        Its length.
    """

    path: str
    sha256: str
    size_bytes: int


def write_manifest(
    folder: Path, dataset: DatasetVersion, *, release_format: str, files: Mapping[str, str]
) -> None:
    """Write images.csv, boxes.csv and, last, manifest.json with the hash of every file.

    Parameters
    ----------
    folder : Path
        The release, complete but for these three files.
    dataset : DatasetVersion
        What it holds.
    release_format : str
        Its format, for example "yolo".
    files : mapping of str to str
        Path of every image's file below `folder`, by image id.
    """
    _write_images(folder / IMAGES, dataset, files)
    _write_boxes(folder / BOXES, dataset)
    content = {
        "format_version": FORMAT_VERSION,
        "name": dataset.name,
        "format": release_format,
        "dataset_sha256": dataset.sha256,
        "consensus_method": dataset.consensus_method,
        "seed": dataset.seed,
        "created_at": dataset.created_at.isoformat(),
        "counts": {split.value: _counts(dataset, split) for split in Split},
        "files": [
            {"path": file.path, "sha256": file.sha256, "bytes": file.size_bytes}
            for file in list_files(folder)
        ],
    }
    (folder / MANIFEST).write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def list_files(folder: Path) -> tuple[ListedFile, ...]:
    """Return every file of a release folder but the manifest, as it is now.

    Parameters
    ----------
    folder : Path
        The release.

    Returns
    -------
    tuple of ListedFile
        By path.
    """
    paths = sorted(path for path in folder.rglob("*") if not path.is_dir() or path.is_symlink())
    return tuple(
        _listed(folder, path) for path in paths if path.relative_to(folder).as_posix() != MANIFEST
    )


def _listed(folder: Path, path: Path) -> ListedFile:
    relative = path.relative_to(folder).as_posix()
    if path.is_symlink():
        return ListedFile(relative, f"a link to {path.readlink()}", 0)
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return ListedFile(relative, digest, path.stat().st_size)


def _counts(dataset: DatasetVersion, split: Split) -> dict[str, int]:
    members = dataset.in_split(split)
    return {
        "images": len(members),
        "boxes": sum(len(member.clusters) for member in members),
        "negatives": sum(not member.clusters for member in members),
        "adjudicated": sum(member.is_adjudicated for member in members),
    }


def _write_images(path: Path, dataset: DatasetVersion, files: Mapping[str, str]) -> None:
    rows = [
        {
            "image_id": member.image.id,
            "file": files[member.image.id],
            "split": member.split.value,
            "patient_key": member.image.patient_key,
            "source": member.image.source,
            "sha256": member.image.sha256,
            "pixel_hash": member.image.pixel_hash,
            "width_px": member.image.width_px,
            "height_px": member.image.height_px,
            "weight": float(member.weight),
            "repeat_factor": float(member.repeat_factor),
            "readers": ";".join(member.readers),
            "adjudicated": "yes" if member.is_adjudicated else "",
        }
        for member in dataset.images
    ]
    _write_rows(path, IMAGE_COLUMNS, rows)


def _write_boxes(path: Path, dataset: DatasetVersion) -> None:
    rows = [
        {
            "image_id": member.image.id,
            "class_id": int(cluster.finding),
            "class_name": cluster.finding.title,
            **{
                name: float(edge)
                for name, edge in zip(cluster.box._fields, cluster.box, strict=True)
            },
            "score": float(cluster.score),
            "p_true": float(cluster.p_true),
            "state": cluster.state.value,
            "supporters": ";".join(supporter.reader_id for supporter in cluster.supporters),
            "readers": ";".join(member.readers),
        }
        for member in dataset.images
        for cluster in member.clusters
    ]
    _write_rows(path, BOX_COLUMNS, rows)


def _write_rows(path: Path, columns: tuple[str, ...], rows: list[dict[str, Any]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
