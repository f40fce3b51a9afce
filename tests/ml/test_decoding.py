"""Decoding in little memory."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier, BrokenBarrierError

import httpx2
import numpy as np
import pytest
from PIL import Image as PillowImage

from backend.domain.images import Image
from backend.formats.image_cache import SmallCopy
from backend.formats.radiographs import Pixels, encode_png, read_file
from ml_backend.image_source import ImageSource
from ml_backend.runtimes.usable_cores import cores
from ml_backend.task_images import read_small
from tests.ml.conftest import radiograph


@pytest.fixture
def large(tmp_path: Path) -> Image:
    """A registered image of 20 megapixels."""
    path = tmp_path / "large.png"
    PillowImage.new("L", (5000, 4000)).save(path, compress_level=1)
    file = read_file(path)
    return Image("a", "test", str(path), file.sha256, file.pixel_hash, 5000, 4000, "p")


def make_decoders_meet(monkeypatch: pytest.MonkeyPatch, *, seconds: float) -> None:
    """Let whoever decodes wait for another one who does; it fails when nobody comes."""
    both = Barrier(2)

    def decode(_: bytes) -> Pixels:
        both.wait(seconds)
        return np.zeros((8, 8), np.uint8)

    monkeypatch.setattr("ml_backend.image_source.decode", decode)
    monkeypatch.setattr("backend.formats.radiographs.decode", decode)


class TestTurn:
    def fetch(self, path: Path) -> SmallCopy:
        source = ImageSource(
            ["http://images.example"],
            transport=httpx2.MockTransport(
                lambda _: httpx2.Response(
                    200, headers={"content-type": "image/png"}, content=path.read_bytes()
                )
            ),
        )
        return source.fetch("http://images.example/a.png")

    def test_is_one_large_images_whether_fetched_or_registered(
        self, large: Image, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        make_decoders_meet(monkeypatch, seconds=0.2)

        with ThreadPoolExecutor(2) as pool:
            fetched = pool.submit(self.fetch, Path(large.uri))
            registered = pool.submit(read_small, large, None)

        assert isinstance(fetched.exception(), BrokenBarrierError)
        assert isinstance(registered.exception(), BrokenBarrierError)

    @pytest.mark.skipif(cores() < 2, reason="one core decodes one image at a time")
    def test_is_several_small_images(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        make_decoders_meet(monkeypatch, seconds=20)
        path = tmp_path / "small.png"
        path.write_bytes(encode_png(radiograph(1)))

        with ThreadPoolExecutor(2) as pool:
            copies = [pool.submit(self.fetch, path) for _ in range(2)]

        assert [copy.exception() for copy in copies] == [None, None]


class TestCores:
    @pytest.mark.parametrize(
        ("told", "expected"), [("100000 100000", 1), ("50000 100000", 1), ("0 100000", 1)]
    )
    def test_obeys_the_quota_of_a_container(
        self, tmp_path: Path, told: str, expected: int
    ) -> None:
        (tmp_path / "cpu.max").write_text(told)

        assert cores(tmp_path) == expected

    @pytest.mark.parametrize("told", [None, "max 100000", "", "9900000 100000", "odd"])
    def test_uses_what_there_is_without_one(self, tmp_path: Path, told: str | None) -> None:
        if told is not None:
            (tmp_path / "cpu.max").write_text(told)

        assert cores(tmp_path) == cores(tmp_path / "nothing")
