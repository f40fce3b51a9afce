"""Webhooks as Label Studio 1.23.2 really sent them."""

import json
from pathlib import Path
from typing import Any

import pytest

from backend.label_studio.events import Hint, MalformedEventError, parse_event

OWN = Path(__file__).parent / "records"
SHARED = Path(__file__).parents[3] / "shared" / "reference" / "label-studio-records"


def recorded(folder: Path, name: str) -> dict[str, Any]:
    """Return the body of a recorded delivery."""
    path = folder / f"webhook_{name}.json"
    if not path.exists():
        pytest.skip(f"{path} is not there")
    record: dict[str, Any] = json.loads(path.read_text())
    return dict(record.get("json", record))


class TestParseEvent:
    @pytest.mark.parametrize(
        "name",
        [
            "ANNOTATION_CREATED",
            "ANNOTATION_CREATED_skip",
            "ANNOTATION_UPDATED",
            "ANNOTATIONS_DELETED",
            "TASKS_DELETED",
        ],
    )
    def test_understands_what_was_recorded(self, name: str) -> None:
        body = recorded(OWN, name)
        hint = parse_event(json.dumps(body).encode())
        assert hint == parse_event(body)
        assert hint.action == name.removesuffix("_skip")
        assert hint.project_id == body["project"]["id"]
        assert hint.task_ids or hint.annotation_ids

    @pytest.mark.parametrize(
        ("name", "hint"),
        [
            ("ANNOTATION_CREATED", Hint("ANNOTATION_CREATED", 54, (660,), (472,))),
            ("ANNOTATION_CREATED_skip", Hint("ANNOTATION_CREATED", 54, (661,), (473,))),
            ("ANNOTATION_UPDATED", Hint("ANNOTATION_UPDATED", 54, (660,), (472,))),
            (
                "ANNOTATIONS_CREATED_bulk",
                Hint("ANNOTATIONS_CREATED", 54, (660, 661), (474, 475)),
            ),
            ("ANNOTATIONS_DELETED", Hint("ANNOTATIONS_DELETED", 54, (), (472,))),
            ("ANNOTATIONS_DELETED_bulk", Hint("ANNOTATIONS_DELETED", 54, (), (474, 473, 475))),
            ("PROJECT_UPDATED", Hint("PROJECT_UPDATED", 54, (), ())),
            ("TASKS_CREATED", Hint("TASKS_CREATED", 54, (660, 661, 662), ())),
            ("TASKS_CREATED_single", Hint("TASKS_CREATED", 54, (663,), ())),
            ("TASKS_DELETED", Hint("TASKS_DELETED", 54, (660,), ())),
            ("TASKS_DELETED_single", Hint("TASKS_DELETED", 54, (663,), ())),
            ("import_with_annotations", Hint("TASKS_CREATED", 54, (664,), ())),
        ],
    )
    def test_understands_every_record_of_the_reference_server(self, name: str, hint: Hint) -> None:
        assert parse_event(recorded(SHARED, name)) == hint

    def test_asks_for_the_payload_when_a_delivery_has_none(self) -> None:
        with pytest.raises(MalformedEventError, match="send_payload"):
            parse_event(b'{"action": "ANNOTATION_UPDATED"}')

    @pytest.mark.parametrize(
        "body",
        [
            b"",
            b"no json",
            b"\xff\xfe",
            b"[]",
            b"null",
            b'"text"',
            b'{"action": "ANNOTATION_CREATED", "project": 3}',
            b'{"action": "ANNOTATION_CREATED", "project": {"id": "x"}}',
            b'{"action": "ANNOTATION_CREATED", "project": {"id": 3}, "annotation": [4]}',
            b'{"action": "ANNOTATIONS_DELETED", "project": {"id": 3}, "annotations": [{}]}',
        ],
    )
    def test_names_a_body_that_label_studio_would_not_send(self, body: bytes) -> None:
        with pytest.raises(MalformedEventError):
            parse_event(body)
