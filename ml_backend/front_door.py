"""Who may come in, and how long every visit took."""

import base64
import binascii
import hmac
import time
from collections.abc import Callable
from http import HTTPStatus

from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from backend.settings import Settings
from ml_backend.metrics import Metrics

USER_NAME = "label-studio"
"""User name with which Label Studio comes to the ML backend."""

PATHS = ("/health", "/setup", "/predict", "/webhook", "/versions", "/metrics")

_OPEN_TO_ALL = frozenset({"/health", "/webhook"})  # Label Studio's own webhook has no password


def password(settings: Settings) -> str:
    """Return the password with which Label Studio comes to the ML backend.

    Parameters
    ----------
    settings : Settings
        Holds the secret key.

    Returns
    -------
    str
        Derived from the secret key.
    """
    return settings.derived_secret("ml-backend")


class FrontDoor:
    """Asks for the password before anything of a request is read, and keeps the figures.

    Parameters
    ----------
    app : ASGI application
        What is behind the door.
    secret : str
        The password.
    metrics : Metrics
        Where visits are counted.
    clock : callable
        Monotonic seconds.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        secret: str,
        metrics: Metrics,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._app = app
        self._expected = f"{USER_NAME}:{secret}".encode()
        self._metrics = metrics
        self._clock = clock

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let one request in, or answer 401.

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
        path = scope["path"] if scope["path"] in PATHS else "other"
        started = self._clock()
        status = HTTPStatus.INTERNAL_SERVER_ERROR

        async def counted(message: Message) -> None:
            nonlocal status
            status = message.get("status", status)
            await send(message)

        try:
            behind = self._app if self._may_enter(scope) else _refusal()
            await behind(scope, receive, counted)
        finally:
            self._metrics.requests.labels(path, int(status)).inc()
            self._metrics.latencies.labels(path).observe(self._clock() - started)

    def _may_enter(self, scope: Scope) -> bool:
        if scope["path"] in _OPEN_TO_ALL:
            return True
        given = dict(scope["headers"]).get(b"authorization", b"")
        scheme, _, encoded = given.partition(b" ")
        try:
            decoded = base64.b64decode(encoded.strip(), validate=True)
        except binascii.Error:
            return False
        return scheme.lower() == b"basic" and hmac.compare_digest(decoded, self._expected)


def _refusal() -> ASGIApp:
    return JSONResponse(
        {"detail": "Expected the ML backend's user name and password (HTTP basic)."},
        status_code=HTTPStatus.UNAUTHORIZED,
        headers={"WWW-Authenticate": 'Basic realm="overread ML backend"'},
    )
