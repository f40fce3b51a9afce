"""The ML protocol, as Label Studio 1.23.2 speaks it."""

import asyncio
import json
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from threading import Event
from typing import Any

import httpx2
import numpy as np
import pytest
from anyio.from_thread import start_blocking_portal
from starlette.testclient import TestClient
from starlette.types import Message
from typing_extensions import override

from backend.domain.findings import Finding
from backend.formats.radiographs import encode_png, pixel_hash
from backend.settings import Settings
from ml_backend.app import create_app
from ml_backend.body_limit import BodyLimit
from ml_backend.detector import Detections
from ml_backend.front_door import USER_NAME, password
from ml_backend.letterbox import Letterbox
from ml_backend.live_model import LiveModel
from ml_backend.scripted_detector import ScriptedDetector
from tests.ml.conftest import ImageServer, radiograph, recorded

SEEN = radiograph(1, height_px=100, width_px=50)
ONE_BOX = Detections(
    np.array([[5.0, 10.0, 25.0, 60.0]]), np.array([Finding.CARDIOMEGALY]), np.array([0.75])
)


def task(image: object, **data: object) -> dict[str, Any]:
    return {"id": 7, "project": 3, "data": {"image": image, **data}}


def ask(client: TestClient, *tasks: object) -> list[Any]:
    answer = client.post("/predict", json={"tasks": tasks})
    assert answer.status_code == 200, answer.text
    results: list[Any] = answer.json()["results"]
    assert len(results) == len(tasks)
    return results


@pytest.fixture
def live_model() -> LiveModel:
    return LiveModel(ScriptedDetector({pixel_hash(SEEN): ONE_BOX}, "m1"))


@pytest.fixture
def link(image_server: ImageServer) -> str:
    return image_server.add("/images/seen.png", encode_png(SEEN))


class Versioned(ScriptedDetector):
    """Marks a box whose left edge is its number; stops half way until it may end."""

    def __init__(self, number: int) -> None:
        super().__init__(model_version=f"m{number}")
        self.is_half_way, self.may_end = Event(), Event()
        self._number = number
        self._seen = count(1)

    @override
    def detect_in(self, frames: Sequence[Letterbox]) -> list[Detections]:
        if any(next(self._seen) > 10 for _ in frames):
            self.is_half_way.set()
            assert self.may_end.wait(20)
        box = np.array([[float(self._number), 10.0, 25.0, 60.0]])
        return [Detections(box, ONE_BOX.findings, ONE_BOX.scores) for _ in frames]


def described(answer: dict[str, Any]) -> tuple[str, float]:
    """Return the version that an answer names, and the number in its box, of 50 px."""
    (region,) = answer["result"]
    return answer["model_version"], round(region["value"]["x"] / 100 * 50)


class TestPredict:
    def test_answers_in_percent_with_scores_and_ids(self, client: TestClient, link: str) -> None:
        (answer,) = ask(client, task(link))

        (region,) = answer["result"]
        assert answer["model_version"] == "m1"
        assert answer["score"] == 0.75
        assert region["id"] == "m1-0"
        assert (region["from_name"], region["to_name"]) == ("finding", "image")
        assert region["type"] == "rectanglelabels"
        assert region["score"] == 0.75
        assert (region["original_width"], region["original_height"]) == (50, 100)
        value = region["value"]
        assert value["rectanglelabels"] == ["Cardiomegaly"]
        assert [value[side] for side in ("x", "y", "width", "height")] == [10, 10, 40, 50]

    def test_keeps_the_others_when_one_image_cannot_be_read(
        self, client: TestClient, image_server: ImageServer, link: str
    ) -> None:
        broken = image_server.add("/images/broken.png", encode_png(SEEN)[:80])

        first, second, third = ask(client, task(link), task(broken), task(link))

        assert first["result"]
        assert second == []
        assert third["result"]

    @pytest.mark.parametrize(
        "odd",
        [
            {},
            None,
            "task",
            {"id": 1},
            {"id": 1, "data": None},
            {"id": 1, "data": {}},
            {"id": 1, "data": {"image": None}},
            {"id": 1, "data": {"image": ["x"]}},
            {"id": 1, "data": {"image": "/data/upload/1.png"}},
            {"id": 1, "data": {"image": "http://127.0.0.1:1/metadata"}},
            {"id": 1, "data": {"image": "file:///etc/passwd"}},
            {"id": 1, "data": {"image": "http://[bad/x.png"}},
        ],
    )
    def test_stores_nothing_for_an_odd_task_and_everything_for_its_neighbour(
        self, client: TestClient, link: str, odd: object
    ) -> None:
        first, second = ask(client, odd, task(link))

        assert first == []
        assert second["result"]

    def test_shows_no_boxes_in_the_unassisted_arm(self, client: TestClient, link: str) -> None:
        hidden, shown = ask(client, task(link, arm="unassisted"), task(link, arm="assisted"))

        assert hidden == []
        assert shown["result"]

    def test_says_that_there_is_nothing_only_about_an_image_that_it_saw(
        self, client: TestClient, image_server: ImageServer, live_model: LiveModel
    ) -> None:
        live_model.swap(ScriptedDetector({pixel_hash(SEEN): Detections.none()}, "m2"))
        link = image_server.add("/images/empty.png", encode_png(SEEN))

        (answer,) = ask(client, task(link))

        assert answer == {"result": [], "score": 0.0, "model_version": "m2"}

    def test_shows_only_boxes_that_the_model_is_fairly_sure_of(
        self, client: TestClient, link: str, live_model: LiveModel
    ) -> None:
        doubtful = Detections(ONE_BOX.boxes, ONE_BOX.findings, np.array([0.1]))
        live_model.swap(ScriptedDetector({pixel_hash(SEEN): doubtful}, "m2"))

        (answer,) = ask(client, task(link))

        assert answer["result"] == []

    def test_stores_nothing_before_the_first_model(
        self, client: TestClient, link: str, live_model: LiveModel
    ) -> None:
        live_model.swap(None)

        assert ask(client, task(link), task(link)) == [[], []]
        assert client.get("/health").json() == {
            "status": "UP",
            "model_version": "none",
            "runtime": "none",
        }
        assert client.post("/setup", json={}).json() == {"model_version": "none"}

    def test_stores_nothing_when_the_detector_fails(
        self, client: TestClient, link: str, live_model: LiveModel
    ) -> None:
        class Broken(ScriptedDetector):
            @override
            def detect_in(self, frames: Sequence[Letterbox]) -> list[Detections]:
                raise RuntimeError(f"CUDA error on {len(frames)} images")

        live_model.swap(Broken())

        assert ask(client, task(link)) == [[]]
        assert 'overread_ml_failed_tasks_total{cause="detector"} 1.0' in (
            client.get("/metrics").text
        )

    def test_answers_no_tasks_with_no_results(self, client: TestClient) -> None:
        assert ask(client) == []

    @pytest.mark.parametrize(
        "body", [b"", b"{", b"[]", b"null", b'{"tasks": 1}', b'{"tasks": {"id": 1}}', b"\xff"]
    )
    def test_explains_what_is_wrong_with_a_body(self, client: TestClient, body: bytes) -> None:
        answer = client.post(
            "/predict", content=body, headers={"Content-Type": "application/json"}
        )

        assert answer.status_code in {400, 422}
        assert answer.json()["detail"]

    def test_calls_an_address_that_is_none_forbidden(self, client: TestClient) -> None:
        assert ask(client, task("http://[bad/x.png")) == [[]]
        assert 'cause="forbidden-address"} 1.0' in client.get("/metrics").text

    @pytest.mark.parametrize("name", ["predict_batch", "predict_next_task"])
    def test_answers_what_label_studio_sends(
        self, client: TestClient, image_server: ImageServer, name: str
    ) -> None:
        body = recorded(name)
        for each in body["tasks"]:
            path = each["data"]["image"].removeprefix("http://127.0.0.1:8191")
            each["data"]["image"] = image_server.add(path, encode_png(SEEN))

        results = client.post("/predict", json=body).json()["results"]

        assert [len(each["result"]) for each in results] == [1] * len(body["tasks"])

    def test_suggests_nothing_while_a_reader_draws(self, client: TestClient) -> None:
        results = client.post("/predict", json=recorded("predict_interactive")).json()["results"]

        assert results == [{"result": [], "score": 0.0, "model_version": "m1"}]

    def test_answers_in_time_and_leaves_the_rest_for_the_next_request(
        self, client: TestClient, link: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("ml_backend.pre_annotate.ANSWER_WITHIN_SECONDS", -1.0)

        assert ask(client, task(link), task(link)) == [[], []]
        assert 'cause="time-is-up"} 2.0' in client.get("/metrics").text

    def test_leaves_health_free_while_it_works(
        self, client: TestClient, link: str, live_model: LiveModel
    ) -> None:
        started, may_end = Event(), Event()

        class Slow(ScriptedDetector):
            @override
            def detect_in(self, frames: Sequence[Letterbox]) -> list[Detections]:
                started.set()
                assert may_end.wait(10)
                return super().detect_in(frames)

        live_model.swap(Slow())
        with ThreadPoolExecutor(1) as pool:
            pending = pool.submit(ask, client, task(link))
            assert started.wait(10)
            asked_at = time.monotonic()
            assert client.get("/health").status_code == 200
            assert client.post("/setup", json={}).status_code == 200
            waited = time.monotonic() - asked_at
            may_end.set()
            assert pending.result()
        assert waited < 1

    def test_never_mixes_two_models_in_one_answer(
        self, client: TestClient, link: str, live_model: LiveModel
    ) -> None:
        first, second = Versioned(1), Versioned(2)
        second.may_end.set()
        live_model.swap(first)
        with ThreadPoolExecutor(2) as pool:
            pending = pool.submit(ask, client, *[task(link)] * 20)
            assert first.is_half_way.wait(20)
            assert "overread_ml_waiting_images 20.0" in client.get("/metrics").text
            live_model.swap(second)
            after_the_swap = pool.submit(ask, client, task(link))
            first.may_end.set()
            answers = pending.result(20)
            (later,) = after_the_swap.result(20)

        assert [described(each) for each in answers] == [("m1", 1)] * 20
        assert described(later) == ("m2", 2)
        assert "overread_ml_waiting_images 0.0" in client.get("/metrics").text


class TestWebhook:
    def test_tells_how_to_train_and_trains_nothing(self, client: TestClient) -> None:
        answer = client.post("/webhook", json=recorded("start_training"))

        assert answer.status_code == 200
        assert "overread retrain" in answer.json()["message"]

    @pytest.mark.parametrize(
        "body",
        [
            b"",
            b"{",
            b"[]",
            b'{"action": 1}',
            b'{"action": "TASKS_CREATED"}',
            b"\xff",
            b"[" * 200_000,
        ],
        ids=["empty", "cut", "list", "number", "unknown", "no text", "deep"],
    )
    def test_passes_over_everything_else(self, stranger: TestClient, body: bytes) -> None:
        assert stranger.post("/webhook", content=body).status_code == 204


class TestBodyLimit:
    @pytest.fixture
    def settings(self, settings: Settings) -> Settings:
        return settings.model_copy(update={"predict_request_mb": 0.1})

    @pytest.mark.parametrize("is_announced", [True, False])
    def test_says_that_a_request_is_too_large(
        self, client: TestClient, link: str, *, is_announced: bool
    ) -> None:
        body = json.dumps({"tasks": [task(link, note="x" * 100_000)]}).encode()

        answer = client.post("/predict", content=body if is_announced else iter([body]))

        assert answer.status_code == 413
        assert "larger than 0.1 MB; send fewer tasks" in answer.json()["detail"]
        assert ask(client, task(link))[0]["result"]

    def test_reads_less_where_anybody_may_knock(self, stranger: TestClient) -> None:
        assert stranger.post("/webhook", content=b"x" * 3_000_000).status_code == 413

    def test_reads_nothing_of_who_asks_for_its_health(self, stranger: TestClient) -> None:
        assert stranger.request("GET", "/health", content=b"x").status_code == 413
        assert stranger.get("/health").status_code == 200

    def test_does_not_wait_for_a_body_that_does_not_come(self) -> None:
        sent: list[Message] = []

        async def never() -> Message:
            await asyncio.Event().wait()
            raise AssertionError

        async def send(message: Message) -> None:
            sent.append(message)

        async def behind(*_: object) -> None:
            raise AssertionError

        limit = BodyLimit(behind, limit_bytes=9, lower_bytes={}, within_seconds=0.01)
        with start_blocking_portal() as loop:
            loop.call(limit, {"type": "http", "path": "/predict"}, never, send)

        assert sent[0]["status"] == 408
        assert b"took longer" in sent[1]["body"]

    def test_reads_nothing_of_a_stranger(self, stranger: TestClient) -> None:
        assert stranger.post("/predict", content=b"x" * 3_000_000).status_code == 401


class TestFrontDoor:
    @pytest.mark.parametrize(
        ("method", "path"),
        [
            ("POST", "/setup"),
            ("POST", "/predict"),
            ("GET", "/versions"),
            ("GET", "/metrics"),
            ("GET", "/openapi.json"),
            ("GET", "/nowhere"),
        ],
    )
    @pytest.mark.parametrize(
        "authorization",
        ["", "Basic", "Basic !", "Basic bGFiZWwtc3R1ZGlvOg==", "Bearer x", "Basic ÿ"],
    )
    def test_lets_nobody_in_without_the_password(
        self, stranger: TestClient, method: str, path: str, authorization: str
    ) -> None:
        headers = {b"Authorization": authorization.encode("latin-1")} if authorization else {}

        answer = stranger.request(method, path, headers=headers)

        assert answer.status_code == 401
        assert answer.headers["WWW-Authenticate"].startswith("Basic")

    def test_lets_everybody_ask_for_its_health(self, stranger: TestClient) -> None:
        assert stranger.get("/health").json() == {
            "status": "UP",
            "model_version": "m1",
            "runtime": "a script",
        }


class TestSmallQuestions:
    def test_names_the_model_version_at_setup(self, client: TestClient) -> None:
        assert client.post("/setup", json=recorded("setup")).json() == {"model_version": "m1"}

    def test_lists_its_versions(self, client: TestClient) -> None:
        assert client.get("/versions").json() == {"versions": ["m1"]}

    def test_counts_what_happened(self, client: TestClient, image_server: ImageServer) -> None:
        ask(client, task(image_server.url + "/gone.png"), task("https://elsewhere.example/x"))
        client.get("/a/path/of/a/scanner")

        text = client.get("/metrics").text

        assert 'overread_ml_requests_total{path="/predict",status="200"} 1.0' in text
        assert 'overread_ml_requests_total{path="other",status="404"} 1.0' in text
        assert 'overread_ml_failed_tasks_total{cause="unreachable"} 1.0' in text
        assert 'overread_ml_failed_tasks_total{cause="forbidden-address"} 1.0' in text
        assert 'overread_ml_model_info{model_version="m1",runtime="a script"} 1.0' in text
        assert 'overread_ml_request_seconds_count{path="/predict"} 1.0' in text


class TestCreateApp:
    def test_survives_an_image_server_that_is_down(
        self, settings: Settings, live_model: LiveModel
    ) -> None:
        def down(request: httpx2.Request) -> httpx2.Response:
            raise httpx2.ConnectError("refused", request=request)

        app = create_app(settings, live_model, transport=httpx2.MockTransport(down))
        with TestClient(app) as client:
            client.auth = (USER_NAME, password(settings))
            assert ask(client, task(settings.backend_url + "/images/a.png")) == [[]]
