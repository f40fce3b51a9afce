"""CSV tables, plain or gzipped, with the line of the file that every row stands on."""

import csv
import gzip
import io
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from backend.domain.skipped import Skipped

if TYPE_CHECKING:
    import pandas as pd

_GZIP_MAGIC = b"\x1f\x8b"


class UnreadableTableError(ValueError):
    """A file is not the table that was expected, so none of it can be used."""


@dataclass(frozen=True, slots=True)
class Table:
    """The rows of a CSV file as text.

    Attributes
    ----------
    rows : DataFrame
        One row per line that has the header's number of fields, indexed by the line's number
        in the file (the header is line 1); every value is stripped text, "" when empty.
    skipped : tuple of Skipped
        The lines that have another number of fields.
    """

    rows: "pd.DataFrame"
    skipped: tuple[Skipped, ...]


def read_table(path: Path, *, required: Sequence[str]) -> Table:
    """Read a CSV file.

    Parameters
    ----------
    path : Path
        The file, plain or gzipped, UTF-8, comma-separated, with a header line.
    required : sequence of str
        Columns that must be there; others are kept too.

    Returns
    -------
    Table
        The rows; entirely empty lines are no rows.

    Raises
    ------
    UnreadableTableError
        If the file cannot be read as a CSV table or a required column is missing.
    """
    # Imported here, because pandas takes a second and most commands read no table.
    import pandas as pd  # noqa: PLC0415

    lines = _lines(_text(path), path)
    _, header = next(lines, (1, []))
    missing = [name for name in required if name not in header]
    if missing:
        raise UnreadableTableError(
            f"{path} lacks the column{'s' * (len(missing) > 1)} {', '.join(missing)}; "
            f"expected a header line with {', '.join(required)}; "
            f"found {', '.join(header) or 'nothing'}"
        )
    numbers: list[int] = []
    rows: list[list[str]] = []
    skipped: list[Skipped] = []
    for number, fields in lines:
        if not any(fields):
            continue
        if len(fields) == len(header):
            numbers.append(number)
            rows.append(fields)
        else:
            why = f"it has {len(fields)} fields; expected {len(header)}, as in the header"
            skipped.append(Skipped(line_name(path, number), why))
    frame = pd.DataFrame(rows, index=numbers, columns=header, dtype=str)
    return Table(frame.loc[:, ~frame.columns.duplicated()], tuple(skipped))


def line_name(path: Path, number: int) -> str:
    """Return how a line of a file is named to a person.

    Parameters
    ----------
    path : Path
        The file.
    number : int
        The line, from 1.

    Returns
    -------
    str
        File name and line number.

    Examples
    --------
    >>> line_name(Path("data/train.csv"), 7)
    'train.csv:7'
    """
    return f"{path.name}:{number}"


def _text(path: Path) -> str:
    try:
        data = path.read_bytes()
        if data.startswith(_GZIP_MAGIC):
            data = gzip.decompress(data)
        return data.decode("utf-8-sig")
    except OSError as error:
        raise UnreadableTableError(
            f"{path} cannot be read ({error.strerror or error}); expected a CSV file"
        ) from error
    except (EOFError, zlib.error) as error:
        raise UnreadableTableError(
            f"{path} is a gzip file that is cut short or damaged ({error}); "
            "copy it again from its source"
        ) from error
    except UnicodeDecodeError as error:
        raise UnreadableTableError(
            f"{path} is not UTF-8 text ({error.reason} at byte {error.start}); "
            "expected a CSV file, plain or gzipped"
        ) from error


def _lines(text: str, path: Path) -> Iterator[tuple[int, list[str]]]:
    reader = csv.reader(io.StringIO(text, newline=""))
    first = 1
    try:
        for fields in reader:
            yield first, [field.strip() for field in fields]
            first = reader.line_num + 1
    except csv.Error as error:
        raise UnreadableTableError(
            f"{line_name(path, first)} is not CSV ({error}); expected comma-separated values"
        ) from error
