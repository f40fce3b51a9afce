"""The image files of a release: the registered bytes, or a clean picture of the same pixels."""

import hashlib
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

from PIL import Image as Picture

from backend.domain.dataset import DatasetVersion
from backend.domain.images import Image, Split
from backend.formats import radiographs
from backend.formats.names import EXPECTED_NAME, is_safe

_SUFFIX = {"PNG": ".png", "JPEG": ".jpg"}
_HARMLESS = frozenset({
    *("jfif", "jfif_version", "jfif_unit", "jfif_density", "adobe", "adobe_transform"),
    *("progressive", "progression", "dpi", "gamma", "srgb", "chromaticity", "interlace"),
})  # fmt: skip
"""What may stand in a released file besides pixels: nothing that can name a patient."""

_HARMLESS_SEGMENTS = frozenset({"APP0", "APP14"})


class SourceImageError(ValueError):
    """The file of a registered image is gone or is no longer what was registered."""


def write_images(
    folder: Path, dataset: DatasetVersion, *, advance: Callable[[], None] = lambda: None
) -> dict[str, str]:
    """Write images/<split>/<image id>.png or .jpg for every image.

    Parameters
    ----------
    folder : Path
        Gets the folder images.
    dataset : DatasetVersion
        Whose images. A file is copied byte by byte when it is an 8-bit grey or RGB PNG or JPEG
        without metadata; otherwise its grey pixels are written as PNG.
    advance : callable
        Called after every image, for progress.

    Returns
    -------
    dict of str to str
        Path of every image's file below `folder`, by image id.

    Raises
    ------
    SourceImageError
        If a file is gone or changed since it was registered, or an id cannot be a file name.
    """
    for split in Split:
        (folder / "images" / split.value).mkdir(parents=True)
    files = {}
    for member in dataset.images:
        data, suffix = _released(_registered_bytes(member.image))
        file = f"images/{member.split.value}/{member.image.id}{suffix}"
        (folder / file).write_bytes(data)
        files[member.image.id] = file
        advance()
    return files


def _registered_bytes(image: Image) -> bytes:
    if not is_safe(image.id):
        raise SourceImageError(f"image id {image.id!r} cannot be a file name; {EXPECTED_NAME}")
    try:
        data = Path(image.uri).read_bytes()
    except OSError as error:
        raise SourceImageError(
            f"image {image.id} cannot be read from {image.uri} ({error.strerror}); "
            "expected the file that was registered; put it back or register it again"
        ) from error
    found = hashlib.sha256(data).hexdigest()
    if found != image.sha256:
        raise SourceImageError(
            f"{image.uri} changed since image {image.id} was registered (sha256 {found}, "
            f"expected {image.sha256}); put the registered file back"
        )
    return data


def _released(data: bytes) -> tuple[bytes, str]:
    with Picture.open(BytesIO(data)) as picture:
        if picture.format in _SUFFIX and picture.mode in {"L", "RGB"}:
            picture.load()  # the text of a PNG may stand behind its pixels
            if _is_bare(picture):
                return data, _SUFFIX[picture.format]
    return radiographs.encode_png(radiographs.decode(data)), ".png"


def _is_bare(picture: Picture.Image) -> bool:
    segments = {name for name, _ in getattr(picture, "applist", ())}
    return (
        picture.info.keys() <= _HARMLESS
        and segments <= _HARMLESS_SEGMENTS
        and not getattr(picture, "private_chunks", ())
    )
