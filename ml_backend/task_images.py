"""Where the image of a task comes from: this machine when it is registered here, else a link."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import parse_qsl, unquote, urlsplit

from backend import image_links
from backend.domain.images import Image
from backend.formats.image_cache import ImageCache, SmallCopy, small_copy
from backend.formats.radiographs import UnreadableImageError
from backend.settings import Settings
from backend.store.unit_of_work import Store
from backend.terminal import now
from ml_backend.image_source import (
    ForbiddenAddressError,
    ImageSource,
    NotAnImageError,
    read_registered,
)
from ml_backend.inference_queue import Source

_UPLOADS = "/data/"
_REMEMBERED = 100_000


@dataclass(frozen=True, slots=True)
class TaskImage:
    """How to get the image of a task.

    Attributes
    ----------
    load : callable
        Gives the image, or raises an `ImageSourceError`.
    source : Source
        From where.
    """

    load: Callable[[], SmallCopy]
    source: Source


class TaskImages:
    """Finds the images of tasks.

    Parameters
    ----------
    source : ImageSource
        Fetches what is not on this machine.
    settings : Settings
        Where the neighbours are, and what links and requests are signed with.
    store : Store or None
        The database; without it every link is fetched.
    cache : ImageCache or None
        Where small copies are kept; none are when None.
    clock : callable
        Gives the time; aware.
    """

    def __init__(
        self,
        source: ImageSource,
        settings: Settings,
        *,
        store: Store | None = None,
        cache: ImageCache | None = None,
        clock: Callable[[], datetime] = now,
    ) -> None:
        self._source = source
        self._settings = settings
        self._own = f"{settings.backend_url.rstrip('/')}/images/"
        self._label_studio = settings.label_studio_url.rstrip("/")
        self._store = store
        self._cache = cache
        self._clock = clock
        self._pixel_hashes: dict[str, str] = {}  # of images whose copies were kept

    def find(self, address: object, project_id: object = None) -> TaskImage:
        """Return how to get an image.

        Parameters
        ----------
        address : object
            What a task gives as its image.
        project_id : object
            What it gives as its project; Label Studio shows uploads to the project's users only.

        Returns
        -------
        TaskImage
            Nothing is read yet.
        """
        image_id = self._registered_id(address)
        if image_id is not None:
            return TaskImage(lambda: self._read(image_id, address), self._kept_as(image_id))
        if isinstance(address, str) and address.startswith(_UPLOADS):
            address = self._label_studio + address  # as Label Studio writes them into tasks
        return TaskImage(lambda: self._fetch(address, project_id), Source.SERVER)

    def _registered_id(self, address: object) -> str | None:
        if self._store is None or not isinstance(address, str):
            return None
        if not address.startswith(self._own):
            return None
        name = unquote(urlsplit(address).path.rpartition("/")[2])
        return name.rpartition(".")[0] or None

    def _kept_as(self, image_id: str) -> Source:
        known = self._pixel_hashes.get(image_id)
        is_kept = known and self._cache and self._cache.path(known).exists()
        return Source.COPY if is_kept else Source.FILE

    def _read(self, image_id: str, address: object) -> SmallCopy:
        assert self._store is not None  # noqa: S101 - else it has no id
        self._check_link(image_id, str(address))
        known = self._pixel_hashes.get(image_id)  # an id never means another picture
        kept = self._cache.find(known) if known and self._cache else None
        if kept is not None:
            return kept
        with self._store.snapshot() as unit:
            image = unit.images.get(image_id)
        if image is None:
            return self._source.fetch(address)  # the backend says what is wrong
        try:
            copy = read_small(image, self._cache)
        except UnreadableImageError as problem:
            raise NotAnImageError(str(problem)) from problem
        if len(self._pixel_hashes) >= _REMEMBERED:
            self._pixel_hashes.clear()
        self._pixel_hashes[image_id] = image.pixel_hash
        return copy

    def _check_link(self, image_id: str, address: str) -> None:
        """Ask of a link what the backend would ask of it."""
        given = dict(parse_qsl(urlsplit(address).query))
        try:
            image_links.verify(
                image_id,
                expires=given.get("expires", ""),
                signature=given.get("signature", ""),
                secret=self._settings.image_link_secret,
                now=self._clock(),
            )
        except image_links.ImageLinkError as problem:
            raise ForbiddenAddressError(f"image {image_id}: {problem}") from problem

    def _fetch(self, address: object, project_id: object) -> SmallCopy:
        token = None
        if isinstance(address, str) and self._is_upload(address):
            token = self._token(project_id)
        return self._source.fetch(address, token=token)

    def _is_upload(self, address: str) -> bool:
        if not address.startswith(self._label_studio + _UPLOADS):
            return False
        path = unquote(urlsplit(address).path)  # ".." would lead out of the uploads
        return ".." not in path

    def _token(self, project_id: object) -> str | None:
        """Return the token of a user who may see the uploads of a project."""
        # Imported here, because it takes a second, and tasks of ours are no uploads.
        from backend.desk import service_token  # noqa: PLC0415

        admin = self._settings.label_studio_admin_token
        if admin is not None:
            return admin.get_secret_value()
        if self._store is None:
            return None
        with self._store.snapshot() as unit:
            owners = [
                project.reader_id
                for project in unit.readers.projects()
                if project.project_id == project_id
            ]
        return service_token(self._settings, owners[0]) if owners else None


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
