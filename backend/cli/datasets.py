"""`overread datasets`: what models were trained and measured on."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from backend.domain.dataset import DatasetVersion
from backend.domain.dataset_difference import DatasetDifference, difference
from backend.domain.dataset_summary import DatasetSummary, summarise
from backend.domain.images import Split
from backend.opened import open_store
from backend.terminal import console, print_json, print_skipped, print_table

app = typer.Typer(help="Dataset versions.", no_args_is_help=True)

AsJson = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]
Name = Annotated[str, typer.Argument(help="For example d3.")]

_SHOWN_IMAGES = 20


@app.command(name="list")
def list_datasets(*, as_json: AsJson = False) -> None:
    """List every dataset version."""
    with open_store().snapshot() as unit:
        found = unit.dataset_history.heads()
    if as_json:
        print_json([asdict(one) for one in found])
        return
    print_table(
        "Dataset versions",
        ("name", "images", "left out", "consensus", "made", "sha256"),
        [
            (
                one.name,
                one.images,
                one.left_out,
                one.consensus_method,
                f"{one.created_at:%Y-%m-%d %H:%M}",
                one.sha256[:12],
            )
            for one in found
        ],
    )


@app.command()
def show(
    name: Name,
    *,
    figure: Annotated[Path | None, typer.Option(help="PNG to draw the imbalance into.")] = None,
    manifest: Annotated[
        Path | None, typer.Option(help="JSON file to write every image and box into.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show what a dataset version holds: findings by split and by reader."""
    with open_store().snapshot() as unit:
        version = unit.datasets.get(name)
    summary = summarise(version)
    if manifest:
        manifest.write_text(json.dumps(version.manifest(), indent=1) + "\n", encoding="utf-8")
    if figure:
        # Not at the top: matplotlib takes a second that no other command should pay.
        from backend.formats.imbalance import imbalance_figure  # noqa: PLC0415

        imbalance_figure(figure, summary, f"Dataset version {version.name}")
    if as_json:
        print_json(_as_json(version, summary))
        return
    _print_splits(version, summary)
    _print_findings(summary)
    _print_readers(summary)
    print_skipped(version.left_out)
    for written in (figure, manifest):
        if written:
            console.print(f"written: {written}", markup=False)


@app.command()
def diff(
    older: Annotated[str, typer.Argument(help="For example d3.")],
    newer: Annotated[str, typer.Argument(help="For example d4.")],
    *,
    as_json: AsJson = False,
) -> None:
    """Show what changed from one dataset version to another."""
    with open_store().snapshot() as unit:
        found = difference(unit.datasets.get(older), unit.datasets.get(newer))
    if as_json:
        boxes = {finding.title: asdict(changes) for finding, changes in found.boxes.items()}
        print_json({**asdict(found), "boxes": boxes})
        return
    _print_difference(f"{older} to {newer}", found)


def _as_json(version: DatasetVersion, summary: DatasetSummary) -> dict[str, object]:
    return {
        "name": version.name,
        "sha256": version.sha256,
        "consensus_method": version.consensus_method,
        "created_at": version.created_at,
        "seed": version.seed,
        "images": summary.images,
        "negatives": summary.negatives,
        "adjudicated": summary.adjudicated,
        "patients": summary.patients,
        "imbalance": summary.imbalance,
        "readings": _by_split(summary.readings),
        "findings": {
            finding.title: {
                **asdict(one),
                "by_reader": _by_split(one.by_reader),
            }
            for finding, one in summary.findings.items()
        },
        "left_out": [asdict(one) for one in version.left_out],
    }


def _by_split(counts: dict[tuple[str, Split], int]) -> dict[str, dict[str, int]]:
    found: dict[str, dict[str, int]] = {}
    for (reader, split), count in sorted(counts.items()):
        found.setdefault(reader, {})[split.value] = count
    return found


def _print_splits(version: DatasetVersion, summary: DatasetSummary) -> None:
    print_table(
        f"Dataset version {version.name}, {version.consensus_method}",
        ("split", "images", "patients", "without findings", "adjudicated"),
        [
            (
                split.value,
                summary.images[split],
                summary.patients[split],
                summary.negatives[split],
                summary.adjudicated[split],
            )
            for split in Split
        ],
    )
    if summary.imbalance:
        console.print(
            f"the most frequent finding is on {summary.imbalance:.1f} times as many images as "
            "the rarest that occurs"
        )


def _print_findings(summary: DatasetSummary) -> None:
    print_table(
        "Findings, the rarest first: images that show it",
        ("finding", *(split.value for split in Split), "boxes", "shown", "of test", "natural"),
        [
            (
                finding.title,
                *(one.images[split] for split in Split),
                sum(one.boxes.values()),
                f"x{one.showings:.1f}",
                _percent(one.share_in_test),
                _percent(one.natural_share),
            )
            for finding, one in summary.findings.items()
        ],
    )


def _print_readers(summary: DatasetSummary) -> None:
    print_table(
        "Readers: images read, and boxes of the consensus that they marked",
        ("reader", *(f"{split.value}: images, boxes" for split in Split), "findings"),
        [
            (
                reader,
                *(
                    f"{summary.readings.get((reader, split), 0):,}, "
                    f"{_boxes(summary, reader, split):,}"
                    for split in Split
                ),
                sum(
                    any(name == reader for name, _ in one.by_reader)
                    for one in summary.findings.values()
                ),
            )
            for reader in summary.readers
        ],
    )


def _boxes(summary: DatasetSummary, reader: str, split: Split) -> int:
    return sum(one.by_reader.get((reader, split), 0) for one in summary.findings.values())


def _print_difference(title: str, found: DatasetDifference) -> None:
    print_table(
        f"Images, {title}",
        ("", "images"),
        [
            ("added", len(found.added)),
            ("removed", len(found.removed)),
            ("in another split", len(found.other_split)),
            ("with other pixels", len(found.other_pixels)),
            ("adjudicated since", len(found.adjudicated)),
            ("with another weight", found.weighed_anew),
            ("with another repeat factor", found.repeated_anew),
        ],
    )
    print_table(
        f"Boxes on images that both hold, {title}",
        ("finding", "added", "removed", "moved", "weighed anew"),
        [
            (finding.title, one.added, one.removed, one.moved, one.weighed_anew)
            for finding, one in found.boxes.items()
        ],
    )
    for what, names in (("added", found.added), ("removed", found.removed)):
        if names:
            more = f" and {len(names) - _SHOWN_IMAGES} more" * (len(names) > _SHOWN_IMAGES)
            console.print(f"{what}: {', '.join(names[:_SHOWN_IMAGES])}{more}", markup=False)


def _percent(share: float | None) -> str | None:
    return None if share is None else f"{share:.1%}"
