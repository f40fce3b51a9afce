"""`overread readers stats`: how well readers read."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from backend.opened import open_store
from backend.terminal import console, print_json, print_table, waiting
from backend.workflow.assess_readers import readings_in_file
from backend.workflow.bias_rows import BiasRow, BiasTable, bias_tables
from backend.workflow.measure_readers import ReaderReport, measure_readers, report_on_table
from backend.workflow.reader_rows import DriftRow, Estimate, Figures, ReaderRow, rows_of

AsJson = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]
Readings = Annotated[
    Path | None,
    typer.Option("--input", help="A VinBigData table of readings instead of the store."),
]


class UnknownReaderNameError(LookupError):
    """No reading is by this reader."""


def stats(
    *,
    reader: Annotated[str | None, typer.Option(help="Only this reader.")] = None,
    by_finding: Annotated[bool, typer.Option(help="Show each finding by itself, too.")] = False,
    readings: Readings = None,
    as_json: AsJson = False,
) -> None:
    """Show how well each reader reads: by adjudicated images, and judged by the others."""
    with waiting("learning about the readers"):
        report = _report(readings)
        rows, bias = _chosen(rows_of(report), reader), bias_tables(report)
    if as_json:
        print_json(
            {
                "adjudicated_images": len(report.judged.image_ids),
                "readers": [asdict(row) for row in rows],
                "automation_bias": [asdict(table) for table in bias],
            }
        )
        return
    _print_quality(rows, len(report.judged.image_ids))
    _print_peers(rows)
    if by_finding:
        for row in rows:
            _print_findings(row)
    _print_drift(rows)
    if reader is None:
        _print_bias(bias, by_finding=by_finding)
    else:
        _print_habits(rows[0])


def _report(readings: Path | None) -> ReaderReport:
    if readings is not None:
        return report_on_table(readings_in_file(readings))
    with open_store().snapshot() as unit:
        return measure_readers(unit)


def _chosen(rows: Sequence[ReaderRow], reader: str | None) -> Sequence[ReaderRow]:
    if reader is None:
        return rows
    chosen = [row for row in rows if row.reader_id == reader]
    if not chosen:
        known = ", ".join(sorted(row.reader_id for row in rows))
        raise UnknownReaderNameError(
            f"{reader!r} has read nothing; readers with readings: {known}"
        )
    return chosen


def _print_quality(rows: Sequence[ReaderRow], images: int) -> None:
    if not images:
        console.print(
            "No image has been adjudicated yet, so nothing is known of the truth: below, readers "
            "are judged by one another."
        )
        return
    print_table(
        f"Readers by {images} adjudicated images, corrected for case mix, 95 % intervals",
        (
            "reader",
            "images",
            "gold",
            "sensitivity",
            "false per image",
            "IoU",
            "F1",
        ),
        [
            (
                row.reader_id,
                row.judged_readings,
                row.gold_readings,
                text_of(row.overall.sensitivity),
                text_of(row.overall.false_marks_per_image),
                f"{row.overall.mean_iou.value:.2f}" if row.overall.mean_iou.is_estimable else None,
                None if row.f1 is None else f"{row.f1:.2f}",
            )
            for row in rows
        ],
    )


def _print_peers(rows: Sequence[ReaderRow]) -> None:
    print_table(
        "Readers, judged by one another, 95 % intervals",
        ("reader", "images", "sensitivity", "false marks per image", "reliability"),
        [
            (
                row.reader_id,
                row.readings,
                text_of(row.overall.sensitivity_by_peers),
                f"{row.overall.false_marks_per_image_by_peers:.2f}",
                f"{row.reliability:.2f}",
            )
            for row in sorted(rows, key=lambda row: -row.reliability)
        ],
    )


def _print_findings(row: ReaderRow) -> None:
    print_table(
        f"{row.reader_id} by finding",
        ("finding", "found", "sensitivity", "false per image", "mean IoU", "by the others"),
        [_finding_cells(one) for one in row.by_finding],
    )


def _finding_cells(one: Figures) -> tuple[object, ...]:
    return (
        one.finding,
        f"{one.found} of {one.lesions}",
        text_of(one.sensitivity),
        text_of(one.false_marks_per_image, digits=3),
        text_of(one.mean_iou),
        text_of(one.sensitivity_by_peers),
    )


def _print_drift(rows: Sequence[ReaderRow]) -> None:
    changed = [(row.reader_id, one) for row in rows for one in row.drift if one.has_drifted]
    tested = sum(one.p_value is not None for row in rows for one in row.drift)
    if not changed:
        console.print(f"Drift: no evidence in {tested} series of 40 readings or more.")
        return
    print_table(
        f"Drift: {len(changed)} of {tested} series changed",
        ("reader", "figure", "since", "from", "to", "p"),
        [_drift_cells(reader_id, one) for reader_id, one in changed],
    )


def _drift_cells(reader_id: str, one: DriftRow) -> tuple[object, ...]:
    since = None if one.changed_at is None else f"{one.changed_at:%Y-%m-%d}"
    return (
        reader_id,
        one.figure,
        since,
        f"{one.before:.2f}",
        f"{one.after:.2f}",
        f"{one.p_value:.1g}",
    )


def _print_bias(tables: Sequence[BiasTable], *, by_finding: bool) -> None:
    for table in tables:
        shown = (*table.overall, *table.by_finding) if by_finding else table.overall
        rows = [row for row in shown if row.is_estimable]
        title = (
            f"Influence of the pre-annotation, by {table.reference}: {table.readings} readings "
            f"whose arm was drawn, {table.unassisted} unassisted, {table.judged} judged"
        )
        if not rows:
            console.print(f"{title}; too few to say anything.", markup=False)
            continue
        print_table(
            title,
            ("figure", "finding", "with", "without", "difference, 95 %"),
            [_bias_cells(row) for row in rows],
        )


def _bias_cells(row: BiasRow) -> tuple[object, ...]:
    sign = "x" if row.neutral else ""
    form = ".2f" if row.neutral else "+.3f"
    return (
        row.outcome,
        row.finding or "all",
        f"{row.assisted:.3f}",
        f"{row.unassisted:.3f}",
        f"{sign}{row.difference:{form}} [{row.low:{form}}, {row.high:{form}}]",
    )


def _print_habits(row: ReaderRow) -> None:
    print_table(
        f"How often {row.reader_id} draws, over the median of the others on the same images",
        ("finding", "ratio, 95 %", "boxes"),
        [
            (one.finding, f"{one.ratio:.2f} [{one.low:.2f}, {one.high:.2f}]", one.boxes)
            for one in row.habits
        ],
    )


def text_of(one: Estimate, *, digits: int = 2) -> str:
    """Return an estimate for people.

    Parameters
    ----------
    one : Estimate
        A number with its interval.
    digits : int
        Behind the point.

    Returns
    -------
    str
        The number with its interval, or that it is not estimable.
    """
    if not one.is_estimable:
        return "not estimable"
    return f"{one.value:.{digits}f} [{one.low:.{digits}f}, {one.high:.{digits}f}]"
