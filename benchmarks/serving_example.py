"""Label Studio's own YOLO example as the peer; its checkout is given by path, none of it is here.

It needs an interpreter in which its requirements are installed, and reads images over HTTP, from a
server that this module starts. Its single process and its defaults are left as they are.
"""

import os
import statistics
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import httpx2
from typing_extensions import override

from backend.domain.findings import Finding
from backend.local_services.processes import free_port

_START_SECONDS = 180.0
_SINGLE_ROUNDS = 15


def measure(
    checkout: Path, python: Path, weights: Path, images: Sequence[Path], *, rounds: int
) -> dict[str, float]:
    """Return the example's images per second of one request with all images, and its latency."""
    with (
        _image_server(images[0].parent) as source,
        _example(checkout, python) as url,
        httpx2.Client(base_url=url, timeout=300, trust_env=False) as client,
    ):

        def ask(tasks: Sequence[dict[str, Any]]) -> float:
            started = time.perf_counter()
            body = {"tasks": tasks, "label_config": _config(weights), "project": "1.1"}
            answer = client.post("/predict", json=body)
            answer.raise_for_status()
            if len(answer.json()["results"]) != len(tasks):
                raise RuntimeError("the example left images out; the figures would flatter it")
            return time.perf_counter() - started

        tasks = [
            {"id": number, "data": {"image": f"{source}/{path.name}"}}
            for number, path in enumerate(images)
        ]
        ask(tasks)  # fills its cache of downloads
        batch = statistics.median(ask(tasks) for _ in range(rounds))
        single = statistics.median(ask(tasks[:1]) for _ in range(_SINGLE_ROUNDS))
    return {
        "example_images_per_second": len(tasks) / batch,
        "example_p50_ms": single * 1e3,
    }


def _config(weights: Path) -> str:
    labels = "".join(f'<Label value="{finding.title}"/>' for finding in Finding)
    return (
        '<View><Image name="image" value="$image"/>'
        f'<RectangleLabels name="label" toName="image" model_path="{weights.absolute()}">'
        f"{labels}</RectangleLabels></View>"
    )


@contextmanager
def _example(checkout: Path, python: Path) -> Iterator[str]:
    port = free_port()
    process = subprocess.Popen(  # noqa: S603 - whoever measures says what
        [python.absolute(), "_wsgi.py", "--host", "127.0.0.1", "--port", str(port)],
        cwd=checkout,
        env={
            **os.environ,  # noqa: TID251 - the example is configured by it
            "ALLOW_CUSTOM_MODEL_PATH": "true",
            "LOG_LEVEL": "ERROR",
            "LABEL_STUDIO_URL": "http://127.0.0.1:9",  # as in use, but nobody answers
            "LABEL_STUDIO_API_KEY": "none",
        },
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        _wait_for(process, f"http://127.0.0.1:{port}")
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait()


def _wait_for(process: "subprocess.Popen[bytes]", url: str) -> None:
    until = time.perf_counter() + _START_SECONDS
    while process.poll() is None and time.perf_counter() < until:
        try:
            if httpx2.get(f"{url}/health", trust_env=False).is_success:
                return
        except httpx2.HTTPError:
            pass
        time.sleep(0.1)
    raise RuntimeError(
        "the example did not start; run its _wsgi.py with the same interpreter to see why"
    )


@contextmanager
def _image_server(folder: Path) -> Iterator[str]:
    class Quiet(SimpleHTTPRequestHandler):
        @override
        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder)))
    thread = Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
