"""How well readers read, as pages: of all for managers, of themselves for readers."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import isfinite

from fastapi import Response

from backend.dashboard.lobby import Lobby
from backend.domain.metrics.bootstrap import Interval
from backend.domain.metrics.drift import FEWEST_DAYS, FEWEST_READINGS, Window
from backend.workflow.assess_readers import NothingReadError, ReaderAgreement
from backend.workflow.bias_rows import BiasRow, BiasTable, bias_tables
from backend.workflow.reader_rows import (
    DriftRow,
    Estimate,
    HabitRow,
    ReaderRow,
    others_median,
    rows_of,
)

_WIDTH, _HEIGHT, _MARGIN = 120.0, 32.0, 3.0
_SHADES = 9


@dataclass(frozen=True, slots=True)
class Line:
    """The points of a sparkline, and the outline of its 95 % band, for SVG.

    Attributes
    ----------
    points, band : str
        Pairs of coordinates.
    last_x, last_y : float
        Where it ends.
    """

    points: str
    band: str
    last_x: float
    last_y: float


@dataclass(frozen=True, slots=True)
class Trend:
    """One figure of a reader over time.

    Attributes
    ----------
    drift : DriftRow
        What was measured.
    line : Line or None
        Its picture; None with fewer than two windows.
    """

    drift: DriftRow
    line: Line | None


def quality_of_all(lobby: Lobby, csrf: str) -> Response:
    """Return the managers' page.

    Parameters
    ----------
    lobby : Lobby
        What the pages may use.
    csrf : str
        Of the visit.

    Returns
    -------
    Response
        Every reader, drift, the influence of the model, agreement.
    """
    try:
        report = lobby.reports.quality()
    except NothingReadError:
        return lobby.page("quality_unknown.html", csrf=csrf, reader_id=None)
    rows = rows_of(report)
    return lobby.page(
        "quality.html",
        csrf=csrf,
        reader_id=None,
        rows=rows,
        images=len(report.judged.image_ids),
        gold=sum(row.gold_readings for row in rows),
        most_false=_most(row.overall.false_marks_per_image for row in rows),
        trends=[(row.reader_id, trends_of(row)) for row in rows if _is_followed(row)],
        short=(FEWEST_READINGS, FEWEST_DAYS),
        bias=[(table, _reaches(table)) for table in bias_tables(report)],
        matrix=_matrix(lobby.reports.agreement()),
        findings=_agreement_rows(lobby.reports.agreement()),
    )


def quality_of_one(lobby: Lobby, csrf: str, reader_id: str) -> Response:
    """Return a reader's own page.

    Parameters
    ----------
    lobby : Lobby
        What the pages may use.
    csrf : str
        Of the visit.
    reader_id : str
        Whose.

    Returns
    -------
    Response
        The reader's figures, and medians of the others when there are enough of them.
    """
    try:
        report = lobby.reports.quality_for_readers(lobby.clock())
    except NothingReadError:
        return lobby.page("quality_unknown.html", csrf=csrf, reader_id=reader_id)
    rows = rows_of(report)
    own = next((row for row in rows if row.reader_id == reader_id), None)
    if own is None:
        return lobby.page("quality_unknown.html", csrf=csrf, reader_id=reader_id)
    return lobby.page(
        "own_quality.html",
        csrf=csrf,
        reader_id=reader_id,
        row=own,
        others=others_median(rows, reader_id),
        most_false=_most([own.overall.false_marks_per_image]),
        findings=[one for one in own.by_finding if one.lesions or one.false_marks],
        sentences=[sentence_of(one) for one in own.habits if one.is_unusual],
        compared=len(own.habits),
        trends=trends_of(own) if _is_followed(own) else (),
        short=(FEWEST_READINGS, FEWEST_DAYS),
    )


def trends_of(row: ReaderRow) -> tuple[Trend, ...]:
    """Return the figures of a reader over time, with their pictures.

    Parameters
    ----------
    row : ReaderRow
        The reader.

    Returns
    -------
    tuple of Trend
        One per figure.
    """
    return tuple(Trend(one, _line(one.windows)) for one in row.drift)


def sentence_of(habit: HabitRow) -> str:
    """Return how a reader's habit differs from the others', as a sentence.

    Parameters
    ----------
    habit : HabitRow
        One whose interval leaves out 1.

    Returns
    -------
    str
        It names nobody.

    Examples
    --------
    >>> sentence_of(HabitRow("ILD", 2.31, 1.9, 2.8, 40, is_unusual=True))
    'You draw ILD 2.3 times as often as the median of the others (95 %: 1.9 to 2.8).'
    """
    return (
        f"You draw {habit.finding} {habit.ratio:.1f} times as often as the median of the others "
        f"(95 %: {habit.low:.1f} to {habit.high:.1f})."
    )


def _is_followed(row: ReaderRow) -> bool:
    return any(one.windows for one in row.drift)


def _line(windows: Sequence[Window]) -> Line | None:
    if len(windows) < 2:
        return None
    lowest = min(one.low for one in windows)
    span = max(one.high for one in windows) - lowest or 1.0
    step = (_WIDTH - 2 * _MARGIN) / (len(windows) - 1)

    def place(number: int, value: float) -> tuple[float, float]:
        height = (_HEIGHT - 2 * _MARGIN) * (value - lowest) / span
        return round(_MARGIN + step * number, 1), round(_HEIGHT - _MARGIN - height, 1)

    means = [place(number, one.mean) for number, one in enumerate(windows)]
    highs = [place(number, one.high) for number, one in enumerate(windows)]
    lows = [place(number, one.low) for number, one in enumerate(windows)]
    return Line(_points(means), _points([*highs, *reversed(lows)]), *means[-1])


def _points(places: Sequence[tuple[float, float]]) -> str:
    return " ".join(f"{x},{y}" for x, y in places)


def _most(estimates: Iterable[Estimate]) -> float:
    """Return how far the pictures of some estimates must reach."""
    return max((one.high for one in estimates if one.is_estimable), default=1.0)


def _reaches(table: BiasTable) -> dict[str, float]:
    """Return for every outcome how far its picture must reach from no influence."""
    reaches: dict[str, float] = {}
    for row in (*table.overall, *table.by_finding):
        reaches[row.outcome] = max(reaches.get(row.outcome, 0.0), _reach(row))
    return reaches


def _reach(row: BiasRow) -> float:
    if row.low is None or row.high is None:
        return 0.01
    return max(abs(row.low - row.neutral), abs(row.high - row.neutral), 0.01)


def _matrix(found: ReaderAgreement) -> list[tuple[str, list[tuple[str, int]]]]:
    """Return each reader's agreement with every other as text and shade."""
    matrix = found.matrix
    cells = matrix.f1.tolist()
    return [
        (
            reader_id,
            [
                (f"{one:.2f}", round(one * _SHADES)) if isfinite(one) else ("", 0)
                for one in cells[row]
            ],
        )
        for row, reader_id in enumerate(matrix.reader_ids)
    ]


def _agreement_rows(found: ReaderAgreement) -> list[tuple[str, int, int, Interval, Interval]]:
    return [
        (
            finding.title,
            one.images_any,
            one.images_all,
            one.on_images.alpha,
            next(iter(one.on_boxes.f1.values())),
        )
        for finding, one in found.findings.by_finding.items()
        if one.images_any
    ]
