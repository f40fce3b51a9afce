"""Where Label Studio reports that something changed."""

import hmac
from http import HTTPStatus

from fastapi import APIRouter, Request, Response
from starlette.concurrency import run_in_threadpool

from backend.api.credentials import MissingCredentialError
from backend.api.office import InOffice
from backend.desk import webhook_secret
from backend.label_studio.events import SECRET_HEADER, parse_event

_LARGEST_EVENT_BYTES = 64 * 1024 * 1024

router = APIRouter(tags=["webhooks"])


@router.post("/webhooks/label-studio", max_body_size=_LARGEST_EVENT_BYTES)
async def receive_event(request: Request, office: InOffice) -> Response:
    """Note what to look at, and answer at once: the reader is waiting meanwhile.

    Parameters
    ----------
    request : Request
        Label Studio's event, with the shared secret in its header.
    office : Office
        The server's parts.

    Returns
    -------
    Response
        202; the work is done afterwards.

    Raises
    ------
    MissingCredentialError
        If the secret is missing or wrong.
    """
    given = request.headers.get(SECRET_HEADER, "")
    if not hmac.compare_digest(given.encode(), webhook_secret(office.settings).encode()):
        raise MissingCredentialError(
            f"expected this server's webhook secret in {SECRET_HEADER}; add the reader again "
            "with `overread readers add` to register the webhook anew"
        )
    office.hints.note(await run_in_threadpool(parse_event, await request.body()))
    return Response(status_code=HTTPStatus.ACCEPTED)
