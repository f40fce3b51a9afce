"""Register radiographs, and the readings that come with them."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from pathlib import Path

from backend.domain.images import Image
from backend.domain.readings import ReadBox, Reading
from backend.domain.skipped import Skipped
from backend.formats.original_sizes import RefusedImageError, SizePx
from backend.formats.placement import PlacedReadings
from backend.formats.radiographs import Fingerprint, UnreadableImageError, read_folder
from backend.store.readings import Receipt
from backend.store.unit_of_work import Store, UnitOfWork

_File = tuple[Path, Fingerprint | UnreadableImageError]
_IMAGES_PER_TRANSACTION = 250
_HASH_CHARACTERS_IN_ID = 20

PlaceReadings = Callable[[str, SizePx], tuple[PlacedReadings, SizePx | None]]
"""From an image id and the stored size to its readings and the original's size."""


@dataclass(frozen=True, slots=True)
class ImageSet:
    """Image files to register, and how to find their readings.

    Attributes
    ----------
    source : str
        Name of where they come from, kept with every image.
    files : mapping of Path to (str or None)
        File to image id; None makes the id of the pixels, for files whose names may identify
        a patient.
    patients : mapping of str to str
        Image id to patient pseudonym, where the source names patients.
    place_readings : callable or None
        Gives the readings of an image in its stored pixels; None when there are none.
    """

    source: str
    files: Mapping[Path, str | None]
    patients: Mapping[str, str] = field(default_factory=dict)
    place_readings: PlaceReadings | None = None


@dataclass(slots=True)
class ImportReport:
    """What an import did.

    Attributes
    ----------
    images, readings, boxes : int
        What is new in the store.
    unchanged_images, unchanged_readings : int
        What was there already, exactly so.
    sizes_assumed : int
        Images with boxes whose original size is unknown and was taken to be the stored size.
    skipped : list of Skipped
        What was left out, and why.
    """

    images: int = 0
    readings: int = 0
    boxes: int = 0
    unchanged_images: int = 0
    unchanged_readings: int = 0
    sizes_assumed: int = 0
    skipped: list[Skipped] = field(default_factory=list)

    def skip(self, what: object, why: object) -> None:
        """Add something that was left out.

        Parameters
        ----------
        what, why : object
            What it is, and what is wrong with it.
        """
        self.skipped.append(Skipped(str(what), str(why)))


def register_images(
    store: Store,
    images: ImageSet,
    *,
    now: datetime,
    on_image: Callable[[], None] = lambda: None,
) -> ImportReport:
    """Register every image of a set that is not registered yet, with its readings.

    The pixels are hashed, so a second run changes nothing and the same picture is never
    registered twice. A bad file costs itself only. Work is saved every 250 images: a run that is
    interrupted goes on where it stopped when it is started again.

    Parameters
    ----------
    store : Store
        The database.
    images : ImageSet
        What to register.
    now : datetime
        The time; aware.
    on_image : callable
        Called after each file.

    Returns
    -------
    ImportReport
        What was new, what was there, what was left out.
    """
    report = ImportReport()
    with store.snapshot() as unit:
        known = unit.images.ids_by_pixel_hash()
    hash_of = {image_id: pixel_hash for pixel_hash, image_id in known.items()}
    for chunk in _chunks(read_folder(images.files), _IMAGES_PER_TRANSACTION):
        found = _identify(chunk, images, known, hash_of, report)
        with store.transaction() as unit:
            _save(unit, found, images, report, now)
        for _ in chunk:
            on_image()
    return report


@dataclass(frozen=True, slots=True)
class _Found:
    id: str
    path: Path
    file: Fingerprint
    is_new: bool

    @property
    def stored(self) -> SizePx:
        return SizePx(self.file.width_px, self.file.height_px)


def _chunks(items: Iterator[_File], size: int) -> Iterator[list[_File]]:
    while chunk := list(islice(items, size)):
        yield chunk


def _identify(
    chunk: Iterable[_File],
    images: ImageSet,
    known: dict[str, str],
    hash_of: dict[str, str],
    report: ImportReport,
) -> list[_Found]:
    found = []
    for path, file in chunk:
        if isinstance(file, UnreadableImageError):
            report.skip(path, file)
            continue
        image_id = images.files[path] or f"x{file.pixel_hash[:_HASH_CHARACTERS_IN_ID]}"
        owner = known.get(file.pixel_hash)
        if owner is not None and owner != image_id:
            report.skip(
                path,
                f"it has the same pixels as image {owner}; the picture stays registered once, "
                "and readings under this second name are left out",
            )
        elif hash_of.get(image_id, file.pixel_hash) != file.pixel_hash:
            report.skip(
                path,
                f"another picture is registered as {image_id}; give this file another name",
            )
        else:
            found.append(_Found(image_id, path, file, is_new=owner is None))
            known[file.pixel_hash] = image_id
            hash_of[image_id] = file.pixel_hash
    return found


def _save(
    unit: UnitOfWork,
    found: Sequence[_Found],
    images: ImageSet,
    report: ImportReport,
    now: datetime,
) -> None:
    accepted: list[Image] = []
    readings: list[Reading] = []
    for item in found:
        try:
            placed, original = _place(item, images)
        except RefusedImageError as error:
            report.skip(item.path, error)
            continue
        accepted.append(_image(item, images, original))
        readings += _readings(item.id, placed, now)
        report.skipped.extend(placed.skipped)
        report.sizes_assumed += placed.is_size_assumed

    is_new = {item.id: item.is_new for item in found}
    new = [image for image in accepted if is_new[image.id]]
    unit.images.add(new, now=now)
    for image in accepted:
        if not is_new[image.id]:
            unit.images.move(image.id, uri=image.uri, sha256=image.sha256)
    report.images += len(new)
    report.unchanged_images += len(accepted) - len(new)
    unit.readers.ensure({reading.reader_id for reading in readings}, now=now)
    _save_readings(unit, readings, report, now)


def _save_readings(
    unit: UnitOfWork, readings: Sequence[Reading], report: ImportReport, now: datetime
) -> None:
    receipt = Receipt(received_at=now)
    there = {
        (reading.image_id, reading.reader_id): reading
        for reading in unit.readings.valid(reading.image_id for reading in readings)
    }
    first = [one for one in readings if (one.image_id, one.reader_id) not in there]
    unit.readings.add(first, receipt)
    changed = [
        one
        for one in readings
        if (one.image_id, one.reader_id) in there
        and _marks(one) != _marks(there[one.image_id, one.reader_id])
    ]
    for reading in changed:
        unit.readings.revise(reading, receipt)
    new = [*first, *changed]
    report.readings += len(new)
    report.boxes += sum(len(reading.boxes) for reading in new)
    report.unchanged_readings += len(readings) - len(new)


def _marks(reading: Reading) -> list[tuple[float, ...]]:
    return sorted((float(box.finding), *box.box) for box in reading.boxes)


def _place(item: _Found, images: ImageSet) -> tuple[PlacedReadings, SizePx | None]:
    if images.place_readings is None:
        return PlacedReadings({}, (), is_size_assumed=False), None
    return images.place_readings(item.id, item.stored)


def _image(item: _Found, images: ImageSet, original: SizePx | None) -> Image:
    return Image(
        id=item.id,
        source=images.source,
        uri=str(item.path.absolute()),
        sha256=item.file.sha256,
        pixel_hash=item.file.pixel_hash,
        width_px=item.file.width_px,
        height_px=item.file.height_px,
        patient_key=images.patients.get(item.id, item.id),
        original_width_px=original and original.width_px,
        original_height_px=original and original.height_px,
    )


def _readings(image_id: str, placed: PlacedReadings, now: datetime) -> list[Reading]:
    return [
        Reading(
            image_id=image_id,
            reader_id=reader_id,
            boxes=tuple(ReadBox(mark.finding, mark.box) for mark in marks),
            read_at=now,
        )
        for reader_id, marks in placed.readings.items()
    ]
