"""Registered radiographs as browsers can show them."""

import hashlib
import os
import tempfile
from pathlib import Path
from threading import BoundedSemaphore

from backend.domain.images import Image
from backend.formats import radiographs
from backend.store.unit_of_work import Store


class UnknownImageError(LookupError):
    """No image has this id."""


class ImageFileMissingError(LookupError):
    """The file of a registered image is not where it was."""


class ImageChangedError(RuntimeError):
    """The file of a registered image holds something else now."""


class ServedImages:
    """Turns registered files into 8-bit grey PNGs, each once.

    Parameters
    ----------
    store : Store
        The database.
    folder : Path
        Where the PNGs are kept, named by the hash of the file that they were made of.
    """

    def __init__(self, store: Store, folder: Path) -> None:
        self._store = store
        self._folder = folder
        self._rendering = BoundedSemaphore(2)  # a large radiograph takes hundreds of MB

    def find(self, image_id: str) -> Image:
        """Return a registered image.

        Parameters
        ----------
        image_id : str
            Its id.

        Returns
        -------
        Image
            As it was registered.

        Raises
        ------
        UnknownImageError
            If there is none.
        """
        with self._store.snapshot() as unit:
            image = unit.images.get(image_id)
        if image is None:
            raise UnknownImageError(
                "no image of this id is registered; `overread import` registers images"
            )
        return image

    def png(self, image: Image) -> Path:
        """Return the file to serve, and make it when it is not there yet.

        Parameters
        ----------
        image : Image
            The image.

        Returns
        -------
        Path
            An 8-bit grey PNG.

        Raises
        ------
        ImageFileMissingError
            If the registered file cannot be opened.
        ImageChangedError
            If it is not the file that was registered.
        """
        served = self._folder / f"{image.sha256}.png"
        if not served.exists():
            with self._rendering:
                self._render(image, served)
        return served

    def _render(self, image: Image, served: Path) -> None:
        try:
            data = Path(image.uri).read_bytes()
        except OSError as error:
            raise ImageFileMissingError(
                "the image's file cannot be opened where it was registered; put it back, or "
                "import it from its new place with `overread import`"
            ) from error
        if hashlib.sha256(data).hexdigest() != image.sha256:
            raise ImageChangedError(
                "the image's file is not the one that was registered; put the original back, "
                "or import it again with `overread import`"
            )
        png = radiographs.encode_png(radiographs.decode(data))
        self._folder.mkdir(parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(dir=self._folder, suffix=".part")
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(png)
            Path(name).replace(served)  # all at once: nobody is served half an image
        finally:
            Path(name).unlink(missing_ok=True)
