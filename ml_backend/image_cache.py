"""Small copies of registered radiographs, so that each is decoded once.

A large radiograph takes longer to decode than to look at. The copy is kept as bare bytes: as a
PNG it would be half as large and take a hundred times as long to read.
"""

import struct
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ml_backend.letterbox import Radiograph, resize

LONGEST_PX = 1024
"""Length of a copy's longer side; smaller radiographs are kept as they are."""

_HEAD = struct.Struct("<8sIIII")  # mark, height and width of the copy, then of the radiograph
_MARK = b"OVRGREY1"


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

    pixels: Radiograph
    size_px: tuple[int, int]


def small_copy(image: Radiograph) -> SmallCopy:
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
    """Keeps small copies in a folder.

    Parameters
    ----------
    folder : Path
        Made when missing. It may be deleted at any time; copies are then made anew.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

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
            data = np.fromfile(self.path(key), dtype=np.uint8)
        except OSError:
            return None
        if len(data) < _HEAD.size:
            return None
        mark, height, width, height_px, width_px = _HEAD.unpack(data[: _HEAD.size].tobytes())
        if mark != _MARK or len(data) != _HEAD.size + height * width:
            return None
        return SmallCopy(data[_HEAD.size :].reshape(height, width), (height_px, width_px))

    def keep(self, key: str, copy: SmallCopy) -> None:
        """Keep a copy; it appears whole or not at all.

        Parameters
        ----------
        key : str
            Hash of the radiograph's pixels.
        copy : SmallCopy
            The copy.
        """
        path = self.path(key)
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path.parent, suffix=".part", delete=False) as file:
            file.write(_HEAD.pack(_MARK, *copy.pixels.shape, *copy.size_px))
            file.write(np.ascontiguousarray(copy.pixels).data)
        Path(file.name).replace(path)

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
        return self._folder / key[:2] / f"{key}.grey"
