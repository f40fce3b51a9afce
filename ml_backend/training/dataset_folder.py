"""A dataset version as the folder that ultralytics trains on."""

import json
import shutil
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from backend.domain.boxes import Box
from backend.domain.dataset import DatasetImage, DatasetVersion
from backend.domain.findings import Finding
from backend.domain.images import Split
from backend.domain.skipped import Skipped
from backend.formats.image_cache import resize
from backend.formats.radiographs import UnreadableImageError, encode_png
from ml_backend.image_source import read_registered

BOX_WEIGHTS = "box-weights.json"
"""File of a dataset folder: by image id, for every row of its labels how likely it is real."""


class NothingToTrainOnError(ValueError):
    """No readable image is left in the training list or in the validation split."""


@dataclass(frozen=True, slots=True)
class DatasetFolder:
    """A dataset version on disk, ready to train on.

    Attributes
    ----------
    path : Path
        The folder.
    training_lines : int
        Length of the training list with its repeats.
    skipped : tuple of Skipped
        Images that could not be read and take no part.
    """

    path: Path
    training_lines: int
    skipped: tuple[Skipped, ...]


def write_dataset_folder(
    version: DatasetVersion, training_list: Sequence[str], folder: Path, *, image_size_px: int
) -> DatasetFolder:
    """Write images, labels and lists of a dataset version.

    Pixels are decoded and resized by the code that also serves, whatever format they came in;
    images of the test split are not written.

    Parameters
    ----------
    version : DatasetVersion
        What to train on.
    training_list : sequence of str
        Image ids of the training split, repeated as often as they are to be shown per epoch.
    folder : Path
        Where to; appears whole or not at all. A folder that already holds the same is kept.
    image_size_px : int, [px]
        Length of an image's longer side.

    Returns
    -------
    DatasetFolder
        What was written, and what could not be.

    Raises
    ------
    NothingToTrainOnError
        If the training list or the validation split ends up empty.
    """
    content = {
        "dataset": version.sha256,
        "image_size_px": image_size_px,
        "training_list": list(training_list),
    }
    known = folder / "dataset.json"
    if known.exists() and json.loads(known.read_text())["content"] == content:
        return _as_written(folder)

    folder.parent.mkdir(parents=True, exist_ok=True)
    draft = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}-"))
    try:
        skipped = _write(version, training_list, draft, image_size_px)
        state = {"content": content, "skipped": [[each.what, each.why] for each in skipped]}
        (draft / "dataset.json").write_text(json.dumps(state))
        if folder.exists():
            shutil.rmtree(folder)
        draft.rename(folder)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return _as_written(folder)


def clear_folders(training: Path, *, keep: str | None = None) -> None:
    """Remove dataset folders and what was half written: each holds gigabytes.

    Parameters
    ----------
    training : Path
        The folder that holds them; it may be missing.
    keep : str or None
        Name of the one that is still trained on; None removes all.
    """
    for folder in training.glob("*"):
        if folder.name != keep:
            shutil.rmtree(folder, ignore_errors=True)


def _as_written(folder: Path) -> DatasetFolder:
    state = json.loads((folder / "dataset.json").read_text())
    lines = len((folder / "train.txt").read_text().splitlines())
    return DatasetFolder(folder, lines, tuple(Skipped(*each) for each in state["skipped"]))


def _write(
    version: DatasetVersion, training_list: Sequence[str], draft: Path, image_size_px: int
) -> list[Skipped]:
    for part in ("images", "labels"):
        (draft / part).mkdir()
    shown = set(training_list)
    validation = version.in_split(Split.VALIDATION)
    training = [each for each in version.in_split(Split.TRAIN) if each.image.id in shown]

    skipped, weights = [], {}
    for member in (*training, *validation):
        try:
            weights[member.image.id] = _write_image(member, draft, image_size_px)
        except UnreadableImageError as problem:
            skipped.append(Skipped(member.image.id, str(problem)))

    lost = {each.what for each in skipped}
    known = {each.image.id for each in training} - lost
    _write_list(draft / "train.txt", [each for each in training_list if each in known])
    _write_list(
        draft / "val.txt", [each.image.id for each in validation if each.image.id not in lost]
    )
    (draft / BOX_WEIGHTS).write_text(json.dumps(weights))
    names = "".join(f"  {int(each)}: {json.dumps(each.title)}\n" for each in Finding)
    (draft / "data.yaml").write_text(f"train: train.txt\nval: val.txt\nnames:\n{names}")
    return skipped


def _write_image(member: DatasetImage, draft: Path, image_size_px: int) -> list[float]:
    """Write one image with its labels, and return the weights of its rows."""
    image = member.image
    pixels = resize(read_registered(image), image_size_px)
    (draft / "images" / f"{image.id}.png").write_bytes(encode_png(pixels))
    rows: dict[str, float] = {}  # equal rows are one: ultralytics would drop and reorder them
    for each in member.clusters:
        row = _yolo_row(each.finding, each.box, image.width_px, image.height_px)
        rows[row] = max(rows.get(row, 0.0), float(each.p_true))
    (draft / "labels" / f"{image.id}.txt").write_text("".join(rows))
    return list(rows.values())


def _yolo_row(finding: Finding, box: Box, width_px: int, height_px: int) -> str:
    x, y = (box.x_min + box.x_max) / 2 / width_px, (box.y_min + box.y_max) / 2 / height_px
    width, height = (box.x_max - box.x_min) / width_px, (box.y_max - box.y_min) / height_px
    return f"{int(finding)} {x:.6f} {y:.6f} {width:.6f} {height:.6f}\n"


def _write_list(path: Path, image_ids: Iterable[str]) -> None:
    lines = [f"./images/{image_id}.png\n" for image_id in image_ids]
    if not lines:
        part = "training list" if path.stem == "train" else "validation split"
        raise NothingToTrainOnError(
            f"the {part} holds no readable image; register and read more images, then cut "
            "another dataset version"
        )
    path.write_text("".join(lines))
