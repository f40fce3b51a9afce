"""Lets radiographs be decoded in turns, never so much at once that the memory runs out."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import BoundedSemaphore, Lock
from typing import BinaryIO

from PIL import Image

from ml_backend.runtimes.usable_cores import cores

_LARGE_PIXELS = 10_000_000

# Of the process, because its memory is.
_any = BoundedSemaphore(cores())
_large = Lock()


@contextmanager
def turn(file: Path | BinaryIO) -> Iterator[None]:
    """Wait until a file may be decoded: one per core at a time, a large one at all.

    The threads that fetch are many, because they wait for servers; and 64 megapixels in colour
    take more than a gigabyte while they are decoded.

    Parameters
    ----------
    file : Path or binary file
        What is going to be decoded; its head says how large it is. It may be no image.

    Yields
    ------
    None
        For the time of the decoding.
    """
    with _large if _pixels(file) > _LARGE_PIXELS else _any:
        yield


def _pixels(file: Path | BinaryIO) -> int:
    """Return how many pixels a file says it has; 0 when it is no image."""
    try:
        with Image.open(file) as image:
            return image.width * image.height
    except Exception:  # noqa: BLE001 - decoders of hostile bytes raise whatever they meet
        return 0
