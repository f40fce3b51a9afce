"""What a radiograph looks like, coarsely: the same after it was saved anew."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from backend.domain import near_duplicates


def look_hash(pixels: NDArray[np.uint8]) -> str:
    """Return what a picture looks like.

    Parameters
    ----------
    pixels : ndarray of shape (h, w)
        Grey values.

    Returns
    -------
    str
        `near_duplicates.look_hash` of the picture reduced to a small square.
    """
    square = (near_duplicates.SIDE_PX, near_duplicates.SIDE_PX)
    small = Image.fromarray(pixels).resize(square, Image.Resampling.BOX)
    return near_duplicates.look_hash(np.asarray(small))
