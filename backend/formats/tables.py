"""CSV tables, plain or gzipped, with the line of the file that every row stands on."""

import csv
import gzip
import io
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from operator import itemgetter
from pathlib import Path

from backend.domain.skipped import Skipped

_GZIP_MAGIC = b"\x1f\x8b"


class UnreadableTableError(ValueError):
    """A file is not the table that was expected, so none of it can be used."""


@dataclass(frozen=True, slots=True)
class Table:
    """The rows of a CSV file as text.

    Attributes
    ----------
    header : tuple of str
        Names of the columns; of several with one name the first counts. Nameless columns at
        the end, which stray commas make, are no columns.
    lines : tuple of int
        The number of every row's line in the file (the header is line 1).
    rows : tuple of tuple of str
        Every line that has the header's number of fields; stripped text, "" when empty.
    skipped : tuple of Skipped
        The lines that have another number of fields.
    """

    header: tuple[str, ...]
    lines: tuple[int, ...]
    rows: tuple[tuple[str, ...], ...]
    skipped: tuple[Skipped, ...]

    def columns(self, *names: str) -> Iterator[tuple[str, ...]]:
        """Return some columns, row by row.

        Parameters
        ----------
        *names : str
            At least two columns that are there.

        Returns
        -------
        iterator of tuple of str
            One per row.
        """
        return map(itemgetter(*map(self.header.index, names)), self.rows)


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
    lines = _lines(_text(path), path)
    _, header = next(lines, (1, ()))
    missing = [name for name in required if name not in header]
    if missing:
        raise UnreadableTableError(
            f"{path} lacks the column{'s' * (len(missing) > 1)} {', '.join(missing)}; "
            f"expected a header line with {', '.join(required)}; "
            f"found {', '.join(header) or 'nothing'}"
        )
    named = max((at for at, name in enumerate(header, start=1) if name), default=0)
    numbers: list[int] = []
    rows: list[tuple[str, ...]] = []
    skipped: list[Skipped] = []
    for number, fields in lines:
        if not any(fields):
            continue
        if len(fields) in {named, len(header)}:
            numbers.append(number)
            rows.append(fields[:named])
        else:
            why = f"it has {len(fields)} fields; expected {len(header)}, as in the header"
            skipped.append(Skipped(line_name(path, number), why))
    return Table(header[:named], tuple(numbers), tuple(rows), tuple(skipped))


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


def _lines(text: str, path: Path) -> Iterator[tuple[int, tuple[str, ...]]]:
    reader = csv.reader(io.StringIO(text, newline=""))
    first = 1
    try:
        for fields in reader:
            yield first, tuple(map(str.strip, fields))
            first = reader.line_num + 1
    except csv.Error as error:
        raise UnreadableTableError(
            f"{line_name(path, first)} is not CSV ({error}); expected comma-separated values"
        ) from error
