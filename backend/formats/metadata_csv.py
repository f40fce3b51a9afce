"""Tables that say of whom, and from where, radiographs were taken.

A table's cells are never repeated in a message: where an age is expected there may be a date of
birth, and where a sex is expected a name.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from backend.domain.image_metadata import AGE_GROUPS, ImageMetadata, Sex, View, age_group
from backend.domain.skipped import Skipped
from backend.formats import tables
from backend.formats.tables import UnreadableTableError

_IMAGE = "image"
_HEADINGS = {
    _IMAGE: ("image_id", "image", "Image Index", "file", "file_name"),
    "sex": ("sex", "gender", "Patient Sex", "Patient Gender"),
    "age": ("age", "Patient Age"),
    "view": ("view", "View Position"),
}
_NOT_KNOWN = {"", "u", "unknown", "n/a", "na", "nan"}
_SEXES = {"f": Sex.FEMALE, "female": Sex.FEMALE, "m": Sex.MALE, "male": Sex.MALE}
_LATERALS = ("lateral", "lat", "ll", "rl")
_VIEWS = {"pa": View.PA, "ap": View.AP, **dict.fromkeys(_LATERALS, View.LATERAL)}
_AGE = re.compile(r"([0-9]{1,3})(?:\.[0-9]+)?([YMWD]?)")
_IN_A_YEAR = {"": 1, "Y": 1, "M": 12, "W": 52, "D": 365}
_OLDEST_YEARS = 120

_Read = TypeVar("_Read")


@dataclass(frozen=True, slots=True)
class DescribedImage:
    """One row of a table.

    Attributes
    ----------
    line : str
        Where it stands, for people.
    image : str
        The image as the table names it: its id, or its file.
    metadata : ImageMetadata
        What the row says of it.
    """

    line: str
    image: str
    metadata: ImageMetadata


@dataclass(frozen=True, slots=True)
class MetadataTable:
    """What a table says of images.

    Attributes
    ----------
    rows : tuple of DescribedImage
        In the table's order, an image perhaps several times.
    skipped : tuple of Skipped
        Lines and cells that could not be used; the other cells of such a line are used.
    """

    rows: tuple[DescribedImage, ...]
    skipped: tuple[Skipped, ...]


def read_metadata(path: Path) -> MetadataTable:
    """Read a table of sex, age and view.

    Parameters
    ----------
    path : Path
        CSV file, plain or gzipped, with a column that names the image (image_id, image, file,
        file_name or Image Index) and any of sex (also gender, Patient Sex, Patient Gender), age
        (Patient Age; in years, or as DICOM writes it, for example 058Y or 010M) and view (View
        Position). Capitals, spaces and underscores in headings do not matter; other columns are
        not looked at.

    Returns
    -------
    MetadataTable
        What it says.

    Raises
    ------
    UnreadableTableError
        If it is not such a table.

    Notes
    -----
    An age leaves this function as a decade only. Dates are refused.
    """
    table = tables.read_table(path, required=())
    columns = _columns(path, table.header)
    rows = []
    skipped = list(table.skipped)
    for number, fields in zip(table.lines, table.rows, strict=True):
        line = tables.line_name(path, number)
        image = fields[columns[_IMAGE]]
        if not image:
            skipped.append(Skipped(line, "it names no image"))
            continue
        cells = {what: fields[at] for what, at in columns.items()}
        rows.append(DescribedImage(line, image, _metadata(cells, line, skipped)))
    return MetadataTable(tuple(rows), tuple(skipped))


def _columns(path: Path, header: Sequence[str]) -> dict[str, int]:
    found = {}
    for what, headings in _HEADINGS.items():
        wanted = {_plain(heading) for heading in headings}
        places = [at for at, heading in enumerate(header) if _plain(heading) in wanted]
        if len(places) > 1:
            raise UnreadableTableError(
                f"{path} has {len(places)} columns for the {what}: "
                f"{', '.join(header[at] for at in places)}; expected one; remove the others"
            )
        if places:
            found[what] = places[0]
    if _IMAGE not in found or len(found) == 1:
        raise UnreadableTableError(
            f"{path} lacks a column; expected one that names the image "
            f"({', '.join(_HEADINGS[_IMAGE])}) and at least one of sex, age, view"
        )
    return found


def _plain(heading: str) -> str:
    return re.sub(r"[\s_]", "", heading).lower()


def _metadata(cells: Mapping[str, str], line: str, skipped: list[Skipped]) -> ImageMetadata:
    def read(what: str, parse: Callable[[str], _Read | None], expected: str) -> _Read | None:
        cell = cells.get(what, "")
        if cell.lower() in _NOT_KNOWN:
            return None
        value = parse(cell)
        if value is None:
            why = f"its {what} cannot be used; expected {expected}, or nothing"
            skipped.append(Skipped(line, why))
        return value

    return ImageMetadata(
        sex=read("sex", lambda cell: _SEXES.get(cell.lower()), "F or M"),
        age_group=read(
            "age",
            _age_group,
            f"an age from 0 to {_OLDEST_YEARS} years such as 58, 058Y or 010M (never a date)",
        ),
        view=read("view", lambda cell: _VIEWS.get(cell.lower()), "PA, AP or lateral"),
    )


def _age_group(cell: str) -> str | None:
    if cell in AGE_GROUPS:
        return cell
    found = _AGE.fullmatch(cell.upper())
    if not found:
        return None
    years = int(found[1]) // _IN_A_YEAR[found[2]]
    return age_group(years) if years <= _OLDEST_YEARS else None
