"""Small copies of radiographs."""

from pathlib import Path

import numpy as np
import pytest

from ml_backend.image_cache import ImageCache, small_copy
from ml_backend.letterbox import letterbox
from tests.ml.conftest import radiograph

KEY = "ab" * 32


class TestSmallCopy:
    @pytest.mark.parametrize(
        ("height_px", "width_px", "expected"),
        [(3000, 2500, (1024, 853)), (1024, 1000, (1024, 1000)), (30, 2048, (15, 1024))],
    )
    def test_is_no_longer_than_needed(
        self, height_px: int, width_px: int, expected: tuple[int, int]
    ) -> None:
        copy = small_copy(radiograph(1, height_px, width_px))

        assert copy.pixels.shape == expected
        assert copy.size_px == (height_px, width_px)

    def test_gives_boxes_in_pixels_of_the_radiograph(self) -> None:
        image = radiograph(1, 3000, 2500)
        copy = small_copy(image)
        whole = letterbox(image, 640)

        frame = letterbox(copy.pixels, 640, size_px=copy.size_px)

        box = np.array([[100.0, 200.0, 300.0, 400.0]])
        np.testing.assert_array_equal(frame.to_image(box), whole.to_image(box))
        assert frame.pixels.shape == whole.pixels.shape


class TestImageCache:
    def test_gives_back_what_it_keeps(self, tmp_path: Path) -> None:
        cache, copy = ImageCache(tmp_path), small_copy(radiograph(1, 2000, 1500))

        cache.keep(KEY, copy)
        kept = cache.find(KEY)

        assert kept is not None
        np.testing.assert_array_equal(kept.pixels, copy.pixels)
        assert kept.size_px == (2000, 1500)

    def test_knows_nothing_of_others(self, tmp_path: Path) -> None:
        assert ImageCache(tmp_path).find(KEY) is None

    @pytest.mark.parametrize("length", [0, 5, 24, 200])
    def test_passes_over_a_damaged_file(self, tmp_path: Path, length: int) -> None:
        cache = ImageCache(tmp_path)
        cache.keep(KEY, small_copy(radiograph(1)))
        (path,) = tmp_path.rglob("*.grey")
        path.write_bytes(path.read_bytes()[:length])

        assert cache.find(KEY) is None
