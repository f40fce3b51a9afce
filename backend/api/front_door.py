"""What every request passes on its way in and out: security headers, CORS, counting."""

import logging
import time
from collections.abc import Callable
from http import HTTPStatus
from urllib.parse import urlsplit

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from backend.api.metrics import Metrics
from backend.api.problems import problem
from backend.settings import Settings

IMAGES = "/images/"

_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'self'; frame-ancestors 'none'; form-action 'self'; "
        "base-uri 'none'; object-src 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
}
_ONE_YEAR_OF_HTTPS = "max-age=31536000"

_log = logging.getLogger(__name__)


class FrontDoor:
    """Adds the headers to every answer, also to errors, and keeps the figures.

    Parameters
    ----------
    app : ASGI application
        What is behind the door.
    settings : Settings
        Whose browsers may show images: those that come from Label Studio.
    metrics : Metrics
        Where requests are counted.
    clock : callable
        Monotonic seconds.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        settings: Settings,
        metrics: Metrics,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._app = app
        self._metrics = metrics
        self._clock = clock
        self._headers = dict(_HEADERS)
        if settings.backend_url.startswith("https:"):
            self._headers["Strict-Transport-Security"] = _ONE_YEAR_OF_HTTPS
        self._image_headers = {
            "Access-Control-Allow-Origin": origin(settings.label_studio_url),
            "Cross-Origin-Resource-Policy": "cross-origin",
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass one request through.

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
        started = self._clock()
        status = 0

        async def dressed(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                self._dress(scope["path"], MutableHeaders(scope=message))
            await send(message)

        try:
            await self._app(scope, receive, dressed)
        except Exception:
            if status:
                raise
            # Answered here and not further out, so that this answer has the headers, too.
            _log.exception("a request failed")
            await problem(HTTPStatus.INTERNAL_SERVER_ERROR, "the server failed; its log says why")(
                scope, receive, dressed
            )
        finally:
            route = getattr(scope.get("route"), "path", "other")
            self._metrics.requests.labels(route, status).inc()
            self._metrics.latencies.labels(route).observe(self._clock() - started)

    def _dress(self, path: str, headers: MutableHeaders) -> None:
        for name, value in self._headers.items():
            headers.setdefault(name, value)
        if path.startswith(IMAGES):
            headers.update(self._image_headers)
            headers.add_vary_header("Origin")


def origin(url: str) -> str:
    """Return the origin of a URL, as browsers compare it.

    Parameters
    ----------
    url : str
        For example "HTTP://Reading.example:80/label-studio/".

    Returns
    -------
    str
        Scheme, host and, unless it is the usual one, port: "http://reading.example".

    Examples
    --------
    >>> origin("HTTP://Reading.example:80/label-studio/")
    'http://reading.example'
    >>> origin("http://127.0.0.1:8080")
    'http://127.0.0.1:8080'
    """
    parts = urlsplit(url)
    host = parts.hostname or ""
    host = f"[{host}]" if ":" in host else host
    is_usual = parts.port in {None, {"http": 80, "https": 443}.get(parts.scheme)}
    return f"{parts.scheme}://{host}" if is_usual else f"{parts.scheme}://{host}:{parts.port}"
