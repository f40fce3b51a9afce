"""A small HTTP server that answers like Label Studio's list of tasks."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import parse_qs, urlsplit

from typing_extensions import override


@dataclass
class LabelStudioDouble:
    """Holds tasks as JSON; can be slow or broken."""

    url: str = ""
    tasks: dict[int, dict[str, Any]] = field(default_factory=dict)
    delay_seconds: float = 0.0
    is_broken: bool = False
    asked: list[int] = field(default_factory=list)
    tokens: set[str] = field(default_factory=set)

    def put(
        self, task_id: int, *, entry: int, at: datetime, annotation_id: int | None = None
    ) -> None:
        """Set a task, with a "No finding" annotation or without any."""
        annotation = {
            "id": annotation_id,
            "created_at": at.isoformat(),
            "updated_at": at.isoformat(),
            "was_cancelled": False,
            "lead_time": 21.0,
            "completed_by": 1,
            "parent_prediction": None,
            "result": [
                {
                    "id": "nf",
                    "type": "choices",
                    "from_name": "study",
                    "to_name": "image",
                    "value": {"choices": ["No finding"]},
                }
            ],
        }
        self.tasks[task_id] = {
            "id": task_id,
            "data": {"overread": 1, "entry": entry},
            "updated_at": at.isoformat(),
            "annotations": [] if annotation_id is None else [annotation],
            "predictions": [],
        }

    def answer(self, query: str) -> dict[str, Any]:
        """Return the tasks that a query's filter by id finds."""
        wanted = json.loads(parse_qs(query)["query"][0])["filters"]["items"][0]["value"]
        self.asked.append(wanted)
        found = self.tasks.get(wanted)
        return {"tasks": [] if found is None else [found], "total": len(self.tasks)}


@contextmanager
def running(double: LabelStudioDouble) -> Iterator[LabelStudioDouble]:
    """Let a double listen on this machine."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            double.tokens.add(self.headers.get("Authorization", ""))
            time.sleep(double.delay_seconds)
            body = json.dumps(double.answer(urlsplit(self.path).query)).encode()
            self.send_response(500 if double.is_broken else 200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        @override
        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    double.url = f"http://127.0.0.1:{server.server_port}"
    yield double
    server.shutdown()
    thread.join()
    server.server_close()
