"""A release folder in one of the formats, written whole or not at all."""

import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path

from backend.domain.dataset import DatasetVersion
from backend.formats import coco, manifest, release_images, vinbigdata_csv, yolo

LABELS = "labels.csv"
"""Table of boxes in a VinBigData release."""


class ReleaseFormat(StrEnum):
    """How a release writes its boxes."""

    YOLO = "yolo"
    COCO = "coco"
    VINBIGDATA = "vinbigdata"


class ReleaseExistsError(FileExistsError):
    """The folder of a release is already there; a release is never overwritten."""


def write_release(
    folder: Path,
    dataset: DatasetVersion,
    release_format: ReleaseFormat,
    *,
    advance: Callable[[], None] = lambda: None,
) -> None:
    """Write a dataset version as a folder of images, labels and a manifest.

    Parameters
    ----------
    folder : Path
        The release; must not exist yet. It appears when it is complete, and not at all when
        anything fails.
    dataset : DatasetVersion
        What to release.
    release_format : ReleaseFormat
        How to write the boxes. Images lie in images/<split> in every format.
    advance : callable
        Called after every image, for progress.

    Raises
    ------
    ReleaseExistsError
        If the folder is there.
    SourceImageError
        If a registered file is gone or changed.
    """
    with _whole_or_nothing(folder) as draft:
        files = release_images.write_images(draft, dataset, advance=advance)
        if release_format is ReleaseFormat.YOLO:
            yolo.write_labels(draft, dataset)
        elif release_format is ReleaseFormat.COCO:
            coco.write_labels(draft, dataset, files=files)
        else:
            vinbigdata_csv.write_labels(draft / LABELS, dataset)
        manifest.write_manifest(draft, dataset, release_format=release_format.value, files=files)


@contextmanager
def _whole_or_nothing(folder: Path) -> Iterator[Path]:
    if folder.exists():
        raise ReleaseExistsError(
            f"{folder} is there already and a release is never overwritten; "
            "choose another folder or remove this one"
        )
    folder.parent.mkdir(parents=True, exist_ok=True)
    draft = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        yield draft
        draft.chmod(0o755)
        draft.rename(folder)
    except BaseException:
        shutil.rmtree(draft, ignore_errors=True)
        raise
