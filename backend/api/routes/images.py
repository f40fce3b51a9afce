"""The radiographs, for whoever holds a signed link."""

from datetime import datetime
from http import HTTPStatus

from fastapi import APIRouter, Request, Response
from fastapi.responses import FileResponse

from backend import image_links
from backend.api.office import InOffice
from backend.api.served_images import ServedImages

_LONGEST_CACHE_SECONDS = 3600

router = APIRouter(tags=["images"])


@router.get("/images/{image_id}.png")
@router.head("/images/{image_id}.png", include_in_schema=False)
def show_image(
    image_id: str, request: Request, office: InOffice, expires: str = "", signature: str = ""
) -> Response:
    """Return a radiograph as an 8-bit grey PNG without metadata.

    Parameters
    ----------
    image_id : str
        Which.
    request : Request
        May name the version that the browser has.
    office : Office
        The server's parts.
    expires, signature : str
        From the link.

    Returns
    -------
    Response
        The picture, or 304 when the browser has it.
    """
    now = office.clock()
    image_links.verify(
        image_id,
        expires=expires,
        signature=signature,
        secret=office.settings.image_link_secret,
        now=now,
    )
    images = ServedImages(office.store, office.settings.data_dir / "served")
    image = images.find(image_id)
    etag = f'"{image.sha256}"'
    headers = {"ETag": etag, "Cache-Control": _cache_control(int(expires), now)}
    if etag in request.headers.get("if-none-match", ""):
        return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=headers)
    return FileResponse(images.png(image), media_type="image/png", headers=headers)


def _cache_control(expires: int, now: datetime) -> str:
    # A browser must not show the picture from its cache when the link has expired.
    seconds = min(_LONGEST_CACHE_SECONDS, int(expires - now.timestamp()))
    return f"private, max-age={max(seconds, 0)}"
