"""Images to detect on, a server that serves them, and the ML backend."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import numpy as np
import pytest
from pydantic import SecretStr
from starlette.testclient import TestClient
from typing_extensions import override

from backend.domain.boxes import Box
from backend.domain.consensus.clusters import Cluster, ClusterState, Supporter
from backend.domain.dataset import DatasetImage, DatasetVersion, content_sha256
from backend.domain.findings import Finding
from backend.domain.images import Image, Split
from backend.formats.radiographs import encode_png, read_file
from backend.settings import Settings
from ml_backend.app import create_app
from ml_backend.front_door import USER_NAME, password
from ml_backend.letterbox import Radiograph
from ml_backend.live_model import LiveModel
from ml_backend.scripted_detector import ScriptedDetector

REQUESTS = Path(__file__).parent / "requests"


def radiograph(seed: int = 0, height_px: int = 96, width_px: int = 80) -> Radiograph:
    """Return noise; the same seed gives the same pixels."""
    noise = np.random.default_rng(seed).integers(0, 200, (height_px, width_px))
    return noise.astype(np.uint8)


def recorded(name: str) -> dict[str, Any]:
    """Return the body of a request that Label Studio 1.23.2 sent."""
    body: dict[str, Any] = json.loads((REQUESTS / f"{name}.json").read_text())
    return body


@dataclass
class ImageServer:
    """Answers by path; what is not set answers 404."""

    url: str = ""
    answers: dict[str, tuple[int, dict[str, str], bytes]] = field(default_factory=dict)

    def add(
        self,
        path: str,
        body: bytes,
        *,
        status: int = 200,
        kind: str = "image/png",
        location: str = "",
    ) -> str:
        headers = {"Content-Type": kind, "Content-Length": str(len(body))}
        if location:
            headers["Location"] = location
        self.answers[path] = (status, headers, body)
        return self.url + path


@pytest.fixture
def image_server(socket_enabled: None) -> Iterator[ImageServer]:
    served = ImageServer()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, headers, body = served.answers.get(
                self.path, (404, {"Content-Length": "0"}, b"")
            )
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        @override
        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    served.url = f"http://127.0.0.1:{server.server_port}"
    yield served
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def settings(image_server: ImageServer) -> Settings:
    return Settings(secret_key=SecretStr("s" * 32), backend_url=image_server.url)


@pytest.fixture
def live_model() -> LiveModel:
    return LiveModel(ScriptedDetector(model_version="m1"))


@pytest.fixture
def stranger(settings: Settings, live_model: LiveModel) -> Iterator[TestClient]:
    with TestClient(create_app(settings, live_model)) as opened:
        yield opened


@pytest.fixture
def client(settings: Settings, live_model: LiveModel) -> Iterator[TestClient]:
    with TestClient(create_app(settings, live_model)) as opened:
        opened.auth = (USER_NAME, password(settings))
        yield opened


WHITE_PATCH = Box(30, 40, 90, 80)


def dataset_version(folder: Path, *, images: int = 6) -> DatasetVersion:
    """Return a cut of images that show a bright patch, every third one none."""
    members = []
    for number in range(images):
        pixels = radiograph(number, 128, 120) // 4
        has_finding = number % 3 != 2
        if has_finding:
            pixels[40:80, 30:90] = 220
        path = folder / f"i{number}.png"
        path.write_bytes(encode_png(pixels))
        members.append(_member(path, has_finding=has_finding, is_training=number < images - 3))
    content = tuple(members)
    return DatasetVersion(
        "d1",
        content_sha256(content),
        "overread-2-prior",
        datetime(2026, 1, 1, tzinfo=UTC),
        content,
    )


def _member(path: Path, *, has_finding: bool, is_training: bool) -> DatasetImage:
    file = read_file(path)
    image = Image(
        id=path.stem,
        source="test",
        uri=str(path),
        sha256=file.sha256,
        pixel_hash=file.pixel_hash,
        width_px=file.width_px,
        height_px=file.height_px,
        patient_key=path.stem,
        split=Split.TRAIN if is_training else Split.VALIDATION,
    )
    cluster = Cluster(
        Finding.CARDIOMEGALY, WHITE_PATCH, 0.9, 0.9, ClusterState.MAJORITY, (Supporter("R8"),)
    )
    return DatasetImage(image, (cluster,) if has_finding else (), ("R8",))
