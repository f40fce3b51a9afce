"""Look at images that were registered before near-duplicates were watched for."""

from collections.abc import Callable
from pathlib import Path

from backend.domain.skipped import Skipped
from backend.formats.looks import look_hash
from backend.formats.radiographs import UnreadableImageError, read_file
from backend.store.unit_of_work import Store

_IMAGES_PER_TRANSACTION = 250


def note_looks(
    store: Store,
    *,
    on_start: Callable[[int], None] = lambda _: None,
    on_images: Callable[[int], None] = lambda _: None,
) -> list[Skipped]:
    """Keep what every image looks like, where that is not known yet.

    An import notes it; this is for the images of older imports, and does nothing the next time.

    Parameters
    ----------
    store : Store
        The database.
    on_start : callable
        Called with the number of images that wait, when there are any.
    on_images : callable
        Called with the number of images that are done.

    Returns
    -------
    list of Skipped
        Images whose file cannot be read; near-duplicates of them are not noticed.
    """
    with store.snapshot() as unit:
        waiting = list(unit.images.without_look().values())
    if waiting:
        on_start(len(waiting))

    skipped = []
    for start in range(0, len(waiting), _IMAGES_PER_TRANSACTION):
        some, looks = waiting[start : start + _IMAGES_PER_TRANSACTION], {}
        for image in some:
            try:
                looks[image.id] = look_hash(read_file(Path(image.uri)).pixels)
            except UnreadableImageError as problem:
                skipped.append(Skipped(image.id, str(problem)))
        with store.transaction() as unit:
            unit.images.set_looks(looks)
        on_images(start + len(some))
    return skipped
