"""Signed links to images: whoever holds one may see the picture until it expires."""

import hashlib
import hmac
import re
from datetime import datetime
from urllib.parse import urlencode

_TIME = re.compile(r"[0-9]{1,12}", re.ASCII)


class ImageLinkError(ValueError):
    """A link was changed, or has expired."""


def sign(backend_url: str, image_id: str, *, expires_at: datetime, secret: str) -> str:
    """Return a link to an image.

    Parameters
    ----------
    backend_url : str
        Where browsers reach the backend.
    image_id : str
        The image.
    expires_at : datetime
        Until when the link is good; aware.
    secret : str
        Known to the backend only.

    Returns
    -------
    str
        ``{backend_url}/images/{image_id}.png?expires=...&signature=...``.
    """
    expires = int(expires_at.timestamp())
    query = urlencode({"expires": expires, "signature": _signature(image_id, expires, secret)})
    return f"{backend_url.rstrip('/')}/images/{image_id}.png?{query}"


def verify(image_id: str, *, expires: str, signature: str, secret: str, now: datetime) -> None:
    """Check a link.

    Parameters
    ----------
    image_id : str
        The image that is asked for.
    expires : str, [s since 1970]
        From the link; empty where it has none.
    signature : str
        From the link; empty where it has none.
    secret : str
        The one that it was signed with.
    now : datetime
        The time; aware.

    Raises
    ------
    ImageLinkError
        If the link is not signed, was not made with this secret, or its time is over.
    """
    if _TIME.fullmatch(expires) is None or not signature:
        raise ImageLinkError(
            "expected a signed link with `expires` and `signature`; open the task again"
        )
    until = int(expires)
    if not hmac.compare_digest(signature.encode(), _signature(image_id, until, secret).encode()):
        raise ImageLinkError("this image link was not made by this server; open the task again")
    if until < now.timestamp():
        raise ImageLinkError(
            "this image link has expired; `overread sync` gives open tasks fresh links"
        )


def _signature(image_id: str, expires: int, secret: str) -> str:
    return hmac.new(secret.encode(), f"{image_id}\n{expires}".encode(), hashlib.sha256).hexdigest()
