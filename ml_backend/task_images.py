"""Where the image of a task comes from: this machine when it is registered here, else a link."""

from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from backend.domain.images import Image
from backend.formats.radiographs import UnreadableImageError
from backend.store.unit_of_work import Store
from ml_backend.image_cache import ImageCache, SmallCopy, small_copy
from ml_backend.image_source import ImageSource, NotAnImageError, read_registered


@dataclass(frozen=True, slots=True)
class TaskImage:
    """How to get the image of a task.

    Attributes
    ----------
    load : callable
        Gives the image, or raises an `ImageSourceError`.
    is_remote : bool
        Whether that may mean to wait for a server.
    """

    load: Callable[[], SmallCopy]
    is_remote: bool


class TaskImages:
    """Finds the images of tasks.

    Parameters
    ----------
    source : ImageSource
        Fetches what is not on this machine.
    backend_url : str
        Links to this server are images of the store.
    store : Store or None
        The database; without it every link is fetched.
    cache : ImageCache or None
        Where small copies are kept; none are when None.
    """

    def __init__(
        self,
        source: ImageSource,
        *,
        backend_url: str,
        store: Store | None = None,
        cache: ImageCache | None = None,
    ) -> None:
        self._source = source
        self._own = f"{backend_url.rstrip('/')}/images/"
        self._store = store
        self._cache = cache

    def find(self, address: object) -> TaskImage:
        """Return how to get an image.

        Parameters
        ----------
        address : object
            What a task gives as its image.

        Returns
        -------
        TaskImage
            Nothing is read yet.
        """
        image_id = self._registered_id(address)
        if image_id is None:
            return TaskImage(lambda: small_copy(self._source.fetch(address)), is_remote=True)
        return TaskImage(lambda: self._read(image_id, address), is_remote=False)

    def _registered_id(self, address: object) -> str | None:
        if self._store is None or not isinstance(address, str):
            return None
        if not address.startswith(self._own):
            return None
        name = unquote(urlsplit(address).path.rpartition("/")[2])
        return name.rpartition(".")[0] or None

    def _read(self, image_id: str, address: object) -> SmallCopy:
        assert self._store is not None  # noqa: S101 - else it has no id
        with self._store.snapshot() as unit:
            image = unit.images.get(image_id)
        if image is None:
            return small_copy(self._source.fetch(address))  # the backend says what is wrong
        try:
            return read_small(image, self._cache)
        except UnreadableImageError as problem:
            raise NotAnImageError(str(problem)) from problem


def read_small(image: Image, cache: ImageCache | None) -> SmallCopy:
    """Return a small copy of a registered image, kept from now on.

    Parameters
    ----------
    image : Image
        An image whose pixels are a file of this machine.
    cache : ImageCache or None
        Where copies are kept.

    Returns
    -------
    SmallCopy
        The copy.

    Raises
    ------
    UnreadableImageError
        If there is no copy yet and the file is gone, damaged, or another radiograph now.
    """
    kept = cache.find(image.pixel_hash) if cache else None
    if kept is not None and kept.size_px == (image.height_px, image.width_px):
        return kept
    copy = small_copy(read_registered(image))
    if cache:
        cache.keep(image.pixel_hash, copy)
    return copy
