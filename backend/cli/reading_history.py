"""`overread readers history`: what became of the readings of one image."""

from collections import Counter
from dataclasses import asdict
from typing import Annotated, Any

import typer

from backend.domain.provenance import TracedBox
from backend.opened import open_store
from backend.terminal import print_json, print_table
from backend.workflow.list_skipped import list_skipped
from backend.workflow.trace_readings import TracedReading, trace_readings


class NoHistoryError(ValueError):
    """Nobody read or skipped the image."""


def history(
    image_id: Annotated[str, typer.Argument(help="The image.")],
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Show every revision of the readings of an image: boxes, where they came from, time, note."""
    with open_store().snapshot() as unit:
        traced = trace_readings(unit, unit.readings.revisions(image_id))
        skipped = list_skipped(unit, image_id)
    if not traced and not skipped:
        raise NoHistoryError(
            f"nobody has read or skipped {image_id!r}; see: overread queue show, or the image ids "
            "in the dashboard"
        )
    if as_json:
        revisions = [_revision(one) for one in traced]
        print_json({"revisions": revisions, "skipped": [asdict(one) for one in skipped]})
        return
    columns = (
        "reader",
        "round",
        "revision",
        "state",
        "arm",
        "boxes",
        "seconds",
        "read at",
        "note",
    )
    print_table(f"Readings of {image_id}", columns, [_row(one) for one in traced])
    if skipped:
        said = [(one.reader, one.reason or "", one.note or "") for one in skipped]
        print_table("Set aside", ("reader", "cannot be read because", "note"), said)


def _row(traced: TracedReading) -> tuple[Any, ...]:
    reading, receipt = traced.kept.reading, traced.kept.receipt
    origins = Counter(one.box.origin.value for one in traced.boxes)
    seconds = traced.active_seconds
    return (
        reading.reader_id,
        reading.round,
        reading.revision,
        receipt.state if receipt.reason is None else f"{receipt.state}: {receipt.reason}",
        reading.arm,
        ", ".join(f"{number} {origin}" for origin, number in origins.items()) or "No finding",
        "" if seconds is None else f"{seconds:.0f}",
        f"{reading.read_at:%Y-%m-%d %H:%M}",
        reading.note or "",
    )


def _revision(traced: TracedReading) -> dict[str, Any]:
    reading, receipt = traced.kept.reading, traced.kept.receipt
    return {
        "reader": reading.reader_id,
        "round": reading.round,
        "revision": reading.revision,
        "state": receipt.state,
        "reason": receipt.reason,
        "arm": reading.arm,
        "model_version": reading.model_version,
        "read_at": reading.read_at.isoformat(),
        "lead_time_seconds": reading.lead_time_seconds,
        "active_seconds": traced.active_seconds,
        "note": reading.note,
        "boxes": [_box(one) for one in traced.boxes],
    }


def _box(traced: TracedBox) -> dict[str, Any]:
    change = traced.adjustment
    return {
        "finding": traced.box.finding.title,
        **traced.box.box._asdict(),
        "certainty": traced.box.certainty,
        "origin": traced.box.origin,
        "shown_score": None if traced.shown is None else traced.shown.score,
        "adjustment": None
        if change is None
        else {
            **asdict(change),
            "shown_finding": change.shown_finding.title,
            "shift_px": change.shift_px,
        },
    }
