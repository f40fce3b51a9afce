"""Decodes what was fetched from elsewhere, never so much at once that the memory runs out."""

from collections.abc import Callable
from io import BytesIO
from threading import BoundedSemaphore, Lock

from PIL import Image

from backend.formats.image_cache import SmallCopy, small_copy
from backend.formats.radiographs import Pixels, decode
from ml_backend.runtimes.usable_cores import cores

_LARGE_PIXELS = 10_000_000


class Decoding:
    """Decodes in the threads of those who ask: one image per core, one large image at all.

    The threads that fetch are many, because they wait for servers; and 64 megapixels in colour
    take more than a gigabyte while they are decoded.

    Parameters
    ----------
    decode : callable
        From a file's bytes to grey pixels.
    """

    def __init__(self, decode: Callable[[bytes], Pixels] = decode) -> None:
        self._decode = decode
        self._any = BoundedSemaphore(cores())
        self._large = Lock()

    def small(self, data: bytes) -> SmallCopy:
        """Return a small copy of an encoded radiograph.

        Parameters
        ----------
        data : bytes
            The file.

        Returns
        -------
        SmallCopy
            The copy.

        Raises
        ------
        UnreadableImageError
            If it is not one whole radiograph.
        """
        turn = self._large if _pixels(data) > _LARGE_PIXELS else self._any
        with turn:
            return small_copy(self._decode(data))


def _pixels(data: bytes) -> int:
    """Return how many pixels a file says it has; 0 when it is no image."""
    try:
        with Image.open(BytesIO(data)) as image:
            return image.width * image.height
    except Exception:  # noqa: BLE001 - decoders of hostile bytes raise whatever they meet
        return 0
