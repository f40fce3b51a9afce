"""Where the image of a task comes from."""

from collections.abc import Iterator
from pathlib import Path

import httpx2
import numpy as np
import pytest

from backend.domain.images import Image
from backend.formats.radiographs import encode_png, read_file
from backend.settings import Settings
from backend.store import schema
from backend.store.unit_of_work import Store
from backend.terminal import now
from ml_backend.image_cache import ImageCache
from ml_backend.image_source import ImageSource, NotAnImageError, UnreachableImageError
from ml_backend.task_images import TaskImages
from tests.ml.conftest import radiograph

BACKEND = "http://backend.test"
LINK = f"{BACKEND}/images/i1.png?expires=1&signature=x"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "i1.png"
    path.write_bytes(encode_png(radiograph(1, 1500, 1200)))
    return path


@pytest.fixture
def store(file: Path, tmp_path: Path) -> Iterator[Store]:
    settings = Settings(data_dir=tmp_path / "data")
    settings.data_dir.mkdir()
    schema.upgrade(settings.sqlalchemy_url)
    opened = Store(settings.sqlalchemy_url)
    known = read_file(file)
    with opened.transaction() as unit:
        unit.images.add(
            [
                Image(
                    id="i1",
                    source="test",
                    uri=str(file),
                    sha256=known.sha256,
                    pixel_hash=known.pixel_hash,
                    width_px=known.width_px,
                    height_px=known.height_px,
                    patient_key="p1",
                )
            ],
            now=now(),
        )
    yield opened
    opened.close()


@pytest.fixture
def images(store: Store, tmp_path: Path) -> TaskImages:
    nobody = httpx2.MockTransport(lambda _: httpx2.Response(404))
    return TaskImages(
        ImageSource([BACKEND], transport=nobody),
        backend_url=BACKEND,
        store=store,
        cache=ImageCache(tmp_path / "cache"),
    )


class TestTaskImages:
    def test_reads_a_registered_image_without_asking_a_server(self, images: TaskImages) -> None:
        found = images.find(LINK)
        copy = found.load()

        assert not found.is_remote
        assert copy.pixels.shape == (1024, 819)
        assert copy.size_px == (1500, 1200)

    def test_reads_the_small_copy_the_next_time(self, images: TaskImages, file: Path) -> None:
        first = images.find(LINK).load()
        file.unlink()

        again = images.find(LINK).load()

        np.testing.assert_array_equal(again.pixels, first.pixels)

    def test_says_what_is_wrong_with_the_file(self, images: TaskImages, file: Path) -> None:
        file.write_bytes(encode_png(radiograph(2)))

        with pytest.raises(NotAnImageError, match="does not show the pixels"):
            images.find(LINK).load()

    @pytest.mark.parametrize("name", ["unknown.png", "../../etc/passwd.png", "%2e%2e.png", ".png"])
    def test_asks_the_backend_for_what_it_does_not_know(
        self, images: TaskImages, name: str
    ) -> None:
        with pytest.raises(UnreachableImageError, match="answered 404"):
            images.find(f"{BACKEND}/images/{name}").load()

    def test_fetches_every_other_link(self, images: TaskImages) -> None:
        assert images.find("http://elsewhere.test/images/i1.png").is_remote
        assert images.find(None).is_remote
