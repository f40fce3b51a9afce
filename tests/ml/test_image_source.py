"""What is fetched, and what is refused."""

import socket
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from threading import Thread

import httpx2
import numpy as np
import pytest

from backend.domain.images import Image
from backend.formats.radiographs import UnreadableImageError, encode_png, pixel_hash
from ml_backend.image_source import (
    MAX_BYTES,
    ForbiddenAddressError,
    ImageSource,
    NotAnImageError,
    OversizedImageError,
    UnreachableImageError,
    read_registered,
)
from tests.ml.conftest import ImageServer, radiograph


@pytest.fixture
def source(image_server: ImageServer) -> Iterator[ImageSource]:
    opened = ImageSource([image_server.url, "https://label-studio.example"])
    yield opened
    opened.close()


class TestFetch:
    def test_returns_the_pixels(self, source: ImageSource, image_server: ImageServer) -> None:
        link = image_server.add("/a.png?signature=1", encode_png(radiograph()))

        np.testing.assert_array_equal(source.fetch(link).pixels, radiograph())

    @pytest.mark.parametrize(
        "address",
        [
            "",
            "a.png",
            "//127.0.0.1/a.png",
            "file:///etc/passwd",
            "ftp://label-studio.example/a.png",
            "http://label-studio.example/a.png",
            "https://label-studio.example:444/a.png",
            "https://label-studio.example.evil.example/a.png",
            "https://label-studio.example@evil.example/a.png",
            "https://user:password@label-studio.example/a.png",
            "https://evil.example/https://label-studio.example/a.png",
            "http://169.254.169.254/latest/meta-data",
            "http://[::1]/a.png",
            "http://\x00",
            "https://label-studio.example:99999/a.png",
            None,
            7,
            {"url": "https://label-studio.example/a.png"},
        ],
    )
    def test_goes_nowhere_else(self, source: ImageSource, address: object) -> None:
        with pytest.raises(ForbiddenAddressError, match=r"expected a link to .*label-studio"):
            source.fetch(address)

    def test_follows_no_redirect(self, source: ImageSource, image_server: ImageServer) -> None:
        image_server.add("/b.png", encode_png(radiograph()))
        link = image_server.add("/a.png", b"", status=302, location="/b.png")

        with pytest.raises(UnreachableImageError, match="answered 302"):
            source.fetch(link)

    @pytest.mark.parametrize("status", [204, 401, 403, 404, 500])
    def test_names_another_status(
        self, source: ImageSource, image_server: ImageServer, status: int
    ) -> None:
        link = image_server.add("/a.png", b"", status=status)

        with pytest.raises(UnreachableImageError, match=f"answered {status}"):
            source.fetch(link)

    @pytest.mark.parametrize(
        ("body", "kind"),
        [
            (b"", "image/png"),
            (encode_png(radiograph())[:60], "image/png"),
            (b"<html>", "image/png"),
            (encode_png(radiograph()), "text/html"),
            (encode_png(radiograph()), ""),
        ],
        ids=["zero bytes", "cut short", "no image", "not called an image", "not called anything"],
    )
    def test_refuses_what_is_no_image(
        self, source: ImageSource, image_server: ImageServer, body: bytes, kind: str
    ) -> None:
        link = image_server.add("/a.png", body, kind=kind)

        with pytest.raises(NotAnImageError):
            source.fetch(link)

    def test_stops_at_the_largest_size(
        self, source: ImageSource, image_server: ImageServer
    ) -> None:
        link = image_server.add("/a.png", bytes(MAX_BYTES + 1))

        with pytest.raises(OversizedImageError, match="64 MiB"):
            source.fetch(link)

    def test_gives_up_on_a_server_that_trickles(self, image_server: ImageServer) -> None:
        link = image_server.add("/a.png", encode_png(radiograph()))
        seconds = iter([0.0, 11.0, 22.0])

        with pytest.raises(UnreachableImageError, match="longer than 10 seconds"):
            ImageSource([image_server.url], clock=lambda: next(seconds)).fetch(link)

    def test_gives_up_on_a_server_whose_head_trickles(
        self, socket_enabled: None, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("ml_backend.image_source.TIMEOUT_SECONDS", 0.4)
        head = b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nX: " + b"x" * 60 + b"\r\n\r\n"

        def trickle() -> None:
            visitor, _ = listener.accept()
            with visitor, suppress(OSError):
                for number in range(len(head)):
                    visitor.sendall(head[number : number + 1])
                    time.sleep(0.02)

        with socket.create_server(("127.0.0.1", 0)) as listener:
            server = Thread(target=trickle)
            server.start()
            url = f"http://127.0.0.1:{listener.getsockname()[1]}"
            source = ImageSource([url])
            with pytest.raises(UnreachableImageError, match="ReadTimeout"):
                source.fetch(f"{url}/a.png")
            source.close()
            server.join()

    def test_names_a_server_that_is_down_but_not_the_signature(self) -> None:
        def down(request: httpx2.Request) -> httpx2.Response:
            raise httpx2.ConnectTimeout("timed out", request=request)

        source = ImageSource(["http://down.example"], transport=httpx2.MockTransport(down))

        with pytest.raises(UnreachableImageError, match="ConnectTimeout") as caught:
            source.fetch("http://down.example/a.png?signature=secret")
        assert "secret" not in str(caught.value)


class TestReadRegistered:
    def image(self, path: Path) -> Image:
        pixels = radiograph()
        path.write_bytes(encode_png(pixels))
        return Image("a", "test", str(path), "0" * 64, pixel_hash(pixels), 80, 96, "p")

    def test_returns_the_registered_pixels(self, tmp_path: Path) -> None:
        pixels = read_registered(self.image(tmp_path / "a.png"))

        np.testing.assert_array_equal(pixels, radiograph())

    def test_refuses_another_image_in_its_place(self, tmp_path: Path) -> None:
        image = self.image(tmp_path / "a.png")
        (tmp_path / "a.png").write_bytes(encode_png(radiograph(9)))

        with pytest.raises(UnreadableImageError, match="registered as a"):
            read_registered(image)

    def test_refuses_a_file_that_is_gone(self, tmp_path: Path) -> None:
        image = self.image(tmp_path / "a.png")
        (tmp_path / "a.png").unlink()

        with pytest.raises(UnreadableImageError):
            read_registered(image)
