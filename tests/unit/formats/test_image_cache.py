"""Small copies of radiographs."""

import os
import time
from pathlib import Path

import numpy as np
import pytest

from backend.formats.image_cache import ImageCache, small_copy
from backend.formats.radiographs import encode_png, read_file
from ml_backend.letterbox import letterbox
from tests.ml.conftest import radiograph

KEY = "ab" * 32
COPY_BYTES = 24 + 96 * 80


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
        cache, copy = ImageCache(tmp_path, 1e9), small_copy(radiograph(1, 2000, 1500))

        cache.keep(KEY, copy)
        kept = cache.find(KEY)

        assert kept is not None
        np.testing.assert_array_equal(kept.pixels, copy.pixels)
        assert kept.size_px == (2000, 1500)

    def test_knows_nothing_of_others(self, tmp_path: Path) -> None:
        assert ImageCache(tmp_path, 1e9).find(KEY) is None

    @pytest.mark.parametrize("length", [0, 5, 24, 200])
    def test_passes_over_a_damaged_file(self, tmp_path: Path, length: int) -> None:
        cache = ImageCache(tmp_path, 1e9)
        cache.keep(KEY, small_copy(radiograph(1)))
        (path,) = tmp_path.rglob("*.grey")
        path.write_bytes(path.read_bytes()[:length])

        assert cache.find(KEY) is None


class TestLimit:
    def keys(self, number: int) -> list[str]:
        return [f"{each:064x}" for each in range(number)]

    def filled(self, folder: Path, copies: float, keys: list[str]) -> ImageCache:
        cache = ImageCache(folder, copies * COPY_BYTES)
        for age, key in enumerate(keys):
            cache.keep(key, small_copy(radiograph(1)))
            os.utime(cache.path(key), (1000 - age, 1000 - age))
        return cache

    def test_forgets_what_was_not_used_for_longest(self, tmp_path: Path) -> None:
        keys = self.keys(11)
        cache = self.filled(tmp_path, 10, keys[:10])  # the last one was used first
        cache.find(keys[9])

        cache.keep(keys[10], small_copy(radiograph(1)))

        there = [key for key in keys if cache.find(key)]
        assert there == [*keys[:7], *keys[9:]]
        assert cache.kept_bytes == 9 * COPY_BYTES

    def test_counts_what_another_process_kept(self, tmp_path: Path) -> None:
        self.filled(tmp_path, 5, self.keys(5))

        assert ImageCache(tmp_path, 1e9).kept_bytes == 5 * COPY_BYTES

    @pytest.mark.parametrize("copies", [0, 0.5])
    def test_keeps_nothing_where_nothing_fits(self, tmp_path: Path, copies: float) -> None:
        cache = self.filled(tmp_path, copies, [])
        cache.keep(KEY, small_copy(radiograph(1)))

        assert cache.find(KEY) is None
        assert cache.kept_bytes == 0

    def test_leaves_what_another_process_is_writing(self, tmp_path: Path) -> None:
        young, old = (tmp_path / "ab" / name for name in ("young.part", "old.part"))
        young.parent.mkdir()
        for draft in (young, old):
            draft.write_bytes(bytes(COPY_BYTES))
        os.utime(old, (1000, 1000))
        cache = ImageCache(tmp_path, 1.5 * COPY_BYTES)

        cache.keep(KEY, small_copy(radiograph(1)))

        assert young.exists()
        assert not old.exists()
        assert cache.find(KEY) is not None


class TestTrouble:
    def test_goes_on_without_a_folder_that_takes_copies_and_says_so_once(
        self, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        (tmp_path / "cache").write_bytes(b"a file where the folder should be")
        cache = ImageCache(tmp_path / "cache", 1e9)

        for _ in range(2):
            cache.keep(KEY, small_copy(radiograph(1)))

        assert cache.find(KEY) is None
        assert cache.kept_bytes == 0
        assert len(caplog.records) == 1
        assert "cannot be kept" in caplog.text

    def test_leaves_no_draft_where_the_copy_cannot_be_put(self, tmp_path: Path) -> None:
        cache = ImageCache(tmp_path, 1e9)
        cache.path(KEY).mkdir(parents=True)

        cache.keep(KEY, small_copy(radiograph(1)))

        assert list(cache.path(KEY).parent.iterdir()) == [cache.path(KEY)]

    def test_lets_others_read_as_the_umask_says(self, tmp_path: Path) -> None:
        cache = ImageCache(tmp_path, 1e9)
        before = os.umask(0o022)
        try:
            cache.keep(KEY, small_copy(radiograph(1)))
        finally:
            os.umask(before)

        assert cache.path(KEY).stat().st_mode & 0o777 == 0o644

    def test_finds_a_copy_that_it_may_not_touch(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def refuse(*_: object) -> None:
            raise PermissionError(1, "Operation not permitted")

        cache = ImageCache(tmp_path, 1e9)
        cache.keep(KEY, small_copy(radiograph(1)))
        os.utime(cache.path(KEY), (1.0, 1.0))
        monkeypatch.setattr(os, "utime", refuse)

        assert cache.find(KEY) is not None

    def test_notes_once_an_hour_that_a_copy_was_used(self, tmp_path: Path) -> None:
        cache = ImageCache(tmp_path, 1e9)
        cache.keep(KEY, small_copy(radiograph(1)))
        moments = []
        for hours_ago in (2.0, 0.5):
            before = time.time() - 3600 * hours_ago
            os.utime(cache.path(KEY), (before, before))
            cache.find(KEY)
            moments.append(cache.path(KEY).stat().st_mtime - before)

        assert moments[0] == pytest.approx(7200, abs=60)
        assert moments[1] == pytest.approx(0, abs=1)


class TestPrepare:
    def test_keeps_a_copy_for_the_first_scoring(self, tmp_path: Path) -> None:
        path = tmp_path / "a.png"
        path.write_bytes(encode_png(radiograph(1, 2000, 1500)))
        file, cache = read_file(path), ImageCache(tmp_path / "cache", 1e9)

        cache.prepare(file)

        kept = cache.find(file.pixel_hash)
        assert kept is not None
        np.testing.assert_array_equal(kept.pixels, small_copy(file.pixels).pixels)

    def test_drives_nothing_out(self, tmp_path: Path) -> None:
        path = tmp_path / "a.png"
        path.write_bytes(encode_png(radiograph(2)))
        cache = ImageCache(tmp_path / "cache", 2e6)
        cache.keep(KEY, small_copy(radiograph(1, 1024, 1024)))

        cache.prepare(read_file(path))

        assert cache.find(KEY) is not None
        assert cache.find(read_file(path).pixel_hash) is None
