"""Where the image of a task comes from."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx2
import numpy as np
import pytest
from pydantic import SecretStr

from backend import image_links
from backend.desk import service_token
from backend.domain.images import Image
from backend.formats.image_cache import ImageCache
from backend.formats.radiographs import encode_png, read_file
from backend.settings import Settings
from backend.store import schema
from backend.store.readers import ReaderProject
from backend.store.unit_of_work import Store
from backend.terminal import now
from ml_backend.image_source import (
    ForbiddenAddressError,
    ImageSource,
    NotAnImageError,
    UnreachableImageError,
)
from ml_backend.inference_queue import Source
from ml_backend.task_images import TaskImages
from tests.ml.conftest import radiograph

BACKEND = "http://backend.test"
LABEL_STUDIO = "http://label-studio.test"
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
SETTINGS = Settings(
    secret_key=SecretStr("s" * 32), backend_url=BACKEND, label_studio_url=LABEL_STUDIO
)


def signed(image_id: str, *, until: datetime = NOON, secret: str | None = None) -> str:
    secret = secret or SETTINGS.image_link_secret
    return image_links.sign(BACKEND, image_id, expires_at=until, secret=secret)


LINK = signed("i1")


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
def asked() -> list[httpx2.Request]:
    return []


@pytest.fixture
def images(store: Store, tmp_path: Path, asked: list[httpx2.Request]) -> TaskImages:
    def answer(request: httpx2.Request) -> httpx2.Response:
        asked.append(request)
        if request.url.path == "/data/moved.png":
            return httpx2.Response(302, headers={"Location": "http://elsewhere.test/a.png"})
        if request.url.path.startswith("/data/") and "Authorization" in request.headers:
            return httpx2.Response(
                200, headers={"Content-Type": "image/png"}, content=encode_png(radiograph())
            )
        return httpx2.Response(404)

    return TaskImages(
        ImageSource([BACKEND, LABEL_STUDIO], transport=httpx2.MockTransport(answer)),
        SETTINGS,
        store=store,
        cache=ImageCache(tmp_path / "cache", 1e9),
        clock=lambda: NOON,
    )


class TestTaskImages:
    def test_reads_a_registered_image_without_asking_a_server(self, images: TaskImages) -> None:
        found = images.find(LINK)
        copy = found.load()

        assert found.source is Source.FILE
        assert copy.pixels.shape == (1024, 819)
        assert copy.size_px == (1500, 1200)

    def test_reads_the_small_copy_the_next_time(self, images: TaskImages, file: Path) -> None:
        first = images.find(LINK).load()
        file.unlink()

        found = images.find(LINK)
        again = found.load()

        assert found.source is Source.COPY
        np.testing.assert_array_equal(again.pixels, first.pixels)

    def test_says_what_is_wrong_with_the_file(self, images: TaskImages, file: Path) -> None:
        file.write_bytes(encode_png(radiograph(2)))

        with pytest.raises(NotAnImageError, match="does not show the pixels"):
            images.find(LINK).load()

    def test_asks_the_backend_for_what_it_does_not_know(self, images: TaskImages) -> None:
        with pytest.raises(UnreachableImageError, match="answered 404"):
            images.find(signed("unknown")).load()

    @pytest.mark.parametrize("name", ["../../etc/passwd.png", "%2e%2e.png", ".png", "i1.png"])
    @pytest.mark.parametrize("query", ["", "?expires=9999999999&signature=x"])
    def test_shows_nothing_of_this_machine_without_a_signature(
        self, images: TaskImages, name: str, query: str
    ) -> None:
        with pytest.raises((ForbiddenAddressError, UnreachableImageError)):
            images.find(f"{BACKEND}/images/{name}{query}").load()

    @pytest.mark.parametrize(
        ("link", "why"),
        [
            (signed("i1", until=NOON - timedelta(seconds=1)), "has expired"),
            (signed("i1", secret="t"), "not made by this server"),  # noqa: S106
            (signed("i2").replace("i2.png", "i1.png"), "not made by this server"),
            (f"{BACKEND}/images/i1.png", "expected a signed link"),
        ],
        ids=["expired", "another secret", "another image", "bare"],
    )
    def test_asks_of_a_link_what_the_backend_asks(
        self, images: TaskImages, link: str, why: str
    ) -> None:
        with pytest.raises(ForbiddenAddressError, match=why):
            images.find(link).load()

    def test_fetches_every_other_link(self, images: TaskImages) -> None:
        for address in ("http://elsewhere.test/images/i1.png", None):
            assert images.find(address).source is Source.SERVER


class TestUploads:
    """Images that somebody gave to Label Studio itself."""

    @pytest.fixture(autouse=True)
    def project(self, store: Store) -> None:
        with store.transaction() as unit:
            unit.readers.ensure(["R1"], now=NOON)
            unit.readers.add_project(ReaderProject("R1", "r1@hospital.example", 2, 32))

    @pytest.mark.parametrize(
        "address", ["/data/upload/1.png", f"{LABEL_STUDIO}/data/upload/1.png"]
    )
    def test_are_fetched_as_the_service_of_the_projects_reader(
        self, images: TaskImages, asked: list[httpx2.Request], address: str
    ) -> None:
        copy = images.find(address, 32).load()

        np.testing.assert_array_equal(copy.pixels, radiograph())
        (request,) = asked
        assert str(request.url) == f"{LABEL_STUDIO}/data/upload/1.png"
        assert request.headers["Authorization"] == f"Token {service_token(SETTINGS, 'R1')}"

    @pytest.mark.parametrize("project_id", [33, None, "32", [32]])
    def test_are_nobodys_in_another_project(
        self, images: TaskImages, asked: list[httpx2.Request], project_id: object
    ) -> None:
        with pytest.raises(UnreachableImageError, match="answered 404"):
            images.find("/data/upload/1.png", project_id).load()
        assert "Authorization" not in asked[0].headers

    def test_give_the_token_to_no_other_server(
        self, images: TaskImages, asked: list[httpx2.Request]
    ) -> None:
        with pytest.raises(UnreachableImageError, match="answered 302"):
            images.find("/data/moved.png", 32).load()
        with pytest.raises(UnreachableImageError):
            images.find(f"{BACKEND}/data/upload/1.png", 32).load()
        with pytest.raises(ForbiddenAddressError):
            images.find("http://label-studio.test.evil.example/data/1.png", 32).load()
        with pytest.raises(ForbiddenAddressError):
            images.find(f"{LABEL_STUDIO}@evil.example/data/1.png", 32).load()

        assert {request.url.host for request in asked} == {"label-studio.test", "backend.test"}
        sent = [request for request in asked if "Authorization" in request.headers]
        assert [request.url.host for request in sent] == ["label-studio.test"]

    @pytest.mark.parametrize("path", ["/data/../api/users", "/data/%2e%2e/api", "/api/users"])
    def test_are_all_that_the_token_is_used_for(
        self, images: TaskImages, asked: list[httpx2.Request], path: str
    ) -> None:
        with pytest.raises((ForbiddenAddressError, UnreachableImageError)):
            images.find(LABEL_STUDIO + path, 32).load()
        assert not [request for request in asked if "Authorization" in request.headers]
