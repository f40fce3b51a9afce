"""`overread import`: radiographs and readings from elsewhere."""

from pathlib import Path
from typing import Annotated

import typer

from backend.domain.skipped import Skipped
from backend.formats.image_cache import ImageCache
from backend.formats.metadata_csv import read_metadata
from backend.opened import open_store
from backend.settings import Settings
from backend.terminal import Steps, console, now, print_json, print_skipped
from backend.workflow import image_sets
from backend.workflow.describe_images import MetadataReport, describe_images
from backend.workflow.reconcile_again import reconcile_again
from backend.workflow.register_images import ImageSet, ImportReport, register_images

app = typer.Typer(help="Register radiographs, with their readings.", no_args_is_help=True)

AsJson = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]
Metadata = Annotated[
    Path | None,
    typer.Option(
        help="CSV that names images (image id or file) and any of sex, age and view, for example "
        "NIH's Data_Entry_2017.csv. Ages are kept as decades only."
    ),
]


class NothingImportedError(RuntimeError):
    """Not one image of a source could be used."""


@app.command()
def vinbigdata(
    *,
    images: Annotated[Path, typer.Option(help="Folder of PNG or JPEG files named by image id.")],
    labels: Annotated[Path, typer.Option(help="Readings in the form of Kaggle's train.csv.")],
    image_sizes: Annotated[
        Path | None,
        typer.Option(help="Sizes of the originals (image_id, height, width), if resized."),
    ] = None,
    metadata: Metadata = None,
    as_json: AsJson = False,
) -> None:
    """Import a VinBigData table of readings and its images."""
    found, skipped = image_sets.from_vinbigdata(images, labels, image_sizes)
    _register(found, skipped, metadata, as_json=as_json)


@app.command()
def yolo(
    folder: Annotated[Path, typer.Argument(help="With labels/<image id>.txt and the images.")],
    *,
    reader: Annotated[
        str, typer.Option(help="Pseudonym that the labels are attributed to.")
    ] = "yolo",
    metadata: Metadata = None,
    as_json: AsJson = False,
) -> None:
    """Import a YOLO dataset of the 14 findings; an empty file means "No finding"."""
    found, skipped = image_sets.from_yolo(folder, reader_id=reader)
    _register(found, skipped, metadata, as_json=as_json)


@app.command(name="images")
def folder_of_images(
    folder: Annotated[Path, typer.Argument(help="Searched at any depth.")],
    *,
    keep_names: Annotated[
        bool,
        typer.Option(help="Use file names as image ids; only if they identify nobody."),
    ] = False,
    patient_pattern: Annotated[
        str | None,
        typer.Option(help=r"Finds the patient in a kept file name, e.g. '^(\d+)_'."),
    ] = None,
    metadata: Metadata = None,
    as_json: AsJson = False,
) -> None:
    """Register unread radiographs."""
    found, skipped = image_sets.from_folder(
        folder, keep_names=keep_names, patient_pattern=patient_pattern
    )
    _register(found, skipped, metadata, as_json=as_json)


def _register(
    images: ImageSet, skipped: list[Skipped], metadata: Path | None, *, as_json: bool
) -> None:
    table = None if metadata is None else read_metadata(metadata)
    settings = Settings()
    store = open_store(settings)
    cache = ImageCache(settings.image_cache_dir, settings.image_cache_bytes)
    with Steps() as steps:
        steps.step("registering images", len(images.files))
        report = register_images(
            store, images, now=now(), on_image=steps.advance_by, on_pixels=cache.prepare
        )
        described = None if table is None else describe_images(store, table, images.files)
        if report.readings or report.unchanged_readings:
            _, left_out = reconcile_again(
                store,
                clock=now,
                on_start=lambda total: steps.step("reconciling readings", total),
                on_images=steps.advance_by,
            )
            if left_out:
                console.print(left_out, markup=False)
    report.skipped[:0] = skipped
    if described:
        report.skipped.extend(described.skipped)
    _show(report, described, as_json=as_json)
    if not report.images and not report.unchanged_images:
        raise NothingImportedError(
            f"none of {len(images.files)} images could be used; the list above says why"
        )


def _show(report: ImportReport, described: MetadataReport | None, *, as_json: bool) -> None:
    if as_json:
        print_json(
            {
                "images": report.images,
                "readings": report.readings,
                "boxes": report.boxes,
                "unchanged": {
                    "images": report.unchanged_images,
                    "readings": report.unchanged_readings,
                },
                "sizes_assumed": report.sizes_assumed,
                "metadata": described
                and {
                    "changed": described.changed,
                    "unchanged": described.unchanged,
                    "unknown_rows": described.unknown_rows,
                    "images_without_row": described.without_row,
                },
                "skipped": [{"what": item.what, "why": item.why} for item in report.skipped],
            }
        )
        return
    print_skipped(report.skipped)
    console.print(
        f"new: {report.images} images, {report.readings} readings, {report.boxes} boxes; "
        f"there already: {report.unchanged_images} images, {report.unchanged_readings} readings"
    )
    if described:
        console.print(
            f"metadata: {described.changed} images changed, {described.unchanged} unchanged, "
            f"{described.without_row} without a row; {described.unknown_rows} rows name no image "
            "of this import"
        )
    if report.sizes_assumed:
        console.print(
            f"[yellow]{report.sizes_assumed} images have boxes but no known original size; the "
            "boxes fit and were taken as pixels of the stored files. If these files were resized, "
            "delete the database and import again with --image-sizes[/]"
        )
