"""Label Studio's example is started from its checkout, measured and stopped."""

import sys
from pathlib import Path

import pytest

from backend.demo import sample
from backend.formats.radiographs import encode_png
from benchmarks import serving_example
from tests.ml.conftest import radiograph

pytestmark = pytest.mark.enable_socket

PRETENDER = """
import argparse, json, os, time, urllib.request
from http.server import BaseHTTPRequestHandler, HTTPServer

parser = argparse.ArgumentParser()
parser.add_argument("--host")
parser.add_argument("--port", type=int)
asked = parser.parse_args()


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        self.answer({"status": "UP"})

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        assert "model_path=" in body["label_config"] and "Cardiomegaly" in body["label_config"]
        for task in body["tasks"]:
            assert urllib.request.urlopen(task["data"]["image"]).read().startswith(b"\\x89PNG")
        with open("asked", "a") as file:
            file.write(f"{len(body['tasks'])} ")
        self.answer({"results": [{} for _ in body["tasks"]][: int(os.environ.get("ONLY", 99))]})

    def answer(self, what):
        data = json.dumps(what).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_):
        pass


HTTPServer((asked.host, asked.port), Handler).serve_forever()
"""


@pytest.fixture
def images(tmp_path: Path) -> list[Path]:
    folder = tmp_path / "images"
    folder.mkdir()
    paths = [folder / f"{number}.png" for number in range(3)]
    for number, path in enumerate(paths):
        path.write_bytes(encode_png(radiograph(number)))
    return paths


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    folder = tmp_path / "yolo"
    folder.mkdir()
    (folder / "_wsgi.py").write_text(PRETENDER)
    return folder


class TestMeasure:
    def test_asks_for_all_images_together_and_for_one(
        self, checkout: Path, images: list[Path]
    ) -> None:
        figures = serving_example.measure(
            checkout, Path(sys.executable), sample.WEIGHTS, images, rounds=2
        )

        assert figures["example_images_per_second"] > 0
        assert figures["example_p50_ms"] > 0
        assert (checkout / "asked").read_text().split() == ["3"] * 3 + ["1"] * 15

    def test_flatters_nobody_who_leaves_images_out(
        self, checkout: Path, images: list[Path], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("ONLY", "2")

        with pytest.raises(RuntimeError, match="left images out"):
            serving_example.measure(
                checkout, Path(sys.executable), sample.WEIGHTS, images, rounds=1
            )

    def test_says_so_when_it_does_not_start(self, checkout: Path, images: list[Path]) -> None:
        (checkout / "_wsgi.py").write_text("raise SystemExit(1)")

        with pytest.raises(RuntimeError, match="did not start"):
            serving_example.measure(
                checkout, Path(sys.executable), sample.WEIGHTS, images, rounds=1
            )
