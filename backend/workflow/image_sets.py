"""The sources that images and readings can be imported from."""

import hashlib
import re
from pathlib import Path

from backend.domain.skipped import Skipped
from backend.formats import original_sizes, placement, vinbigdata_csv, yolo
from backend.formats.names import EXPECTED_NAME, is_safe
from backend.formats.original_sizes import SizePx
from backend.formats.placement import PlacedReadings
from backend.formats.radiographs import SUFFIXES
from backend.workflow.register_images import ImageSet

_DICOM_SUFFIXES = {".dcm", ".dicom"}


class NoImagesError(ValueError):
    """There is nothing to import."""


class UnsafeReaderError(ValueError):
    """A reader's name cannot be kept."""


class PatientPatternError(ValueError):
    """The pattern cannot find patients in file names."""


def from_folder(
    folder: Path, *, keep_names: bool, patient_pattern: str | None
) -> tuple[ImageSet, list[Skipped]]:
    """Return every radiograph below a folder, without readings.

    Parameters
    ----------
    folder : Path
        Is searched at any depth.
    keep_names : bool
        Whether file names become image ids. Off, ids are made of the pixels, because names may
        identify patients.
    patient_pattern : str or None
        Regular expression with one group that finds the patient in a file name; None when every
        image is a patient of its own. Without `keep_names` the patient is kept as a hash.

    Returns
    -------
    tuple of ImageSet and list of Skipped
        The images, the files whose names cannot be kept or name no patient, and DICOM files.

    Raises
    ------
    NoImagesError
        If there is no radiograph.
    PatientPatternError
        If the pattern is no regular expression with exactly one group.
    """
    pattern = None if patient_pattern is None else _patient_pattern(patient_pattern)
    paths = _radiographs(folder)
    files: dict[Path, str | None] = {}
    patients: dict[Path, str] = {}
    skipped = []
    for path in paths:
        found = pattern.search(path.stem) if pattern else None
        if keep_names and not is_safe(path.stem):
            skipped.append(_unsafe(path))
        elif pattern and not (found and found[1]):
            skipped.append(Skipped(str(path), f"its name names no patient by {patient_pattern}"))
        else:
            files[path] = path.stem if keep_names else None
            if found:
                patients[path] = found[1] if keep_names else _pseudonym(found[1])
    return ImageSet("images", files, patients), [*skipped, *_dicom(folder)]


def from_vinbigdata(
    images: Path, labels: Path, sizes: Path | None
) -> tuple[ImageSet, list[Skipped]]:
    """Return the images and readings of a VinBigData table.

    Parameters
    ----------
    images : Path
        Folder of the image files, named by image id.
    labels : Path
        The table of readings, plain or gzipped.
    sizes : Path or None
        Table of the originals' sizes, where the images were resized and `labels` has no width
        and height.

    Returns
    -------
    tuple of ImageSet and list of Skipped
        The images, and the rows and images that cannot be used.

    Raises
    ------
    NoImagesError
        If the folder holds no radiograph.
    """
    table = vinbigdata_csv.read_readings(labels)
    sizes_table = original_sizes.read_sizes(sizes) if sizes else None
    paths = _radiographs(images)
    named = {path.stem: path for path in reversed(paths)}
    files, skipped = _safe_files(named)
    skipped += [
        Skipped(str(path), f"it has the same name as {named[path.stem]}, which was taken")
        for path in paths
        if path != named[path.stem]
    ]

    def place(image_id: str, stored: SizePx) -> tuple[PlacedReadings, SizePx | None]:
        original = original_sizes.original_size(
            image_id, labels=table.sizes, sizes=sizes_table.sizes if sizes_table else {}
        )
        placed = placement.place_readings(
            image_id, table.readings.get(image_id, {}), original=original, stored=stored
        )
        return placed, original

    missing = [
        Skipped(f"{len(readings)} reading(s) of {image_id}", f"no image of that name in {images}")
        for image_id, readings in table.readings.items()
        if image_id not in named
    ]
    reported = [*table.skipped, *(sizes_table.skipped if sizes_table else ()), *skipped, *missing]
    return ImageSet("vinbigdata", files, place_readings=place), reported


def from_yolo(folder: Path, *, reader_id: str) -> tuple[ImageSet, list[Skipped]]:
    """Return the images and labels of a YOLO dataset.

    Parameters
    ----------
    folder : Path
        With labels/<image id>.txt, and the images in images/ or beside.
    reader_id : str
        Who the labels are attributed to, because YOLO files name nobody.

    Returns
    -------
    tuple of ImageSet and list of Skipped
        The images, and the lines and files that cannot be used.

    Raises
    ------
    NoImagesError
        If the folder holds no radiograph.
    UnsafeReaderError
        If the reader's name cannot be kept.
    """
    if not is_safe(reader_id):
        raise UnsafeReaderError(f"{reader_id!r} is no safe name of a reader; {EXPECTED_NAME}")
    labels = yolo.read_labels(folder)
    named = yolo.find_images(folder)
    if not named:
        raise NoImagesError(_nothing_in(folder))
    files, skipped = _safe_files(named)

    def place(image_id: str, stored: SizePx) -> tuple[PlacedReadings, SizePx | None]:
        boxes = labels.boxes.get(image_id)
        marks = tuple(
            yolo.to_pixels(box, width_px=stored.width_px, height_px=stored.height_px)
            for box in boxes or ()
        )
        readings = {} if boxes is None else {reader_id: marks}
        return PlacedReadings(readings, (), is_size_assumed=False), None

    missing = [
        Skipped(f"labels of {image_id}", f"no image of that name in {folder}")
        for image_id in labels.boxes
        if image_id not in named
    ]
    return (
        ImageSet("yolo", files, place_readings=place),
        [*labels.skipped, *skipped, *missing],
    )


def _radiographs(folder: Path) -> list[Path]:
    found = folder.rglob("*") if folder.is_dir() else ()
    paths = sorted(path for path in found if path.suffix.lower() in SUFFIXES and path.is_file())
    if not paths:
        raise NoImagesError(_nothing_in(folder))
    return paths


def _nothing_in(folder: Path) -> str:
    expected = f"expected files ending in {', '.join(sorted(SUFFIXES))}"
    if not folder.is_dir():
        return f"there is no folder {folder}; {expected}, in a folder"
    found = "".join(f"; {item.what}: {item.why}" for item in _dicom(folder))
    return f"no image in {folder}; {expected}{found}"


def _dicom(folder: Path) -> list[Skipped]:
    number = sum(path.suffix.lower() in _DICOM_SUFFIXES for path in folder.rglob("*"))
    why = "DICOM is not read; convert the radiographs to PNG or TIFF, without what names a patient"
    return [Skipped(f"{number} DICOM file(s) in {folder}", why)] if number else []


def _safe_files(named: dict[str, Path]) -> tuple[dict[Path, str | None], list[Skipped]]:
    files: dict[Path, str | None] = {}
    skipped = []
    for image_id, path in named.items():
        if is_safe(image_id):
            files[path] = image_id
        else:
            skipped.append(_unsafe(path))
    return files, skipped


def _unsafe(path: Path) -> Skipped:
    return Skipped(str(path), f"its name cannot be an id; {EXPECTED_NAME}")


def _patient_pattern(pattern: str) -> re.Pattern[str]:
    expected = r"expected a regular expression with one group, for example ^(\d+)_"
    try:
        compiled = re.compile(pattern)
    except re.error as error:
        raise PatientPatternError(f"{pattern!r} is no pattern ({error}); {expected}") from error
    if compiled.groups != 1:
        raise PatientPatternError(f"{pattern!r} has {compiled.groups} groups; {expected}")
    return compiled


def _pseudonym(patient: str) -> str:
    return f"p{hashlib.sha256(patient.encode(errors='surrogateescape')).hexdigest()[:20]}"
