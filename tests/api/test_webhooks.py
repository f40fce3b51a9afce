"""Label Studio reports; the truth is pulled afterwards."""

import json
import logging
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from starlette.testclient import TestClient

from backend.api.app import create_app
from backend.domain.worklists import WorklistEntry
from backend.settings import Settings
from backend.store.unit_of_work import Store
from tests.api.conftest import NOW, Clock
from tests.api.label_studio_double import LabelStudioDouble, running

URL = "/webhooks/label-studio"
R8_PROJECT = 31


def event(action: str, *, project: int = R8_PROJECT, **parts: object) -> dict[str, Any]:
    return {"action": action, "project": {"id": project}, **parts}


def secret(settings: Settings) -> dict[str, str]:
    return {"X-Overread-Secret": settings.derived_secret("webhook")}


def eventually(is_so: Callable[[], bool], seconds: float = 10.0) -> bool:
    end = time.monotonic() + seconds
    while not is_so() and time.monotonic() < end:
        time.sleep(0.02)
    return is_so()


class TestWebhook:
    @pytest.mark.parametrize(
        "headers", [{}, {b"X-Overread-Secret": b"wr\xf6ng"}], ids=["none", "wrong"]
    )
    def test_refuses_a_wrong_secret(self, client: TestClient, headers: dict[bytes, bytes]) -> None:
        answer = client.post(URL, json=event("ANNOTATION_CREATED"), headers=headers)
        assert answer.status_code == 401
        assert "overread readers add" in answer.json()["detail"]

    @pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b'{"action": "X"}', b"\xff"])
    def test_refuses_what_is_no_event(
        self, client: TestClient, settings: Settings, body: bytes
    ) -> None:
        answer = client.post(URL, content=body, headers=secret(settings))
        assert answer.status_code == 400
        assert "send_payload" in answer.json()["detail"]

    def test_takes_events_of_many_megabytes(self, client: TestClient, settings: Settings) -> None:
        body = json.dumps(event("ANNOTATION_CREATED", padding="x" * 5_000_000))
        assert client.post(URL, content=body, headers=secret(settings)).status_code == 202

    def test_refuses_more_than_64_megabytes(self, client: TestClient, settings: Settings) -> None:
        body = b"x" * (64 * 1024 * 1024 + 1)
        assert client.post(URL, content=body, headers=secret(settings)).status_code == 413

    def test_refuses_a_large_body_anywhere_else(self, client: TestClient) -> None:
        assert client.post("/sign-in", content=b"x" * 2_000_000).status_code == 413


@pytest.fixture
def label_studio(socket_enabled: None) -> Iterator[LabelStudioDouble]:
    with running(LabelStudioDouble()) as double:
        yield double


@pytest.fixture
def working(
    settings: Settings,
    filled: Store,
    label_studio: LabelStudioDouble,
    clock: Clock,
) -> Iterator[TestClient]:
    """Serve, with Label Studio beside it."""
    app = create_app(
        settings.model_copy(update={"label_studio_url": label_studio.url}), clock=clock
    )
    with TestClient(app) as opened:
        yield opened


def first_entry(store: Store) -> WorklistEntry:
    with store.snapshot() as unit:
        return unit.worklists.all(reader_id="R8")[0]


def readings(store: Store) -> dict[str, int]:
    with store.snapshot() as unit:
        return {state: number for state, number in unit.readings.counts().items() if number}


class TestHintWorker:
    def test_pulls_after_a_fast_answer_while_label_studio_is_slow(
        self,
        working: TestClient,
        settings: Settings,
        filled: Store,
        label_studio: LabelStudioDouble,
    ) -> None:
        entry = first_entry(filled)
        label_studio.put(entry.task_id or 0, entry=entry.key, at=NOW, annotation_id=7)
        label_studio.delay_seconds = 1.5
        hint = event("ANNOTATION_CREATED", task={"id": entry.task_id}, annotation={"id": 7})

        started = time.monotonic()
        for _ in range(5):
            assert working.post(URL, json=hint, headers=secret(settings)).status_code == 202
        assert time.monotonic() - started < 1.0
        assert readings(filled) == {}

        assert eventually(lambda: readings(filled) == {"valid": 1})
        assert len(label_studio.asked) <= 2, "hints at a task that already waits are one errand"
        assert label_studio.tokens == {
            f"Token {settings.derived_secret('label-studio-service:R8')}"
        }

    def test_finds_the_task_of_a_deleted_annotation(
        self,
        working: TestClient,
        settings: Settings,
        filled: Store,
        label_studio: LabelStudioDouble,
    ) -> None:
        entry = first_entry(filled)
        label_studio.put(entry.task_id or 0, entry=entry.key, at=NOW, annotation_id=7)
        created = event("ANNOTATION_CREATED", task={"id": entry.task_id}, annotation={"id": 7})
        working.post(URL, json=created, headers=secret(settings))
        assert eventually(lambda: readings(filled) == {"valid": 1})

        label_studio.put(entry.task_id or 0, entry=entry.key, at=NOW + timedelta(minutes=1))
        deleted = event("ANNOTATIONS_DELETED", annotations=[{"id": 7}])
        working.post(URL, json=deleted, headers=secret(settings))
        assert eventually(lambda: readings(filled) == {"withdrawn": 1})

    def test_survives_a_broken_label_studio_and_names_nobody(
        self,
        working: TestClient,
        settings: Settings,
        filled: Store,
        label_studio: LabelStudioDouble,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        entry = first_entry(filled)
        label_studio.put(entry.task_id or 0, entry=entry.key, at=NOW, annotation_id=7)
        hint = event("ANNOTATION_CREATED", task={"id": entry.task_id}, annotation={"id": 7})
        label_studio.is_broken = True
        with caplog.at_level(logging.WARNING, logger="backend.api"):
            working.post(URL, json=hint, headers=secret(settings))
            assert eventually(lambda: "LabelStudioError" in caplog.text)
        assert "R8" not in caplog.text
        assert str(entry.task_id) not in caplog.text

        label_studio.is_broken = False
        working.post(URL, json=hint, headers=secret(settings))
        assert eventually(lambda: readings(filled) == {"valid": 1})

    def test_takes_a_delivery_twice_and_one_that_comes_hours_late(
        self,
        working: TestClient,
        settings: Settings,
        filled: Store,
        label_studio: LabelStudioDouble,
    ) -> None:
        entry = first_entry(filled)
        task = {"id": entry.task_id}
        label_studio.put(entry.task_id or 0, entry=entry.key, at=NOW, annotation_id=7)
        created = event("ANNOTATION_CREATED", task=task, annotation={"id": 7})
        pulled = working.app.state.office.metrics.hints.labels("pulled")  # type: ignore[attr-defined] # ASGI type
        working.post(URL, json=created, headers=secret(settings))
        assert eventually(lambda: pulled._value.get() == 1)
        working.post(URL, json=created, headers=secret(settings))
        assert eventually(lambda: pulled._value.get() == 2)
        assert readings(filled) == {"valid": 1}

        label_studio.put(entry.task_id or 0, entry=entry.key, at=NOW + timedelta(hours=1))
        deleted = event("ANNOTATIONS_DELETED", annotations=[{"id": 7}])
        working.post(URL, json=deleted, headers=secret(settings))
        assert eventually(lambda: readings(filled) == {"withdrawn": 1})
        working.post(URL, json=created, headers=secret(settings))  # what it told of is long gone
        assert eventually(lambda: pulled._value.get() == 4)

        assert readings(filled) == {"withdrawn": 1}
        with filled.snapshot() as unit:
            assert len(unit.readings.revisions("a", "R8")) == 2

    def test_lets_other_projects_be(
        self,
        working: TestClient,
        settings: Settings,
        filled: Store,
        label_studio: LabelStudioDouble,
    ) -> None:
        entry = first_entry(filled)
        label_studio.put(entry.task_id or 0, entry=entry.key, at=NOW, annotation_id=7)
        for project in (999, 32):  # nobody's, and R9's, who was not asked for this entry
            hint = event("ANNOTATION_CREATED", project=project, task={"id": entry.task_id})
            assert working.post(URL, json=hint, headers=secret(settings)).status_code == 202
        hints = working.app.state.office.metrics.hints  # type: ignore[attr-defined] # ASGI type
        assert eventually(lambda: hints.labels("foreign")._value.get() == 2)
        assert readings(filled) == {}
