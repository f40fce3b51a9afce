"""Sizes of the originals that stored images were resized from."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from backend.domain.skipped import Skipped
from backend.formats import names, tables
from backend.formats.names import EXPECTED_NAME


class RefusedImageError(ValueError):
    """The readings of an image cannot be placed on it."""


class ConflictingSizesError(RefusedImageError):
    """Two tables give different sizes of the same original."""


class SizePx(NamedTuple):
    """Size of an image.

    Attributes
    ----------
    width_px, height_px : int, [px]
        Columns and rows of pixels.
    """

    width_px: int
    height_px: int


@dataclass(frozen=True, slots=True)
class SizesTable:
    """Sizes of originals.

    Attributes
    ----------
    sizes : mapping of str to SizePx
        By image id.
    skipped : tuple of Skipped
        Lines that could not be used.
    """

    sizes: Mapping[str, SizePx]
    skipped: tuple[Skipped, ...]


def read_sizes(path: Path) -> SizesTable:
    """Read a table of original sizes.

    Parameters
    ----------
    path : Path
        CSV file, plain or gzipped, with the columns image_id, height and width, in pixels.

    Returns
    -------
    SizesTable
        The sizes.

    Raises
    ------
    UnreadableTableError
        If it is not such a table.
    """
    table = tables.read_table(path, required=("image_id", "height", "width"))
    sizes: dict[str, SizePx] = {}
    skipped = list(table.skipped)
    columns = table.columns("image_id", "width", "height")
    for number, (image_id, width, height) in zip(table.lines, columns, strict=True):
        size = parse_size(width, height)
        if not names.is_safe(image_id):
            why = f"image_id {image_id!r} is no safe name; {EXPECTED_NAME}"
        elif size is None:
            why = f"size {width!r} x {height!r} is not two positive whole numbers"
        elif sizes.setdefault(image_id, size) != size:
            why = f"an earlier line gives image {image_id} another size; the earlier one is used"
        else:
            continue
        skipped.append(Skipped(tables.line_name(path, number), why))
    return SizesTable(sizes, tuple(skipped))


def parse_size(width: str, height: str) -> SizePx | None:
    """Return a size from text.

    Parameters
    ----------
    width, height : str
        For example "2304" or "2304.0".

    Returns
    -------
    SizePx or None
        None when they are not two positive whole numbers.
    """
    try:
        sides = (float(width), float(height))
    except ValueError:
        return None
    if not all(math.isfinite(side) and side >= 1 and side.is_integer() for side in sides):
        return None
    return SizePx(int(sides[0]), int(sides[1]))


def original_size(
    image_id: str, *, labels: Mapping[str, SizePx], sizes: Mapping[str, SizePx]
) -> SizePx | None:
    """Return the size of the original of an image, if a table names it.

    Parameters
    ----------
    image_id : str
        The image.
    labels : mapping of str to SizePx
        Sizes in the width and height columns of the table of readings.
    sizes : mapping of str to SizePx
        Sizes in a table of their own.

    Returns
    -------
    SizePx or None
        None when neither names the image.

    Raises
    ------
    ConflictingSizesError
        If both name it and they differ.
    """
    in_labels, in_sizes = labels.get(image_id), sizes.get(image_id)
    if in_labels and in_sizes and in_labels != in_sizes:
        raise ConflictingSizesError(
            f"image {image_id} is {in_labels.width_px} x {in_labels.height_px} px in the table of "
            f"readings and {in_sizes.width_px} x {in_sizes.height_px} px in the sizes table; "
            "expected the size of the original in both; correct one or leave out --image-sizes"
        )
    return in_labels or in_sizes
