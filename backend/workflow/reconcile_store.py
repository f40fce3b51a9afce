"""Bring the consensus of every image up to date."""

from collections.abc import Callable
from datetime import datetime

from backend.store.unit_of_work import Store
from backend.workflow.reach_consensus import reach_consensus

_IMAGES_PER_TRANSACTION = 500


def reconcile_store(
    store: Store,
    *,
    clock: Callable[[], datetime],
    on_start: Callable[[int], None] = lambda _: None,
    on_images: Callable[[int], None] = lambda _: None,
) -> int:
    """Reach the consensus of every image that anybody has read.

    Parameters
    ----------
    store : Store
        The database.
    clock : callable
        Gives the time; aware.
    on_start : callable
        Called once with the number of images.
    on_images : callable
        Called with the number of images that were done since the last call.

    Returns
    -------
    int
        How many images have a consensus now.
    """
    with store.snapshot() as unit:
        image_ids = sorted(unit.images.readers_by_image().keys() | unit.consensus.current())
    on_start(len(image_ids))
    reached = 0
    for first in range(0, len(image_ids), _IMAGES_PER_TRANSACTION):
        chunk = image_ids[first : first + _IMAGES_PER_TRANSACTION]
        with store.transaction() as unit:
            reached += len(reach_consensus(unit, chunk, now=clock()))
        on_images(len(chunk))
    return reached
