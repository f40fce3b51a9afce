"""Images with a known answer, slipped into a worklist."""

import hashlib
from collections.abc import Collection

import numpy as np

REASON = "Its answer is known: it was adjudicated. Measures how well readers read."
"""Why a gold case is on a worklist; readers are not shown the reason of any entry."""


class InvalidShareError(ValueError):
    """A share is not between 0 and 1."""


def draw_gold(
    reader_id: str, candidates: Collection[str], *, slots: int, share: float, seed: tuple[int, int]
) -> tuple[str, ...]:
    """Return the gold cases among the next entries of a worklist.

    Parameters
    ----------
    reader_id : str
        Whose worklist.
    candidates : collection of str
        Adjudicated images that this reader knows nothing of.
    slots : int
        How many entries the worklist has room for.
    share : float
        Chance of each entry, in [0, 1], to be a gold case.
    seed : tuple of (int, int)
        Of the queue, and of how far it has come.

    Returns
    -------
    tuple of str
        Image ids, drawn uniformly; the same for the same arguments, whatever their order.

    Raises
    ------
    InvalidShareError
        If the share is not between 0 and 1.
    """
    if not 0.0 <= share <= 1.0:
        raise InvalidShareError(f"expected a share of gold cases in [0, 1], got {share}")
    own = int.from_bytes(hashlib.sha256(reader_id.encode()).digest()[:8])
    rng = np.random.default_rng([*seed, own])
    wanted = int(rng.binomial(max(0, slots), share))
    pool = sorted(candidates)
    return tuple(pool[place] for place in rng.permutation(len(pool))[:wanted].tolist())
