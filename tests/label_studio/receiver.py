"""A server that stands where webhook receiver and ML backend would be, and keeps what it gets."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Condition, Thread
from typing import Any

from typing_extensions import override


@dataclass(frozen=True, slots=True)
class Delivery:
    """One request that arrived.

    Attributes
    ----------
    path : str
        Of its URL.
    headers : dict of str to str
        By name.
    body : dict
        Its JSON; empty when it had none.
    """

    path: str
    headers: dict[str, str]
    body: dict[str, Any]


class Receiver(ThreadingHTTPServer):
    """Answers health and setup like an ML backend; everything else with an empty object."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.deliveries: list[Delivery] = []
        self.arrived = Condition()

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.server_port}"

    def keep(self, delivery: Delivery) -> None:
        """Remember a delivery."""
        with self.arrived:
            self.deliveries.append(delivery)
            self.arrived.notify_all()

    def wait_for(self, path: str, action: str, seconds: float = 10.0) -> Delivery:
        """Return the newest delivery of an action, waiting for it."""

        def found() -> list[Delivery]:
            return [
                delivery
                for delivery in self.deliveries
                if delivery.path == path and delivery.body.get("action") == action
            ]

        with self.arrived:
            assert self.arrived.wait_for(found, seconds), f"no {action} came to {path}"
            return found()[-1]


class _Handler(BaseHTTPRequestHandler):
    server: Receiver

    def do_GET(self) -> None:
        self._answer({"status": "UP"})

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers.get("Content-Length", 0))) or b"{}")
        self.server.keep(Delivery(self.path, dict(self.headers), body))
        self._answer({"model_version": "live-1"} if self.path == "/setup" else {})

    def _answer(self, content: dict[str, str]) -> None:
        body = json.dumps(content).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    @override
    def log_message(self, format: str, *args: object) -> None:
        """Print nothing."""


@contextmanager
def running_receiver() -> Iterator[Receiver]:
    """Listen on a free port."""
    receiver = Receiver()
    thread = Thread(target=receiver.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield receiver
    finally:
        receiver.shutdown()
        thread.join()
        receiver.server_close()
