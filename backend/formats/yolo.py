"""YOLO datasets: one text file of boxes per image, as fractions of its width and height.

A line is ``class x_center y_center width height``; classes are the 14 class ids of `Finding`. An
empty file means "No finding"; an image without a file was not read.
"""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from backend.domain.boxes import Box
from backend.domain.dataset import DatasetVersion
from backend.domain.findings import Finding
from backend.domain.images import Split
from backend.domain.skipped import Skipped
from backend.formats.names import EXPECTED_NAME, is_safe
from backend.formats.placement import MarkedBox
from backend.formats.radiographs import SUFFIXES
from backend.formats.tables import line_name

_TOLERANCE = 1e-3
_LINE = "expected 'class x_center y_center width height', the class from 0 to 13"
_CLASSES_FILE = "classes.txt"


class YoloFolderError(ValueError):
    """A folder is not a YOLO dataset of the 14 findings."""


class YoloBox(NamedTuple):
    """One line of a YOLO label file.

    Attributes
    ----------
    finding : Finding
        What is marked.
    x_center, y_center, width, height : float, [unitless]
        Centre and sides as fractions of the image's width and height, in [0, 1].
    """

    finding: Finding
    x_center: float
    y_center: float
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class YoloLabels:
    """The labels of a YOLO dataset.

    Attributes
    ----------
    boxes : mapping of str to tuple of YoloBox
        By image id; an empty tuple is "No finding". An image whose every line had to be skipped
        is not here.
    skipped : tuple of Skipped
        Files and lines that could not be used.
    """

    boxes: Mapping[str, tuple[YoloBox, ...]]
    skipped: tuple[Skipped, ...]


def read_labels(folder: Path) -> YoloLabels:
    """Read the labels of a YOLO dataset.

    Parameters
    ----------
    folder : Path
        Holds labels/<image id>.txt, at any depth below labels.

    Returns
    -------
    YoloLabels
        What could be used, and a report of what could not.

    Raises
    ------
    YoloFolderError
        If there is no labels folder, or its classes.txt names other classes.
    """
    labels = folder / "labels"
    if not labels.is_dir():
        raise YoloFolderError(
            f"{folder} has no folder labels; expected {labels}/<image id>.txt, and the images in "
            f"{folder / 'images'} or in {folder} itself"
        )
    boxes: dict[str, tuple[YoloBox, ...]] = {}
    skipped: list[Skipped] = []
    for path in sorted(labels.rglob("*.txt")):
        if path.name == _CLASSES_FILE:
            _check_classes(path)
            continue
        found, problems = _read_file(path, known=boxes)
        skipped += problems
        if found is not None:
            boxes[path.stem] = found
    return YoloLabels(boxes, tuple(skipped))


def find_images(folder: Path) -> dict[str, Path]:
    """Return the image files of a YOLO dataset.

    Parameters
    ----------
    folder : Path
        Holds the images in a folder images, at any depth, or directly.

    Returns
    -------
    dict of str to Path
        By image id, which is the file name without its ending; the first in alphabetical order
        where two files share it.
    """
    images = folder / "images"
    found = images.rglob("*") if images.is_dir() else folder.iterdir()
    paths = sorted(path for path in found if path.suffix.lower() in SUFFIXES)
    return {path.stem: path for path in reversed(paths)}


def to_pixels(box: YoloBox, *, width_px: int, height_px: int) -> MarkedBox:
    """Return a YOLO box in pixels.

    Parameters
    ----------
    box : YoloBox
        Fractions of the image.
    width_px, height_px : int, [px]
        Size of the image.

    Returns
    -------
    MarkedBox
        The same box, clipped to the image.

    Examples
    --------
    >>> to_pixels(YoloBox(Finding.ILD, 0.5, 0.5, 0.5, 1.0), width_px=8, height_px=4).box
    Box(x_min=2.0, y_min=0.0, x_max=6.0, y_max=4.0)
    """
    return MarkedBox(
        box.finding,
        Box(
            max(0.0, box.x_center - box.width / 2) * width_px,
            max(0.0, box.y_center - box.height / 2) * height_px,
            min(1.0, box.x_center + box.width / 2) * width_px,
            min(1.0, box.y_center + box.height / 2) * height_px,
        ),
    )


def from_pixels(mark: MarkedBox, *, width_px: int, height_px: int) -> YoloBox:
    """Return a box as fractions of its image.

    Parameters
    ----------
    mark : MarkedBox
        The box in pixels.
    width_px, height_px : int, [px]
        Size of the image.

    Returns
    -------
    YoloBox
        The same box, clipped to the image.
    """
    left, right = (
        min(max(edge / width_px, 0.0), 1.0) for edge in (mark.box.x_min, mark.box.x_max)
    )
    upper, lower = (
        min(max(edge / height_px, 0.0), 1.0) for edge in (mark.box.y_min, mark.box.y_max)
    )
    return YoloBox(
        mark.finding, (left + right) / 2, (upper + lower) / 2, right - left, lower - upper
    )


def write_labels(folder: Path, dataset: DatasetVersion) -> None:
    """Write the labels of a dataset version, and the data.yaml that trainers read.

    Parameters
    ----------
    folder : Path
        Gets labels/<split>/<image id>.txt, empty for an image without boxes, and data.yaml, which
        expects the images in images/<split>.
    dataset : DatasetVersion
        What to write.
    """
    for split in Split:
        (folder / "labels" / split.value).mkdir(parents=True)
    for member in dataset.images:
        size = {"width_px": member.image.width_px, "height_px": member.image.height_px}
        lines = (
            from_pixels(MarkedBox(cluster.finding, cluster.box), **size)
            for cluster in member.clusters
        )
        text = "".join(
            f"{int(line.finding)} {' '.join(f'{part:.8f}' for part in line[1:])}\n"
            for line in lines
        )
        path = folder / "labels" / member.split.value / f"{member.image.id}.txt"
        path.write_text(text, encoding="utf-8")
    (folder / "data.yaml").write_text(_data_yaml(), encoding="utf-8")


def _data_yaml() -> str:
    splits = [f"{split.value}: images/{split.value}" for split in Split]
    # A JSON string is a YAML string, whatever characters a title has.
    names = [f"  {int(finding)}: {json.dumps(finding.title)}" for finding in Finding]
    return "\n".join([*splits, "names:", *names, ""])


def _check_classes(path: Path) -> None:
    found = path.read_text(encoding="utf-8", errors="replace").split("\n")
    names = [name.strip().casefold() for name in found if name.strip()]
    expected = [finding.title for finding in Finding]
    if names != [title.casefold() for title in expected]:
        raise YoloFolderError(
            f"{path} names other classes; expected these 14 in this order: {', '.join(expected)}"
        )


def _read_file(
    path: Path, *, known: Mapping[str, object]
) -> tuple[tuple[YoloBox, ...] | None, list[Skipped]]:
    if not is_safe(path.stem):
        return None, [Skipped(repr(path.name), f"the name is no safe image id; {EXPECTED_NAME}")]
    if path.stem in known:
        why = "another label file of the same image was read; expected one per image"
        return None, [Skipped(str(path), why)]
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        return None, [Skipped(path.name, f"it cannot be read as text ({error}); {_LINE}")]
    boxes: dict[YoloBox, None] = {}
    skipped = []
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        parsed = _parse(line)
        if isinstance(parsed, YoloBox) and parsed not in boxes:
            boxes[parsed] = None
            continue
        why = parsed if isinstance(parsed, str) else "it repeats an earlier line exactly"
        skipped.append(Skipped(line_name(path, number), why))
    if skipped and not boxes:
        why = 'no line of it could be used; it counts as not read, not as "No finding"'
        return None, [*skipped, Skipped(path.name, why)]
    return tuple(boxes), skipped


def _parse(line: str) -> YoloBox | str:
    """Return the box of a line, or what is wrong with it."""
    fields = line.split()
    if len(fields) != 5:
        return f"it has {len(fields)} fields; {_LINE}"
    try:
        finding, numbers = Finding(int(fields[0])), [float(field) for field in fields[1:]]
    except ValueError as error:
        return f"{error}; {_LINE}"
    box = YoloBox(finding, *numbers)
    if not all(math.isfinite(number) for number in numbers):
        return f"a number is not finite; {_LINE}"
    if box.width <= 0 or box.height <= 0:
        return "the box has no area; expected a width and a height above 0"
    overhang = max(
        abs(box.x_center - 0.5) + box.width / 2, abs(box.y_center - 0.5) + box.height / 2
    )
    if overhang > 0.5 + _TOLERANCE:
        return "the box stands out of the image; expected fractions of its width and height"
    return box
