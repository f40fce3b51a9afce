"""How much of a request is read; more is answered 413."""

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
    """

    def __init__(self, app: ASGIApp, *, limit_bytes: int, lower_bytes: Mapping[str, int]) -> None:
        self._app = app
        self._limit_bytes = limit_bytes
        self._lower_bytes = lower_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request through, or answer 413.

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
        body = bytearray()
        while True:
            message = await receive()
            if message["type"] != "http.request":
                return  # whoever asked is gone
            body += message.get("body", b"")
            if len(body) > limit:  # what is announced is not believed
                await _refusal(limit)(scope, receive, send)
                return
            if not message.get("more_body", False):
                break
        await self._app(scope, _replayed(bytes(body), receive), send)


def _replayed(body: bytes, receive: Receive) -> Receive:
    is_given = False

    async def again() -> Message:
        nonlocal is_given
        if is_given:
            return await receive()
        is_given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return again


def _refusal(limit: int) -> ASGIApp:
    return JSONResponse(
        {
            "detail": f"The request is larger than {limit / 1e6:g} MB; send fewer tasks at once, "
            "or set OVERREAD_PREDICT_REQUEST_MB."
        },
        status_code=HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        headers={"Connection": "close"},
    )
