"""Radiograph files: bytes to 8-bit grey pixels, and back.

However a radiograph is stored, the rest of the product sees one picture: an array of shape
(h, w), uint8, 0 black … 255 white, upright.
"""

import hashlib
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, TiffImagePlugin, UnidentifiedImageError

from backend.formats.looks import look_hash

Pixels: TypeAlias = NDArray[np.uint8]

SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp", ".webp"})
"""Endings of the files that can be read, in lower case."""

MAX_PIXELS = 64_000_000
"""Larger images are refused; the largest radiography detectors have about 20 megapixels."""

_FORMATS = ("PNG", "JPEG", "TIFF", "BMP", "WEBP")
_EXPECTED = "expected one whole radiograph as PNG, JPEG, TIFF, BMP or WebP"
_PHOTOMETRIC_TAG = 262
_WHITE_IS_ZERO = 0


class UnreadableImageError(ValueError):
    """The bytes are not one whole radiograph."""


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """What identifies a radiograph file.

    Attributes
    ----------
    sha256 : str
        Hash of the file's bytes, hexadecimal.
    pixel_hash : str
        `pixel_hash` of the decoded pixels.
    width_px, height_px : int, [px]
        Size of the decoded image.
    look_hash : str
        `near_duplicates.look_hash` of the pixels; empty where it was not asked for.
    """

    sha256: str
    pixel_hash: str
    width_px: int
    height_px: int
    look_hash: str = field(default="", kw_only=True)


@dataclass(frozen=True, slots=True)
class RadiographFile(Fingerprint):
    """A radiograph file that was read.

    Attributes
    ----------
    pixels : ndarray of shape (h, w)
        Grey values, uint8, 0 black … 255 white.
    """

    pixels: Pixels = field(repr=False, compare=False)


OnPixels: TypeAlias = Callable[[RadiographFile], None]
"""Is called with every readable file while its pixels are there, in one of several threads."""


def read_file(path: Path) -> RadiographFile:
    """Read one radiograph file.

    Parameters
    ----------
    path : Path
        The file.

    Returns
    -------
    RadiographFile
        Its pixels, hashes and size.

    Raises
    ------
    UnreadableImageError
        If it cannot be opened, or `decode` refuses it.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise UnreadableImageError(
            f"the file cannot be opened ({error.strerror}); {_EXPECTED}"
        ) from error
    pixels = decode(data)
    height_px, width_px = pixels.shape
    return RadiographFile(
        sha256=hashlib.sha256(data).hexdigest(),
        pixel_hash=pixel_hash(pixels),
        width_px=width_px,
        height_px=height_px,
        pixels=pixels,
    )


def read_folder(
    paths: Iterable[Path],
    *,
    workers: int = 4,
    on_pixels: OnPixels = lambda _: None,
) -> Iterator[tuple[Path, Fingerprint | UnreadableImageError]]:
    """Fingerprint many radiograph files with several threads and bounded memory.

    Parameters
    ----------
    paths : iterable of Path
        The files.
    workers : int
        How many are decoded at the same time.
    on_pixels : OnPixels
        Called in the threads that read.

    Yields
    ------
    tuple of Path and Fingerprint or UnreadableImageError
        Every file once, in the order given; an unreadable file does not end the others.
    """
    with ThreadPoolExecutor(workers) as pool:
        ahead: deque[tuple[Path, Future[Fingerprint | UnreadableImageError]]] = deque()
        for path in paths:
            ahead.append((path, pool.submit(_fingerprint, path, on_pixels)))
            if len(ahead) > 2 * workers:
                earliest, future = ahead.popleft()
                yield earliest, future.result()
        for path, future in ahead:
            yield path, future.result()


def decode(data: bytes) -> Pixels:
    """Return the grey pixels of an encoded radiograph.

    Parameters
    ----------
    data : bytes
        A whole PNG, JPEG, TIFF, BMP or WebP file.

    Returns
    -------
    ndarray of shape (h, w)
        Grey values, uint8, 0 black … 255 white, turned upright as EXIF says.

    Raises
    ------
    UnreadableImageError
        If the bytes are empty, cut short, no image, an animation or several pages, entirely
        transparent, or more than `MAX_PIXELS`.

    Notes
    -----
    Grey images of more than 8 bits are stretched linearly: ``round(255 (v - min) / (max - min))``
    with the smallest and the largest value of the image, 0 everywhere when they are equal, and
    inverted where a TIFF says that white is zero. Colour becomes ITU-R 601 luma. Transparency
    is laid on black. Colour images of 16 bits per channel lose their lower 8 bits.
    """
    if not data:
        raise UnreadableImageError(
            f"the file is empty (0 bytes); {_EXPECTED}; copy it again from its source"
        )
    try:
        with Image.open(BytesIO(data), formats=_FORMATS) as image:
            _check_size(image)
            image.load()
            upright = ImageOps.exif_transpose(image)
            return _grey(upright, white_is_zero=_is_white_zero(image))
    except UnreadableImageError:
        raise
    except UnidentifiedImageError as error:
        raise UnreadableImageError(f"the file is not an image; {_EXPECTED}") from error
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise UnreadableImageError(_too_large(str(error))) from error
    except Exception as error:  # decoders of hostile bytes raise whatever they meet
        raise UnreadableImageError(
            f"the file is damaged or cut short ({error}); {_EXPECTED}; "
            "copy it again from its source"
        ) from error


def pixel_hash(pixels: Pixels) -> str:
    """Return the hash that is equal for the same radiograph in another file format.

    Parameters
    ----------
    pixels : ndarray of shape (h, w)
        Grey values, uint8.

    Returns
    -------
    str
        SHA-256, hexadecimal, of the shape and the values.
    """
    height_px, width_px = pixels.shape
    digest = hashlib.sha256(f"{height_px}x{width_px}:".encode())
    digest.update(np.ascontiguousarray(pixels).data)
    return digest.hexdigest()


def encode_png(pixels: Pixels) -> bytes:
    """Return the pixels as a PNG file that holds nothing else.

    Parameters
    ----------
    pixels : ndarray of shape (h, w)
        Grey values, uint8.

    Returns
    -------
    bytes
        An 8-bit grey PNG without metadata.
    """
    buffer = BytesIO()
    Image.fromarray(pixels).save(buffer, format="PNG")
    return buffer.getvalue()


def _fingerprint(path: Path, on_pixels: OnPixels) -> Fingerprint | UnreadableImageError:
    try:
        file = read_file(path)
    except UnreadableImageError as error:
        return error
    on_pixels(file)
    size_px = (file.width_px, file.height_px)
    return Fingerprint(file.sha256, file.pixel_hash, *size_px, look_hash=look_hash(file.pixels))


def _check_size(image: Image.Image) -> None:
    width_px, height_px = image.size
    if width_px * height_px > MAX_PIXELS:
        raise UnreadableImageError(_too_large(f"{width_px} x {height_px} pixels"))
    # An MPO is a JPEG followed by previews of itself.
    if getattr(image, "n_frames", 1) > 1 and image.format != "MPO":
        raise UnreadableImageError(
            f"the file has several pages or frames; {_EXPECTED}; save each page as its own file"
        )


def _too_large(found: str) -> str:
    return (
        f"the image is too large ({found}); expected at most {MAX_PIXELS // 1_000_000} "
        "megapixels; save it smaller"
    )


def _is_white_zero(image: Image.Image) -> bool:
    # Pillow inverts such images itself at 8 bits, but not at 16 and more.
    return (
        isinstance(image, TiffImagePlugin.TiffImageFile)
        and image.tag_v2.get(_PHOTOMETRIC_TAG) == _WHITE_IS_ZERO
    )


def _grey(image: Image.Image, *, white_is_zero: bool) -> Pixels:
    if image.mode == "F" or image.mode.startswith("I"):
        stretched = _stretch(np.asarray(image))
        return 255 - stretched if white_is_zero else stretched
    if image.has_transparency_data:
        return np.array(_on_black(image.convert("RGBA")).convert("L"))
    if image.mode not in {"1", "L", "RGB"}:
        return np.array(image.convert("RGB").convert("L"))
    return np.array(image.convert("L"))


def _on_black(image: Image.Image) -> Image.Image:
    if image.getchannel("A").getextrema() == (0, 0):
        raise UnreadableImageError(
            f"every pixel of the image is transparent; {_EXPECTED}; save it without transparency"
        )
    black = Image.new("RGBA", image.size, (0, 0, 0, 255))
    return Image.alpha_composite(black, image)


def _stretch(values: NDArray[np.generic]) -> Pixels:
    numbers = values.astype(np.float32)
    if not np.isfinite(numbers).all():
        raise UnreadableImageError(f"a pixel of the image is not a finite number; {_EXPECTED}")
    low, high = numbers.min(), numbers.max()
    if low == high:
        return np.zeros(numbers.shape, dtype=np.uint8)
    numbers -= low
    numbers *= np.float32(255.0) / (high - low)
    return np.rint(numbers).astype(np.uint8)
