"""The network between two servers: it can be cut, and it mistreats webhooks."""

import heapq
import socket
import time
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from threading import Condition, Lock, Thread

import httpx2
import numpy as np
from typing_extensions import override

_CHUNK = 65536
_DELIVERY_SECONDS = 5.0
DROPPED, DOUBLED, DELAYED = 0.1, 0.15, 0.3
"""Shares of the webhooks; the rest pass."""
_LONGEST_DELAY_SECONDS = 20.0


class Wire:
    """A TCP connection from a free port to a server, cut and mended at will."""

    def __init__(self, port: int) -> None:
        self._target = ("127.0.0.1", port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._open: set[socket.socket] = set()
        self._lock = Lock()
        self.is_cut = False
        Thread(target=self._listen, daemon=True).start()

    @property
    def url(self) -> str:
        """Where it begins."""
        return f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def cut(self) -> None:
        """Break every connection, and let no new one through."""
        with self._lock:
            self.is_cut = True
            broken, self._open = self._open, set()
        for end in broken:
            _close(end)

    def mend(self) -> None:
        """Let connections through again."""
        with self._lock:
            self.is_cut = False

    def close(self) -> None:
        """End for good."""
        self.cut()
        _close(self._listener)

    def _listen(self) -> None:
        with suppress(OSError):
            while True:
                caller, _ = self._listener.accept()
                Thread(target=self._connect, args=(caller,), daemon=True).start()

    def _connect(self, caller: socket.socket) -> None:
        try:
            server = socket.create_connection(self._target, timeout=5)
        except OSError:
            _close(caller)
            return
        server.settimeout(None)
        with self._lock:
            if self.is_cut:
                _close(caller)
                _close(server)
                return
            self._open |= {caller, server}
        for source, sink in ((caller, server), (server, caller)):
            Thread(target=self._carry, args=(source, sink), daemon=True).start()

    def _carry(self, source: socket.socket, sink: socket.socket) -> None:
        with suppress(OSError):
            while chunk := source.recv(_CHUNK):
                sink.sendall(chunk)
        _close(source)
        _close(sink)
        with self._lock:
            self._open -= {source, sink}


class WebhookWire(ThreadingHTTPServer):
    """Takes Label Studio's webhooks and hands them on: not at all, twice, late, out of order."""

    daemon_threads = True

    def __init__(self, receiver_url: str, rng: np.random.Generator) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self._receiver_url = receiver_url
        self._rng = rng
        self._due: list[tuple[float, int, str, dict[str, str], bytes]] = []
        self._numbers = count()
        self._changed = Condition()
        self._is_closed = False
        self.is_cut = False
        self.counts = dict.fromkeys(
            ("arrived", "dropped", "doubled", "delayed", "answered", "unanswered"), 0
        )
        self.answer_seconds: list[float] = []
        Thread(target=self.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        for _ in range(3):
            Thread(target=self._deliver, daemon=True).start()

    @property
    def url(self) -> str:
        """Where Label Studio reports to."""
        return f"http://127.0.0.1:{self.server_port}"

    def take(self, path: str, headers: dict[str, str], body: bytes) -> None:
        """Decide what becomes of a webhook."""
        with self._changed:
            self.counts["arrived"] += 1
            fate = self._rng.random()
            if fate < DROPPED:
                self.counts["dropped"] += 1
                return
            delays = [0.0]
            if fate < DROPPED + DOUBLED:
                self.counts["doubled"] += 1
                delays = [0.0, float(self._rng.uniform(0, _LONGEST_DELAY_SECONDS))]
            elif fate < DROPPED + DOUBLED + DELAYED:
                self.counts["delayed"] += 1
                delays = [float(self._rng.uniform(0, _LONGEST_DELAY_SECONDS))]
            for delay in delays:
                item = (time.monotonic() + delay, next(self._numbers), path, headers, body)
                heapq.heappush(self._due, item)
            self._changed.notify_all()

    def close(self) -> None:
        """End; what was not delivered yet is lost."""
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()
        self.shutdown()
        self.server_close()

    def _deliver(self) -> None:
        with httpx2.Client(timeout=_DELIVERY_SECONDS, trust_env=False) as client:
            while (item := self._next()) is not None:
                _, _, path, headers, body = item
                started = time.monotonic()
                try:
                    if self.is_cut:
                        raise httpx2.ConnectError("the wire is cut")
                    answer = client.post(
                        f"{self._receiver_url}{path}", content=body, headers=headers
                    )
                    is_answered = answer.status_code == httpx2.codes.ACCEPTED
                except httpx2.HTTPError:
                    is_answered = False
                with self._changed:
                    self.counts["answered" if is_answered else "unanswered"] += 1
                    if is_answered:
                        self.answer_seconds.append(time.monotonic() - started)

    def _next(self) -> tuple[float, int, str, dict[str, str], bytes] | None:
        with self._changed:
            while not self._is_closed:
                wait = self._due[0][0] - time.monotonic() if self._due else 1.0
                if self._due and wait <= 0:
                    return heapq.heappop(self._due)
                self._changed.wait(min(wait, 1.0))
        return None


class _Handler(BaseHTTPRequestHandler):
    server: WebhookWire

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.server.is_cut:
            self.close_connection = True
            return
        kept = {
            name: value
            for name, value in self.headers.items()
            if name.casefold().startswith(("x-overread", "content-type"))
        }
        self.server.take(self.path, kept, body)
        self.send_response(202)
        self.send_header("Content-Length", "0")
        self.end_headers()

    @override
    def log_message(self, format: str, *args: object) -> None:
        """Print nothing."""


def _close(end: socket.socket) -> None:
    with suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)
    with suppress(OSError):
        end.close()
