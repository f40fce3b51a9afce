"""Note sex, age group and view of registered images."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from backend.domain.image_metadata import ImageMetadata
from backend.domain.images import Image
from backend.domain.skipped import Skipped
from backend.formats.metadata_csv import DescribedImage, MetadataTable
from backend.formats.radiographs import SUFFIXES
from backend.store.unit_of_work import Store


@dataclass(frozen=True, slots=True)
class MetadataReport:
    """What a table brought.

    Attributes
    ----------
    changed, unchanged : int
        Images of which it said something new, and of which it said what was known.
    unknown_rows : int
        Rows that name no image of the import.
    without_row : int
        Images of the import that no row names.
    skipped : tuple of Skipped
        What could not be used, and why.
    """

    changed: int
    unchanged: int
    unknown_rows: int
    without_row: int
    skipped: tuple[Skipped, ...]


def describe_images(store: Store, table: MetadataTable, files: Iterable[Path]) -> MetadataReport:
    """Note what a table says of the images that were registered from some files.

    What the table leaves open stays as it was.

    Parameters
    ----------
    store : Store
        The database.
    table : MetadataTable
        What was read.
    files : iterable of Path
        The files of the import; a row names one of them, or its image's id.

    Returns
    -------
    MetadataReport
        What changed, what was left out.
    """
    uris = {str(path.absolute()) for path in files}
    with store.transaction() as unit:
        images = [image for image in unit.images.all().values() if image.uri in uris]

        said, unknown_rows, skipped = _said(table.rows, images)
        known = {image.id: image.metadata for image in images}
        better = {image_id: known[image_id].updated(new) for image_id, new in said.items()}
        changed = {key: value for key, value in better.items() if value != known[key]}

        unit.images.set_metadata(changed)
    return MetadataReport(
        changed=len(changed),
        unchanged=len(better) - len(changed),
        unknown_rows=unknown_rows,
        without_row=len(images) - len(said),
        skipped=(*table.skipped, *skipped),
    )


def _said(
    rows: Iterable[DescribedImage], images: Iterable[Image]
) -> tuple[dict[str, ImageMetadata], int, list[Skipped]]:
    """Return what is said of every image, how many rows name none, and what contradicts."""
    named: dict[str, set[str]] = {}
    for image in images:
        path = Path(image.uri)
        for name in (image.id, path.name, path.stem):
            named.setdefault(name, set()).add(image.id)

    said: dict[str, ImageMetadata] = {}
    unknown = 0
    skipped = []
    for row in rows:
        meant = named.get(row.image) or named.get(_without_suffix(row.image), set())
        if not meant:
            unknown += 1
        elif len(meant) > 1:
            skipped.append(Skipped(row.line, f"{len(meant)} images have this name; use their ids"))
        else:
            [image_id] = meant
            earlier = said.get(image_id, row.metadata)
            said[image_id] = row.metadata.updated(earlier)
            if earlier.updated(row.metadata) != said[image_id]:
                why = "an earlier line says otherwise of this image; the earlier one is used"
                skipped.append(Skipped(row.line, why))
    return said, unknown, skipped


def _without_suffix(name: str) -> str:
    suffix = Path(name).suffix
    return name.removesuffix(suffix) if suffix.lower() in SUFFIXES else name
