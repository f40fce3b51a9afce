"""Register radiographs, and the readings that come with them."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from pathlib import Path

from backend.domain.images import Image, Split
from backend.domain.readings import ReadBox, Reading
from backend.domain.skipped import Skipped
from backend.formats.original_sizes import RefusedImageError, SizePx
from backend.formats.placement import PlacedReadings
from backend.formats.radiographs import Fingerprint, OnPixels, UnreadableImageError, read_folder
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
    patients : mapping of Path to str
        File to patient pseudonym, where the source names patients.
    splits : mapping of str to Split
        Image id to the split that it belongs to, where the source fixes it.
    place_readings : callable or None
        Gives the readings of an image in its stored pixels; None when there are none.
    """

    source: str
    files: Mapping[Path, str | None]
    patients: Mapping[Path, str] = field(default_factory=dict)
    splits: Mapping[str, Split] = field(default_factory=dict)
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
    on_pixels: OnPixels = lambda _: None,
) -> ImportReport:
    """Register every image of a set that is not registered yet, with its readings.

    The pixels are hashed, so a second run changes nothing and the same picture is never
    registered twice. A bad file costs itself only. Work is saved every 250 images: a run that is
    interrupted goes on where it stopped when it is started again. A reading that changed in the
    source becomes a further revision; one that its reader has since done in Label Studio stays.

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
    on_pixels : OnPixels
        Called with every readable file while its pixels are there.

    Returns
    -------
    ImportReport
        What was new, what was there, what was left out.
    """
    report = ImportReport()
    for chunk in _chunks(read_folder(images.files, on_pixels=on_pixels), _IMAGES_PER_TRANSACTION):
        readable = _readable(chunk, images, report)
        with store.transaction() as unit:
            registered = unit.images.like(
                (file.id for file in readable), (file.print.pixel_hash for file in readable)
            )
            accepted = _accept(readable, images, registered, report)
            _save_images(unit, accepted, registered, images, report, now)
            _save_readings(unit, accepted, report, now)
        for _ in chunk:
            on_image()
    return report


@dataclass(frozen=True, slots=True)
class _ReadableFile:
    id: str
    path: Path
    print: Fingerprint


@dataclass(frozen=True, slots=True)
class _Accepted:
    file: _ReadableFile
    placed: PlacedReadings
    original: SizePx | None


def _chunks(items: Iterator[_File], size: int) -> Iterator[list[_File]]:
    while chunk := list(islice(items, size)):
        yield chunk


def _readable(
    chunk: Iterable[_File], images: ImageSet, report: ImportReport
) -> list[_ReadableFile]:
    files = []
    for path, found in chunk:
        if isinstance(found, UnreadableImageError):
            report.skip(_printable(path), found)
        elif _printable(path) != str(path):
            report.skip(_printable(path), "its name is not UTF-8; give the file another name")
        else:
            image_id = images.files[path] or f"x{found.pixel_hash[:_HASH_CHARACTERS_IN_ID]}"
            files.append(_ReadableFile(image_id, path, found))
    return files


def _printable(path: Path) -> str:
    return str(path).encode(errors="backslashreplace").decode()


def _accept(
    files: Iterable[_ReadableFile],
    images: ImageSet,
    registered: Iterable[Image],
    report: ImportReport,
) -> list[_Accepted]:
    hash_of = {image.id: image.pixel_hash for image in registered}
    owners = {pixel_hash: image_id for image_id, pixel_hash in hash_of.items()}
    seen: set[str] = set()
    accepted = []
    for file in files:
        owner = owners.get(file.print.pixel_hash, file.id)
        if owner != file.id or owner in seen:
            report.skip(
                file.path,
                f"it has the same pixels as image {owner}; the picture stays registered once, "
                "and readings under this second name are left out",
            )
        elif hash_of.get(file.id, file.print.pixel_hash) != file.print.pixel_hash:
            report.skip(
                file.path,
                f"another picture is registered as {file.id}; give this file another name",
            )
        else:
            try:
                placed, original = _place(file, images)
            except RefusedImageError as error:
                report.skip(file.path, error)
                continue
            accepted.append(_Accepted(file, placed, original))
            hash_of[file.id] = file.print.pixel_hash
            owners[file.print.pixel_hash] = file.id
            seen.add(file.id)
    return accepted


def _save_images(
    unit: UnitOfWork,
    accepted: Sequence[_Accepted],
    registered: Iterable[Image],
    images: ImageSet,
    report: ImportReport,
    now: datetime,
) -> None:
    known = {image.id: image for image in registered}
    found = [_image(item, images) for item in accepted]
    new = [image for image in found if image.id not in known]
    unit.images.add(new, now=now)
    for image in found:
        there = known.get(image.id, image)
        if (image.uri, image.sha256) != (there.uri, there.sha256):
            unit.images.move(image.id, uri=image.uri, sha256=image.sha256)
    report.images += len(new)
    report.unchanged_images += len(found) - len(new)


def _save_readings(
    unit: UnitOfWork, accepted: Sequence[_Accepted], report: ImportReport, now: datetime
) -> None:
    receipt = Receipt(received_at=now)
    readings = [reading for item in accepted for reading in _readings(item, now)]
    there = unit.readings.first_round(item.file.id for item in accepted)
    unit.readers.ensure({reading.reader_id for reading in readings}, now=now)

    new, changed = [], []
    for reading in readings:
        kept = there.get((reading.image_id, reading.reader_id))
        if kept is None:
            new.append(reading)
        elif kept.receipt.annotation_id is not None:
            report.skip(
                f"reading of {reading.image_id} by {reading.reader_id}",
                "this reader has read the image in Label Studio, which counts",
            )
        elif _marks(reading) != _marks(kept.reading):
            changed.append(reading)
        else:
            report.unchanged_readings += 1

    unit.readings.add(new, receipt)
    for reading in changed:
        unit.readings.revise(reading, receipt)
    report.readings += len(new) + len(changed)
    report.boxes += sum(len(reading.boxes) for reading in (*new, *changed))
    for item in accepted:
        report.skipped.extend(item.placed.skipped)
        report.sizes_assumed += item.placed.is_size_assumed


def _marks(reading: Reading) -> list[tuple[float, ...]]:
    return sorted((float(box.finding), *box.box) for box in reading.boxes)


def _place(file: _ReadableFile, images: ImageSet) -> tuple[PlacedReadings, SizePx | None]:
    if images.place_readings is None:
        return PlacedReadings({}, (), is_size_assumed=False), None
    return images.place_readings(file.id, SizePx(file.print.width_px, file.print.height_px))


def _image(item: _Accepted, images: ImageSet) -> Image:
    file = item.file
    return Image(
        id=file.id,
        source=images.source,
        uri=str(file.path.absolute()),
        sha256=file.print.sha256,
        pixel_hash=file.print.pixel_hash,
        width_px=file.print.width_px,
        height_px=file.print.height_px,
        patient_key=images.patients.get(file.path, file.id),
        split=images.splits.get(file.id),
        original_width_px=item.original and item.original.width_px,
        original_height_px=item.original and item.original.height_px,
        look_hash=file.print.look_hash,
    )


def _readings(item: _Accepted, now: datetime) -> list[Reading]:
    return [
        Reading(
            image_id=item.file.id,
            reader_id=reader_id,
            boxes=tuple(ReadBox(mark.finding, mark.box) for mark in marks),
            read_at=now,
        )
        for reader_id, marks in item.placed.readings.items()
    ]
