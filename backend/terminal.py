"""What commands show: progress, tables, and JSON for programs."""

import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Table
from rich.text import Text
from typing_extensions import override

from backend.domain.skipped import Skipped

console = Console(stderr=True, soft_wrap=True, highlight=False)
"""For people; standard output is left to results."""

_SHOWN_SKIPS = 20


def now() -> datetime:
    """Return the time; commands are where the clock is read.

    Returns
    -------
    datetime
        In UTC.
    """
    return datetime.now(UTC)  # noqa: TID251 - the one place of the command line


def print_json(result: object) -> None:
    """Print a result for programs.

    Parameters
    ----------
    result : object
        Plain values; moments become text.
    """
    sys.stdout.write(json.dumps(result, default=str, ensure_ascii=False) + "\n")


def print_table(title: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print a table for people, on standard output.

    Parameters
    ----------
    title : str
        Above the table.
    columns : sequence of str
        Headings.
    rows : sequence of sequence
        Cells; None is shown as a dash. Without a row, that is said instead.
    """
    if not rows:
        console.print(f"{title}: none", markup=False)
        return
    table = Table(title=title, title_justify="left")
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*("-" if cell is None else str(cell) for cell in row))
    Console(soft_wrap=False, highlight=False).print(table)


def print_skipped(skipped: Sequence[Skipped], *, what: str = "left out") -> None:
    """Print what was left out, and why.

    Parameters
    ----------
    skipped : sequence of Skipped
        Everything; the first twenty are shown.
    what : str
        What was done with it.
    """
    if not skipped:
        return
    console.print(f"[yellow]{len(skipped)} {what}:[/]")
    for item in skipped[:_SHOWN_SKIPS]:
        console.print(f"  {item.what}: {item.why}", markup=False)
    if len(skipped) > _SHOWN_SKIPS:
        console.print(f"  … and {len(skipped) - _SHOWN_SKIPS} more; --json lists all of them")


class _RateColumn(ProgressColumn):
    """How many parts are done in a second."""

    @override
    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        return Text(f"{speed:.1f}/s" if speed else "", style="progress.data.speed")


class Steps:
    """Progress bars of a job with several steps, one after the other.

    A context; without a terminal it prints one line per step instead.
    """

    def __init__(self) -> None:
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            _RateColumn(),
            TextColumn("{task.fields[note]}"),
            console=console,
            disable=not console.is_terminal,
        )
        self._task: TaskID | None = None

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self,
        error_type: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._progress.stop()

    def step(self, what: str, total: int) -> None:
        """Begin a step of so many parts.

        Parameters
        ----------
        what : str
            What is done.
        total : int
            Its parts.
        """
        if not console.is_terminal:
            console.print(f"{what} ({total})", markup=False)
        self._task = self._progress.add_task(what, total=total, note="")

    def advance(self, done: int, note: str = "") -> None:
        """Say how many parts of the step are done.

        Parameters
        ----------
        done : int
            From the beginning of the step.
        note : str
            Shown beside the bar.
        """
        if self._task is not None:
            self._progress.update(self._task, completed=done, note=note)

    def advance_by(self, parts: int = 1) -> None:
        """Say that further parts of the step are done.

        Parameters
        ----------
        parts : int
            How many.
        """
        if self._task is not None:
            self._progress.advance(self._task, parts)


@contextmanager
def waiting(what: str) -> Iterator[None]:
    """Show that something takes a while.

    Parameters
    ----------
    what : str
        What is waited for.

    Yields
    ------
    None
        For the time of the block.
    """
    if not console.is_terminal:
        console.print(what, markup=False)
    with console.status(what):
        yield
