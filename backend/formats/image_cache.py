"""Small copies of registered radiographs, so that each is decoded once.

A large radiograph takes longer to decode than to look at. The copy is made when the radiograph is
registered, or else when it is first needed, and kept as bare bytes: as a PNG it would be half as
large and take a hundred times as long to read.
"""

import logging
import os
import secrets
import struct
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Lock

import cv2
import numpy as np

from backend.formats.radiographs import Pixels, RadiographFile

LONGEST_PX = 1024
"""Length of a copy's longer side; smaller radiographs are kept as they are."""

_HEAD = struct.Struct("<8sIIII")  # mark, height and width of the copy, then of the radiograph
_MARK = b"OVRGREY1"
_SUFFIX = ".grey"
_DRAFT = ".part"
_DRAFT_SECONDS = 3600  # older drafts were left behind
_KEPT_WHEN_FULL = 0.9
_NOTED_EVERY_SECONDS = 3600

_logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, eq=False)
class SmallCopy:
    """A radiograph, not larger than a detector needs it.

    Attributes
    ----------
    pixels : ndarray of shape (height, width)
        Grey pixels of the copy.
    size_px : (int, int), [px]
        Height and width of the radiograph itself, in whose pixels boxes are.
    """

    pixels: Pixels
    size_px: tuple[int, int]


def resize(image: Pixels, longest_px: int) -> Pixels:
    """Return the image with its longer side at a length.

    Parameters
    ----------
    image : ndarray of shape (height, width)
        Grey image.
    longest_px : int, [px]
        Wanted length of the longer side.

    Returns
    -------
    ndarray of shape (height, width)
        Averaged over areas when it shrinks, which keeps fine lines from aliasing, and
        interpolated when it grows.
    """
    height_px, width_px = image.shape
    scale = longest_px / max(height_px, width_px)
    if scale == 1:
        return image
    size = (max(round(width_px * scale), 1), max(round(height_px * scale), 1))
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(image, size, interpolation=how), dtype=np.uint8)


def small_copy(image: Pixels) -> SmallCopy:
    """Return a copy whose longer side is at most `LONGEST_PX`.

    Parameters
    ----------
    image : ndarray of shape (height, width)
        Grey image.

    Returns
    -------
    SmallCopy
        The copy.
    """
    height_px, width_px = image.shape
    small = resize(image, LONGEST_PX) if max(image.shape) > LONGEST_PX else image
    return SmallCopy(small, (height_px, width_px))


class ImageCache:
    """Keeps small copies in a folder, the last used ones when it is full.

    Parameters
    ----------
    folder : Path
        Made when missing. It may be deleted at any time; copies are then made anew. Several
        processes may share it.
    limit_bytes : float, [byte]
        How much is kept. A process learns of what others add when it has filled the rest.
    """

    def __init__(self, folder: Path, limit_bytes: float) -> None:
        self._folder = folder
        self._limit_bytes = limit_bytes
        self._kept_bytes: int | None = None
        self._is_regretted = False
        self._lock = Lock()

    @property
    def kept_bytes(self) -> int:
        """How much is kept, in bytes."""
        with self._lock:
            return self._known_bytes()

    def has_room(self) -> bool:
        """Return whether another copy fits without an older one having to go.

        Returns
        -------
        bool
            False when it is full.
        """
        return self.kept_bytes + LONGEST_PX**2 <= self._limit_bytes

    def find(self, key: str) -> SmallCopy | None:
        """Return a copy.

        Parameters
        ----------
        key : str
            Hash of the radiograph's pixels.

        Returns
        -------
        SmallCopy or None
            None when it is not there, or is damaged.
        """
        try:
            data = _read(self.path(key))
        except OSError:
            return None
        if len(data) < _HEAD.size:
            return None
        mark, height, width, height_px, width_px = _HEAD.unpack(data[: _HEAD.size].tobytes())
        if mark != _MARK or len(data) != _HEAD.size + height * width:
            return None
        return SmallCopy(data[_HEAD.size :].reshape(height, width), (height_px, width_px))

    def keep(self, key: str, copy: SmallCopy) -> None:
        """Keep a copy if the folder takes it; it appears whole or not at all.

        Parameters
        ----------
        key : str
            Hash of the radiograph's pixels.
        copy : SmallCopy
            The copy.
        """
        size = _HEAD.size + copy.pixels.size
        with self._lock:
            if self._known_bytes() + size > self._limit_bytes:
                self._kept_bytes = self._forget_oldest(self._limit_bytes * _KEPT_WHEN_FULL - size)
            if self._known_bytes() + size > self._limit_bytes:
                return
            self._kept_bytes = self._known_bytes() + size
        try:
            _write(self.path(key), copy)
        except OSError as problem:  # the image itself was read, and can be looked at
            self._regret(size, problem)

    def prepare(self, file: RadiographFile) -> None:
        """Keep a copy of a radiograph that may be needed, if there is room and it is not there.

        Parameters
        ----------
        file : RadiographFile
            The radiograph.
        """
        if not self.path(file.pixel_hash).exists() and self.has_room():
            self.keep(file.pixel_hash, small_copy(file.pixels))

    def path(self, key: str) -> Path:
        """Return where a copy is kept.

        Parameters
        ----------
        key : str
            Hash of the radiograph's pixels.

        Returns
        -------
        Path
            Of the file, which may not be there.
        """
        return self._folder / key[:2] / f"{key}{_SUFFIX}"

    def _known_bytes(self) -> int:
        if self._kept_bytes is None:
            self._kept_bytes = sum(size for _, size, _ in self._files())
        return self._kept_bytes

    def _regret(self, size: int, problem: OSError) -> None:
        with self._lock:
            self._kept_bytes = max(self._known_bytes() - size, 0)
            is_news, self._is_regretted = not self._is_regretted, True
        if is_news:
            _logger.warning(
                "small copies of images cannot be kept in %s (%s), so that every image is decoded "
                "anew; make room there, or let this user write there",
                self._folder,
                problem.strerror,
            )

    def _forget_oldest(self, limit_bytes: float) -> int:
        """Delete what was not used for longest; return how many bytes are left."""
        files = sorted(self._files())
        left = sum(size for _, size, _ in files)
        for _, size, path in files:
            if left <= limit_bytes:
                break
            with suppress(OSError):
                path.unlink(missing_ok=True)
                left -= size
        return left

    def _files(self) -> list[tuple[float, int, Path]]:
        """Return when each file was used last, its size and its path; drafts left behind too.

        A young draft is left out: another process may be writing it.
        """
        found = []
        left_behind = time.time() - _DRAFT_SECONDS
        for path in self._folder.glob("*/*"):
            with suppress(OSError):  # another process deleted it
                status = path.stat()
                if path.suffix != _DRAFT or status.st_mtime < left_behind:
                    found.append((status.st_mtime, status.st_size, path))
        return found


def _read(path: Path) -> Pixels:
    """Return a file's bytes, and note that it was used.

    In as few calls as possible: each gives Python's lock away, which other threads that read want.
    """
    file = os.open(path, os.O_RDONLY)
    try:
        status = os.fstat(file)
        data = np.empty(status.st_size, dtype=np.uint8)
        size = os.readv(file, [data.data])
        if time.time() - status.st_mtime > _NOTED_EVERY_SECONDS:
            with suppress(OSError):  # somebody else's file may be read all the same
                os.utime(file)
    finally:
        os.close(file)
    return data[:size]


def _write(path: Path, copy: SmallCopy) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f"{path.stem}-{secrets.token_hex(8)}{_DRAFT}")
    try:
        with draft.open("xb") as file:  # not `tempfile`, whose files no other user may read
            file.write(_HEAD.pack(_MARK, *copy.pixels.shape, *copy.size_px))
            file.write(np.ascontiguousarray(copy.pixels).data)
        draft.replace(path)
    except BaseException:
        with suppress(OSError):
            draft.unlink(missing_ok=True)
        raise
