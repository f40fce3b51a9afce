"""Who sees the pre-annotation."""

import hashlib

from backend.domain.readings import Arm

_STEPS = 2**64


def draw_arm(image_id: str, reader_id: str, *, unassisted_share: float, seed: int) -> Arm:
    """Return the arm in which a reader reads an image.

    Parameters
    ----------
    image_id, reader_id : str
        Who reads what.
    unassisted_share : float
        Wanted share of unassisted readings, in [0, 1].
    seed : int
        Decides, with image and reader, which readings these are.

    Returns
    -------
    Arm
        The same for the same arguments, whenever it is asked and in whatever order.
    """
    drawn = hashlib.sha256(f"{seed}:{reader_id}:{image_id}".encode()).digest()[:8]
    share = int.from_bytes(drawn) / _STEPS
    return Arm.UNASSISTED if share < unassisted_share else Arm.ASSISTED
