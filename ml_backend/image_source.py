"""Where pixels come from: a registered image's file, or the link in a Label Studio task."""

import time
from collections.abc import Callable, Iterable
from io import BytesIO
from pathlib import Path
from typing import ClassVar

import httpx2

from backend.domain.images import Image
from backend.formats.image_cache import SmallCopy, small_copy
from backend.formats.radiographs import UnreadableImageError, decode, read_file
from ml_backend import decoding
from ml_backend.fetch_deadline import DeadlineTransport
from ml_backend.letterbox import Radiograph

MAX_BYTES = 64 * 1024 * 1024
"""Largest image file that is fetched."""

TIMEOUT_SECONDS = 10.0
"""How long one fetch may take from connecting to the last byte."""


class ImageSourceError(ValueError):
    """An image of a task cannot be had."""

    cause: ClassVar[str] = "other"


class ForbiddenAddressError(ImageSourceError):
    """The task names an address that images are not fetched from."""

    cause = "forbidden-address"


class UnreachableImageError(ImageSourceError):
    """The server did not answer in time, or not with the image."""

    cause = "unreachable"


class NotAnImageError(ImageSourceError):
    """The answer is not an image that can be decoded."""

    cause = "not-an-image"


class OversizedImageError(ImageSourceError):
    """The answer is larger than any radiograph."""

    cause = "too-large"


def read_registered(image: Image) -> Radiograph:
    """Return the pixels of a registered image.

    Parameters
    ----------
    image : Image
        An image whose pixels are a file of this machine.

    Returns
    -------
    ndarray of shape (height, width)
        Grey pixels.

    Raises
    ------
    UnreadableImageError
        If the file is gone, is damaged, or is not the registered radiograph any more.
    """
    path = Path(image.uri)
    with decoding.turn(path):
        file = read_file(path)
    if file.pixel_hash != image.pixel_hash:
        raise UnreadableImageError(
            f"{image.uri} does not show the pixels that were registered as {image.id}; "
            "restore the file"
        )
    return file.pixels


class ImageSource:
    """Fetches images from a few allowed servers and from nowhere else.

    Parameters
    ----------
    allowed : iterable of str
        URLs of the servers; only their scheme, host and port count.
    transport : httpx2.BaseTransport or None
        How requests travel; the network when None.
    clock : callable
        Monotonic seconds.
    """

    def __init__(
        self,
        allowed: Iterable[str],
        *,
        transport: httpx2.BaseTransport | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._allowed = {_origin(httpx2.URL(url)): url for url in allowed}
        self._clock = clock
        # Redirects would lead past the list; proxies and .netrc of the environment are for
        # other addresses than these.
        network = DeadlineTransport()
        self._within = network.deadline
        self._client = httpx2.Client(
            timeout=TIMEOUT_SECONDS,
            follow_redirects=False,
            trust_env=False,
            transport=transport or network,
        )

    def fetch(self, address: object, *, token: str | None = None) -> SmallCopy:
        """Return a small copy of the image behind a link.

        Parameters
        ----------
        address : object
            What a task gives as its image; anything but a URL of an allowed server is refused.
        token : str or None
            Label Studio's API token to show. No other server gets it: no redirect is followed.

        Returns
        -------
        SmallCopy
            The copy.

        Raises
        ------
        ForbiddenAddressError
            If it is not an http(s) URL of an allowed server.
        UnreachableImageError
            If the server is slow, down, or answers with anything but 200.
        NotAnImageError
            If the answer is not a whole image.
        OversizedImageError
            If the answer is larger than `MAX_BYTES`.
        """
        url = self._checked(address)
        try:
            with self._within(TIMEOUT_SECONDS):
                data = self._download(url, token)
        except (httpx2.HTTPError, httpx2.StreamError) as problem:
            raise UnreachableImageError(
                f"{_shown(url)} did not answer ({type(problem).__name__}: {problem}); "
                "check that the server that serves the images is up"
            ) from problem
        try:
            with decoding.turn(BytesIO(data)):
                return small_copy(decode(data))
        except UnreadableImageError as problem:
            raise NotAnImageError(f"{_shown(url)}: {problem}") from problem

    def close(self) -> None:
        """Close all connections."""
        self._client.close()

    def _checked(self, address: object) -> httpx2.URL:
        servers = " or ".join(self._allowed.values())
        expected = f"expected a link to {servers}"
        if not isinstance(address, str):
            raise ForbiddenAddressError(f"the task gives no link to an image; {expected}")
        try:
            url = httpx2.URL(address)
        except (httpx2.InvalidURL, ValueError) as problem:
            raise ForbiddenAddressError(f"not a link ({problem}); {expected}") from problem
        if url.userinfo or _origin(url) not in self._allowed:
            raise ForbiddenAddressError(f"{_shown(url)} is not fetched; {expected}")
        return url

    def _download(self, url: httpx2.URL, token: str | None) -> bytes:
        deadline = self._clock() + TIMEOUT_SECONDS
        headers = {"Accept": "image/*"} | ({"Authorization": f"Token {token}"} if token else {})
        with self._client.stream("GET", url, headers=headers) as answer:
            if answer.status_code != httpx2.codes.OK:
                raise UnreachableImageError(
                    f"{_shown(url)} answered {answer.status_code}; expected 200. Push the "
                    "worklist again when its links have expired"
                )
            kind = answer.headers.get("content-type", "")
            if not kind.startswith("image/"):
                raise NotAnImageError(f"{_shown(url)} is {kind or 'of no type'}, not image/*")
            received = bytearray()
            for chunk in answer.iter_bytes():
                received += chunk
                if len(received) > MAX_BYTES:
                    raise OversizedImageError(
                        f"{_shown(url)} is larger than {MAX_BYTES // 2**20} MiB"
                    )
                if self._clock() > deadline:
                    raise UnreachableImageError(
                        f"{_shown(url)} took longer than {TIMEOUT_SECONDS:g} seconds"
                    )
        return bytes(received)


def _origin(url: httpx2.URL) -> tuple[str, str, int | None]:
    default = {"http": 80, "https": 443}.get(url.scheme)
    return (url.scheme, url.host, url.port or default)


def _shown(url: httpx2.URL) -> str:
    return str(url.copy_with(query=None, userinfo=b""))  # a signature does not belong in a log
