"""Bad input and too much of it: the server answers, and never says "empty" of what it saw not."""

import io
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Event, Thread
from typing import Any

import numpy as np
import pytest
from PIL import Image as PillowImage
from pydantic import SecretStr
from starlette.testclient import TestClient
from typing_extensions import override

from backend.domain.findings import Finding
from backend.formats.radiographs import encode_png
from backend.label_studio.reading_form import form_xml
from backend.settings import Settings
from ml_backend.app import create_app
from ml_backend.detector import Detections
from ml_backend.front_door import USER_NAME, password
from ml_backend.letterbox import Letterbox
from ml_backend.live_model import LiveModel
from ml_backend.scripted_detector import ScriptedDetector
from tests.ml.conftest import ImageServer, radiograph


class AlwaysOne(ScriptedDetector):
    """Marks one box on whatever it sees."""

    @override
    def detect_in(self, frames: Sequence[Letterbox]) -> list[Detections]:
        box = np.array([[1.0, 1.0, 9.0, 9.0]])
        return [Detections(box, np.array([Finding.ILD]), np.array([0.9])) for _ in frames]


@pytest.fixture
def live_model() -> LiveModel:
    return LiveModel(AlwaysOne(model_version="m1"))


@pytest.fixture
def link(image_server: ImageServer) -> str:
    return image_server.add("/images/good.png", encode_png(radiograph(1)))


def task(image: object) -> dict[str, Any]:
    return {"id": 1, "data": {"image": image}}


def saved(image: PillowImage.Image, kind: str = "PNG") -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind)
    return buffer.getvalue()


def picture(mode: str, width_px: int = 60, height_px: int = 50) -> PillowImage.Image:
    grey = PillowImage.fromarray(radiograph(2, height_px, width_px))
    if mode == "I;16":
        return PillowImage.fromarray(np.asarray(grey).astype(np.uint16) * 200)
    return grey.convert(mode)


GOOD = encode_png(radiograph(3))
READABLE = {
    "16 bits": saved(picture("I;16")),
    "RGBA": saved(picture("RGBA")),
    "20 megapixels": saved(PillowImage.new("L", (5000, 4000), 90)),
    "JPEG named .png": saved(picture("L"), "JPEG"),
}
UNREADABLE = {
    "zero bytes": b"",
    "cut": GOOD[: len(GOOD) // 2],
    "text": b"<html>Sign in</html>",
    "DICOM": b"\0" * 128 + b"DICM" + b"\0" * 500,
    "bomb": saved(PillowImage.new("1", (20_000, 20_000))),
}


def form(label: str, *, name: str = "finding", tag: str = "RectangleLabels") -> str:
    return f'<View><{tag} name="{name}" toName="image"><Label value="{label}"/></{tag}></View>'


GROWING = "".join(
    f'<!ENTITY {larger} "{f"&{smaller};" * 10}">'
    for smaller, larger in zip("zabcdefgh", "abcdefghi", strict=True)
)
OTHER_FORMS = {
    "empty": "",
    "null": None,
    "number": 7,
    "no XML": "<View>",
    "no image": "<View/>",
    "another tag": form("ILD", tag="Labels"),
    "another name": form("ILD", name="label"),
    "other labels": form("Car"),
    "bomb": f'<!DOCTYPE x [<!ENTITY z "z">{GROWING}]><View>&i;</View>',
}


class TestForm:
    """The labelling configuration of the project that asks."""

    @pytest.mark.parametrize("what", OTHER_FORMS)
    def test_that_takes_no_box_is_refused_with_what_was_expected(
        self, client: TestClient, link: str, what: str
    ) -> None:
        body = {"tasks": [task(link)], "label_config": OTHER_FORMS[what]}

        answer = client.post("/predict", json=body)

        assert answer.status_code == 422
        assert "expected a form with <RectangleLabels" in answer.json()["detail"]
        assert client.get("/health").status_code == 200

    @pytest.mark.parametrize(("label", "boxes"), [("ILD", 1), ("Cardiomegaly", 0)])
    def test_gets_boxes_of_its_own_findings_only(
        self, client: TestClient, link: str, label: str, boxes: int
    ) -> None:
        body = {"tasks": [task(link)], "label_config": form(label)}

        answer = client.post("/predict", json=body)

        assert len(answer.json()["results"][0]["result"]) == boxes

    def test_of_the_project_itself_takes_all(self, client: TestClient, link: str) -> None:
        answer = client.post("/predict", json={"tasks": [task(link)], "label_config": form_xml()})

        assert answer.json()["results"][0]["result"]


class TestBadInput:
    @pytest.mark.parametrize("what", READABLE)
    def test_reads_every_kind_of_radiograph(
        self, client: TestClient, image_server: ImageServer, what: str
    ) -> None:
        odd = image_server.add("/images/odd.png", READABLE[what])

        (answer,) = client.post("/predict", json={"tasks": [task(odd)]}).json()["results"]

        assert answer["result"]

    @pytest.mark.parametrize("what", UNREADABLE)
    def test_stores_nothing_for_what_is_none(
        self,
        client: TestClient,
        image_server: ImageServer,
        link: str,
        caplog: pytest.LogCaptureFixture,
        what: str,
    ) -> None:
        odd = image_server.add("/images/odd.png", UNREADABLE[what])

        before, none, after = client.post(
            "/predict", json={"tasks": [task(link), task(odd), task(link)]}
        ).json()["results"]

        assert none == []
        assert before["result"]
        assert after["result"]
        assert client.get("/health").status_code == 200
        assert "/images/odd.png: " in caplog.text
        assert "expected one whole radiograph" in caplog.text or "too large" in caplog.text
        assert 'cause="not-an-image"} 1.0' in client.get("/metrics").text

    @pytest.mark.parametrize(
        ("status", "kind", "body", "why"),
        [
            (404, "text/html", b"", "answered 404; expected 200"),
            (500, "text/html", b"", "answered 500; expected 200"),
            (401, "text/html", b"", "answered 401; expected 200"),
            (200, "image/png", bytes(65 * 2**20), "larger than 64 MiB"),
            (200, "application/dicom", UNREADABLE["DICOM"], "is application/dicom, not image/*"),
        ],
        ids=["404", "500", "401", "too many bytes", "DICOM that says so"],
    )
    def test_says_what_a_server_did_wrong(
        self,
        client: TestClient,
        image_server: ImageServer,
        link: str,
        caplog: pytest.LogCaptureFixture,
        status: int,
        kind: str,
        body: bytes,
        why: str,
    ) -> None:
        odd = image_server.add("/images/odd.png?signature=secret", body, status=status, kind=kind)

        none, after = client.post("/predict", json={"tasks": [task(odd), task(link)]}).json()[
            "results"
        ]

        assert none == []
        assert after["result"]
        assert why in caplog.text
        assert "secret" not in caplog.text
        assert client.get("/health").status_code == 200

    def test_says_that_a_server_did_not_answer_in_time(
        self,
        slow_server: tuple[str, Event],
        image_server: ImageServer,
        live_model: LiveModel,
        link: str,
        caplog: pytest.LogCaptureFixture,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setattr("ml_backend.image_source.TIMEOUT_SECONDS", 0.2)
        url, _ = slow_server
        settings = Settings(
            secret_key=SecretStr("s" * 32), backend_url=image_server.url, label_studio_url=url
        )
        with TestClient(create_app(settings, live_model)) as client:
            client.auth = (USER_NAME, password(settings))

            none, after = client.post(
                "/predict", json={"tasks": [task(f"{url}/slow.png"), task(link)]}
            ).json()["results"]
            assert client.get("/health").status_code == 200

        assert none == []
        assert after["result"]
        assert "slow.png did not answer (ReadTimeout" in caplog.text

    @pytest.mark.parametrize("to", ["http://169.254.169.254/latest", "/images/good.png"])
    def test_does_not_follow_a_redirect(
        self,
        client: TestClient,
        image_server: ImageServer,
        link: str,
        caplog: pytest.LogCaptureFixture,
        to: str,
    ) -> None:
        lure = image_server.add("/images/lure.png", b"", status=302, location=to)

        none, after = client.post("/predict", json={"tasks": [task(lure), task(link)]}).json()[
            "results"
        ]

        assert none == []
        assert after["result"]
        assert "lure.png answered 302; expected 200" in caplog.text
        assert client.get("/health").status_code == 200

    def test_says_that_a_task_gives_no_image(
        self, client: TestClient, link: str, caplog: pytest.LogCaptureFixture
    ) -> None:
        under_another_key = {"id": 1, "data": {"picture": link}}

        none, after = client.post(
            "/predict", json={"tasks": [under_another_key, task(link)]}
        ).json()["results"]

        assert none == []
        assert after["result"]
        assert "the task gives no link to an image; expected a link to" in caplog.text

    def test_answers_a_thousand_tasks(self, client: TestClient, link: str) -> None:
        results = client.post("/predict", json={"tasks": [task(link)] * 1000}).json()["results"]

        assert [len(each["result"]) for each in results] == [1] * 1000


class TestOverload:
    def test_loses_nothing_with_sixty_four_at_once(self, client: TestClient, link: str) -> None:
        def ask(_: int) -> list[Any]:
            answer = client.post("/predict", json={"tasks": [task(link)] * 4})
            assert answer.status_code == 200
            results: list[Any] = answer.json()["results"]
            return results

        with ThreadPoolExecutor(64) as pool:
            answers = list(pool.map(ask, range(64)))

        assert [len(one["result"]) for answer in answers for one in answer] == [1] * 256

    def test_asks_to_come_again_when_too_many_wait(self, settings: Settings, link: str) -> None:
        looking, may_end = Event(), Event()

        class Slow(AlwaysOne):
            @override
            def detect_in(self, frames: Sequence[Letterbox]) -> list[Detections]:
                looking.set()
                assert may_end.wait(20)
                return super().detect_in(frames)

        few = settings.model_copy(update={"waiting_images": 3})
        with (
            TestClient(create_app(few, LiveModel(Slow()))) as client,
            ThreadPoolExecutor(1) as pool,
        ):
            client.auth = (USER_NAME, password(few))
            first = pool.submit(client.post, "/predict", json={"tasks": [task(link)] * 5})
            assert looking.wait(20)
            second = client.post("/predict", json={"tasks": [task(link)]})
            may_end.set()
            assert [len(one["result"]) for one in first.result().json()["results"]] == [1] * 5

        assert second.status_code == 503
        assert int(second.headers["Retry-After"]) > 0
        assert "5 images wait" in second.json()["detail"]


@pytest.fixture
def slow_server(socket_enabled: None) -> Iterator[tuple[str, Event]]:
    may_answer = Event()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            may_answer.wait(20)
            self.send_error(404)

        @override
        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", may_answer
    may_answer.set()
    server.shutdown()
    thread.join()
    server.server_close()


class TestSlowServers:
    def test_keep_nobody_else_waiting(
        self,
        image_server: ImageServer,
        slow_server: tuple[str, Event],
        live_model: LiveModel,
        link: str,
        tmp_path: Path,
    ) -> None:
        url, may_answer = slow_server
        settings = Settings(
            secret_key=SecretStr("s" * 32), backend_url=image_server.url, label_studio_url=url
        )
        with (
            TestClient(create_app(settings, live_model)) as client,
            ThreadPoolExecutor(1) as pool,
        ):
            client.auth = (USER_NAME, password(settings))
            slow = pool.submit(
                client.post, "/predict", json={"tasks": [task(f"{url}/{n}") for n in range(8)]}
            )
            time.sleep(0.1)
            quick = client.post("/predict", json={"tasks": [task(link)]}).json()["results"]
            assert not slow.done()
            may_answer.set()
            assert slow.result().json()["results"] == [[]] * 8

        assert quick[0]["result"]
