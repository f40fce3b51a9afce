"""Decoding what came from elsewhere, in little memory."""

import io
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier, BrokenBarrierError

import numpy as np
import pytest
from PIL import Image

from backend.formats.radiographs import Pixels, encode_png
from ml_backend.decoding import Decoding
from ml_backend.runtimes.usable_cores import cores
from tests.ml.conftest import radiograph


def png(width_px: int, height_px: int) -> bytes:
    buffer = io.BytesIO()
    Image.new("L", (width_px, height_px)).save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()


class TestDecoding:
    def test_returns_a_small_copy(self) -> None:
        copy = Decoding().small(encode_png(radiograph(1, 1500, 1200)))

        assert (copy.pixels.shape, copy.size_px) == ((1024, 819), (1500, 1200))

    def test_decodes_one_large_image_at_a_time(self) -> None:
        met = Barrier(2)

        def decode(_: bytes) -> Pixels:
            met.wait(0.2)
            return np.zeros((8, 8), np.uint8)

        decoding, large = Decoding(decode), png(5000, 4000)
        with ThreadPoolExecutor(2) as pool:
            both = [pool.submit(decoding.small, large) for _ in range(2)]
            failed = [answer.exception(20) for answer in both]

        assert [type(problem) for problem in failed] == [BrokenBarrierError] * 2


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
