"""Radiographs go to whoever holds a good link, and to nobody else."""

from datetime import timedelta
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from fastapi import FastAPI
from PIL import Image as Picture
from starlette.testclient import TestClient

from backend import image_links
from backend.settings import Settings
from backend.store.unit_of_work import Store
from tests.api.conftest import NOBODY_LISTENS, NOW, Clock, grey_file, register


@pytest.fixture
def sixteen_bit(furnished: Store, tmp_path: Path) -> Path:
    path = grey_file(tmp_path / "deep.png", level=1000, bits=16)
    with furnished.transaction() as unit:
        register(unit, path, image_id="deep.v1")
    return path


def link(settings: Settings, image_id: str = "deep.v1", *, days: int = 1) -> str:
    whole = image_links.sign(
        settings.backend_url,
        image_id,
        expires_at=NOW + timedelta(days=days),
        secret=settings.derived_secret("image-links"),
    )
    return whole.removeprefix(settings.backend_url)


@pytest.mark.usefixtures("sixteen_bit")
class TestSignedLink:
    def test_shows_sixteen_bits_as_an_eight_bit_grey_png(
        self, client: TestClient, settings: Settings
    ) -> None:
        answer = client.get(link(settings))
        assert answer.status_code == 200
        assert answer.headers["content-type"] == "image/png"
        with Picture.open(BytesIO(answer.content)) as picture:
            assert (picture.format, picture.mode, picture.size) == ("PNG", "L", (16, 12))
            assert np.asarray(picture)[0, [0, 15]].tolist() == [0, 255]

    def test_lets_pages_of_label_studio_use_the_pixels(
        self, client: TestClient, settings: Settings
    ) -> None:
        answer = client.get(link(settings), headers={"Origin": NOBODY_LISTENS})
        assert answer.headers["access-control-allow-origin"] == NOBODY_LISTENS
        assert "Origin" in answer.headers["vary"]
        assert answer.headers["cross-origin-resource-policy"] == "cross-origin"

    def test_is_kept_by_the_browser_alone_and_never_longer_than_the_link_is_good(
        self, client: TestClient, settings: Settings, clock: Clock
    ) -> None:
        assert client.get(link(settings)).headers["cache-control"] == "private, max-age=3600"
        clock.pass_by(timedelta(hours=23, minutes=59))
        assert client.get(link(settings)).headers["cache-control"] == "private, max-age=60"

    def test_can_be_asked_for_its_head_alone(self, client: TestClient, settings: Settings) -> None:
        answer = client.head(link(settings))
        assert (answer.status_code, answer.content) == (200, b"")
        assert client.head("/images/deep.v1.png").status_code == 403

    def test_is_not_sent_twice(self, client: TestClient, settings: Settings) -> None:
        etag = client.get(link(settings)).headers["etag"]
        again = client.get(link(settings), headers={"If-None-Match": etag})
        assert (again.status_code, again.content) == (304, b"")

    def test_expires(self, client: TestClient, settings: Settings, clock: Clock) -> None:
        clock.pass_by(timedelta(days=1, seconds=1))
        answer = client.get(link(settings))
        assert answer.status_code == 403
        assert "overread sync" in answer.json()["detail"]

    @pytest.mark.parametrize(
        "forged",
        [
            "/images/deep.v1.png",
            "/images/deep.v1.png?expires=99999999999",
            "/images/deep.v1.png?expires=99999999999&signature=0000",
            "/images/deep.v1.png?expires=-1&signature=0000",
            "/images/deep.v1.png?expires=1e9&signature=0000",
            "/images/deep.v1.png?expires=" + "9" * 6000 + "&signature=0000",
            "/images/deep.v1.png?expires=99999999999&signature=%C3%BC",
            "/images/unknown.png?expires=99999999999&signature=0000",
        ],
        ids=range(8),
    )
    def test_cannot_be_forged(self, client: TestClient, forged: str) -> None:
        answer = client.get(forged)
        assert answer.status_code == 403
        assert answer.headers["access-control-allow-origin"] == NOBODY_LISTENS

    def test_is_good_for_its_own_image_only(self, client: TestClient, settings: Settings) -> None:
        other = link(settings).replace("deep.v1", "deep.v2")
        assert client.get(other).status_code == 403

    def test_is_not_prolonged_by_hand(self, client: TestClient, settings: Settings) -> None:
        expires = int((NOW + timedelta(days=1)).timestamp())
        prolonged = link(settings).replace(str(expires), str(expires + 1))
        assert client.get(prolonged).status_code == 403


class TestImageThatCannotBeShown:
    def assert_problem(self, client: TestClient, url: str, status: int, remedy: str) -> None:
        answer = client.get(url)
        assert answer.status_code == status
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.headers["access-control-allow-origin"] == NOBODY_LISTENS
        assert remedy in answer.json()["detail"]
        assert "/tmp" not in answer.text  # noqa: S108 - where the tests' files are

    def test_is_unknown(self, client: TestClient, settings: Settings) -> None:
        self.assert_problem(client, link(settings, "unknown"), 404, "overread import")

    def test_is_gone(self, client: TestClient, settings: Settings, sixteen_bit: Path) -> None:
        sixteen_bit.unlink()
        self.assert_problem(client, link(settings), 404, "put it back")

    def test_is_another_picture_now(
        self, client: TestClient, settings: Settings, sixteen_bit: Path
    ) -> None:
        grey_file(sixteen_bit, level=7)
        self.assert_problem(client, link(settings), 409, "put the original back")
        assert not list(settings.data_dir.glob("served/*"))

    def test_has_cors_headers_even_when_the_server_fails(
        self, app: FastAPI, client: TestClient, settings: Settings, sixteen_bit: Path
    ) -> None:
        assert sixteen_bit.exists()
        settings.data_dir.mkdir(parents=True, exist_ok=True)
        (settings.data_dir / "served").write_text("not a folder")
        self.assert_problem(client, link(settings), 500, "its log says why")
        figures = app.state.office.metrics.as_text({}).decode()
        assert 'route="/images/{image_id}.png",status="500"' in figures


class TestServedFile:
    def test_is_made_once_and_whole(
        self, client: TestClient, settings: Settings, sixteen_bit: Path
    ) -> None:
        first = client.get(link(settings)).content
        (kept,) = settings.data_dir.glob("served/*")
        assert kept.suffix == ".png"
        assert kept.read_bytes() == first

        sixteen_bit.unlink()
        assert client.get(link(settings)).content == first
