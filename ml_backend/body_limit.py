"""How much of a request is read, and for how long; else it is answered 413 or 408."""

import asyncio
from collections.abc import Mapping
from http import HTTPStatus

from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send


class BodyLimit:
    """Reads a request's body before the application does, up to a limit.

    Parameters
    ----------
    app : ASGI application
        Whose requests.
    limit_bytes : int, [byte]
        How much is read.
    lower_bytes : mapping of str to int, [byte]
        By path: where less is read.
    within_seconds : float, [s]
        How long whoever asks may take to send it.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        limit_bytes: int,
        lower_bytes: Mapping[str, int],
        within_seconds: float = 20.0,
    ) -> None:
        self._app = app
        self._limit_bytes = limit_bytes
        self._lower_bytes = lower_bytes
        self._within_seconds = within_seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request through, or answer 413 or 408.

        Parameters
        ----------
        scope : dict
            The request's head.
        receive, send : callable
            The request's body and the way back.
        """
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        limit = self._lower_bytes.get(scope["path"], self._limit_bytes)
        try:
            async with asyncio.timeout(self._within_seconds):
                body = await _read(receive, limit)
        except TimeoutError:
            await _too_slow(self._within_seconds)(scope, receive, send)
            return
        if body is None:
            return  # whoever asked is gone
        if len(body) > limit:
            await _too_large(limit)(scope, receive, send)
            return
        await self._app(scope, _replayed(body, receive), send)


async def _read(receive: Receive, limit: int) -> bytes | None:
    """Return a body, or just more than the limit of it; what is announced is not believed."""
    body = bytearray()
    is_more = True
    while is_more and len(body) <= limit:
        message = await receive()
        if message["type"] != "http.request":
            return None
        body += message.get("body", b"")
        is_more = message.get("more_body", False)
    return bytes(body)


def _replayed(body: bytes, receive: Receive) -> Receive:
    is_given = False

    async def again() -> Message:
        nonlocal is_given
        if is_given:
            return await receive()
        is_given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return again


def _too_large(limit: int) -> ASGIApp:
    return JSONResponse(
        {
            "detail": f"The request is larger than {limit / 1e6:g} MB; send fewer tasks at once, "
            "or set OVERREAD_PREDICT_REQUEST_MB."
        },
        status_code=HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        headers={"Connection": "close"},
    )


def _too_slow(seconds: float) -> ASGIApp:
    return JSONResponse(
        {"detail": f"The request took longer than {seconds:g} seconds to arrive; send it again."},
        status_code=HTTPStatus.REQUEST_TIMEOUT,
        headers={"Connection": "close"},
    )
