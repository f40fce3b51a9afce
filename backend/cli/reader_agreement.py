"""`overread readers agreement`: how far readers agree."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from backend.domain.metrics.bootstrap import Interval
from backend.domain.reading_table import ReadingTable
from backend.opened import open_store
from backend.terminal import print_json, print_table, waiting
from backend.workflow.assess_readers import (
    ReaderAgreement,
    compare_readers,
    plain_agreement,
    readings_in_file,
    readings_in_store,
)

AsJson = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]
Readings = Annotated[
    Path | None,
    typer.Option("--input", help="A VinBigData table of readings instead of the store."),
]


def agreement(
    *,
    readings: Readings = None,
    figure: Annotated[
        Path | None, typer.Option(help="PNG to draw the matrix of the readers in.")
    ] = None,
    iou: Annotated[
        float, typer.Option(min=0.0, max=0.99, help="Overlap from which two boxes agree.")
    ] = 0.4,
    as_json: AsJson = False,
) -> None:
    """Show how far the readers agree on each finding, and with one another."""
    table = _table(readings)
    with waiting("comparing readers"):
        found = compare_readers(table, iou_threshold=iou)
    if figure is not None:
        # Not at the top: matplotlib takes a second that no other command should pay.
        from backend.formats.figures import agreement_matrix  # noqa: PLC0415

        matrix = found.matrix
        agreement_matrix(
            figure, matrix.reader_ids, matrix.f1, matrix.images, f"Boxes at IoU above {iou:g}"
        )
    if as_json:
        print_json(plain_agreement(found))
        return
    _print_findings(found)
    _print_matrix(found)


def _table(readings: Path | None) -> ReadingTable:
    if readings is not None:
        return readings_in_file(readings)
    with open_store().snapshot() as unit:
        return readings_in_store(unit)


def _print_findings(found: ReaderAgreement) -> None:
    rows = [
        (
            finding.title,
            one.images_any,
            one.images_all,
            _text(one.on_images.alpha),
            _text(one.on_images.ac1),
            _text(one.on_images.positive),
            *(_text(interval) for interval in one.on_boxes.f1.values()),
            _text(one.on_boxes.mean_iou),
        )
        for finding, one in found.findings.by_finding.items()
    ]
    print_table(
        f"Agreement on {found.findings.images} images, 95 % intervals over images",
        ("finding", "any", "all", "alpha", "AC1", "positive", "F1@0.4", "F1@0.5", "mean IoU"),
        rows,
    )
    print_table(
        "Agreement on places (Krippendorff's alpha)",
        ("whether and what, by image", "all places", "what, where marked", "whether"),
        [
            tuple(
                _text(interval)
                for interval in (
                    found.places.mean_image_alpha,
                    found.places.global_alpha,
                    found.places.finding_alpha,
                    found.places.presence_alpha,
                )
            )
        ],
    )


def _print_matrix(found: ReaderAgreement) -> None:
    matrix = found.matrix
    drew = np.isfinite(matrix.f1).any(axis=1)
    chosen = np.flatnonzero(drew).tolist()
    names = [matrix.reader_ids[row] for row in chosen]
    cells: Sequence[Sequence[object]] = [
        (
            matrix.reader_ids[row],
            *(
                f"{matrix.f1[row, column]:.2f}" if np.isfinite(matrix.f1[row, column]) else ""
                for column in chosen
            ),
        )
        for row in chosen
    ]
    print_table("Pair F1 of the boxes, readers with boxes in common", ("", *names), cells)


def _text(interval: Interval) -> str:
    if interval.estimate is None or interval.low is None or interval.high is None:
        return "-"
    return f"{interval.estimate:.2f} [{interval.low:.2f}, {interval.high:.2f}]"
