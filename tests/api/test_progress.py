"""What programs ask, and what a reader must not learn."""

from dataclasses import replace

import pytest
from starlette.testclient import TestClient

from backend.domain.boxes import Box
from backend.domain.findings import Finding
from backend.domain.models import ModelState, ModelVersion
from backend.domain.predictions import PredictedBox, Prediction
from backend.domain.readings import Arm, Origin, ReadBox, Reading, ReadingKind
from backend.domain.worklists import EntryState, Skip, SkipReason
from backend.store.readings import Receipt
from backend.store.unit_of_work import Store
from backend.workflow.reach_consensus import reach_consensus
from backend.workflow.show_queue import show_queue
from tests.api.conftest import NOW, bearer, entry

BOX = ReadBox(Finding.NODULE_MASS, Box(1.0, 2.0, 9.0, 8.0))


@pytest.fixture
def read(filled: Store) -> Store:
    """Let R8 mark a nodule on image a, and R9 nothing."""
    with filled.transaction() as unit:
        for reader_id, boxes in (("R8", (BOX,)), ("R9", ())):
            unit.readings.revise(
                Reading("a", reader_id, boxes, NOW, lead_time_seconds=20.0),
                Receipt(NOW, annotation_id=7, annotation_updated_at=NOW),
            )
            first = unit.worklists.all(reader_id=reader_id)[0]
            unit.worklists.set_state(first.key, EntryState.READ, now=NOW)
        reach_consensus(unit, ["a"], now=NOW)
    return filled


class TestStatus:
    def test_counts_everything(self, client: TestClient, read: Store) -> None:
        with read.transaction() as unit:
            unit.models.add(ModelVersion("m1", ModelState.CHALLENGER, "/w", "0" * 64, NOW))
            unit.models.crown("m1", now=NOW)
        told = client.get("/api/v1/status", headers=bearer("manager")).json()
        assert told["images"] == 3
        assert told["readings"] == {"valid": 2, "quarantined": 0, "withdrawn": 0}
        assert told["worklist_entries"] == {"open": 4, "read": 2, "skipped": 0, "withdrawn": 0}
        assert sum(told["clusters"].values()) == 1
        assert told["champion"]["name"] == "m1"
        models = client.get("/api/v1/models", headers=bearer("manager")).json()
        assert [(one["name"], one["state"]) for one in models] == [("m1", "champion")]
        assert "weights_uri" not in models[0]


class TestQueue:
    def test_lists_what_waits_with_its_readers(self, client: TestClient, filled: Store) -> None:
        with filled.transaction() as unit:
            first = unit.worklists.all(reader_id="R9")[0]
            unit.worklists.set_state(first.key, EntryState.READ, now=NOW)
        rows = client.get("/api/v1/queue", headers=bearer("manager")).json()
        assert [(row["rank"], row["image_id"], row["readers"]) for row in rows] == [
            (1, "a", ["R8"]),
            (2, "b", ["R8", "R9"]),
            (3, "c", ["R8", "R9"]),
        ]
        assert set(rows[0]) == {"rank", "image_id", "score", "channel", "reason", "readers"}

    def test_stands_in_the_order_of_the_best_rank(self, filled: Store) -> None:
        with filled.transaction() as unit:
            for one in unit.worklists.all():
                unit.worklists.set_state(one.key, EntryState.WITHDRAWN, now=NOW)
            unit.readers.ensure(["R10", "R11"], now=NOW)
            unit.worklists.add([entry("c", "R10", 9), entry("b", "R10", 5)], now=NOW)
            unit.worklists.add([entry("c", "R11", 4)], now=NOW)
            rows = show_queue(unit)
        assert [(row.rank, row.image_id) for row in rows] == [(4, "c"), (5, "b")]

    def test_is_empty_before_it_is_filled(self, client: TestClient) -> None:
        assert client.get("/api/v1/queue", headers=bearer("manager")).json() == []


class TestWorklist:
    @pytest.mark.usefixtures("read")
    def test_is_the_readers_own(self, client: TestClient) -> None:
        told = client.get("/api/v1/worklist", headers=bearer("r8")).json()
        assert told == {
            "reader": "R8",
            "entries": {"open": 2, "read": 1, "skipped": 0, "withdrawn": 0},
            "minutes_left": 2,
        }

    def test_is_no_managers(self, client: TestClient) -> None:
        answer = client.get("/api/v1/worklist", headers=bearer("manager"))
        assert answer.status_code == 403


class TestImage:
    @pytest.mark.usefixtures("read")
    def test_shows_a_manager_all_readings_and_the_consensus(self, client: TestClient) -> None:
        told = client.get("/api/v1/images/a", headers=bearer("manager")).json()
        assert [(one["reader"], len(one["boxes"])) for one in told["readings"]] == [
            ("R8", 1),
            ("R9", 0),
        ]
        (cluster,) = told["consensus"]["clusters"]
        assert (cluster["finding"], cluster["supporters"]) == ("Nodule/Mass", ["R8"])
        assert (cluster["place"], cluster["alternatives"]) == (0, [])
        edges = [cluster[edge] for edge in ("x_min", "y_min", "x_max", "y_max")]
        assert edges == pytest.approx([1.0, 2.0, 9.0, 8.0])

    @pytest.mark.usefixtures("read")
    def test_shows_a_second_look_beside_the_reading(
        self, client: TestClient, filled: Store
    ) -> None:
        with filled.transaction() as unit:
            [first] = [one for one in unit.readings.valid(["a"]) if one.reader_id == "R8"]
            kept = replace(first.boxes[0], id=None, own_box_id=first.boxes[0].id)
            second = replace(first, round=2, kind=ReadingKind.SECOND_LOOK, boxes=(kept,))
            unit.readings.add([second], Receipt(NOW))

        told = client.get("/api/v1/images/a", headers=bearer("r8")).json()

        assert [
            (one["kind"], one["round"], [box["made_from"] for box in one["boxes"]])
            for one in told["readings"]
        ] == [("reading", 1, [None]), ("second-look", 2, ["reader"])]
        status = client.get("/api/v1/status", headers=bearer("manager")).json()
        assert status["readings"]["valid"] == 2

    @pytest.mark.usefixtures("read")
    def test_shows_a_reader_nothing_of_the_others(self, client: TestClient) -> None:
        answer = client.get("/api/v1/images/a", headers=bearer("r9"))
        told = answer.json()
        assert [one["reader"] for one in told["readings"]] == ["R9"]
        assert told["consensus"] is None
        assert "R8" not in answer.text
        assert "Nodule" not in answer.text

    @pytest.mark.parametrize("image_id", ["b", "unknown"])
    @pytest.mark.usefixtures("read")
    def test_looks_the_same_to_a_reader_whether_unread_or_unknown(
        self, client: TestClient, image_id: str
    ) -> None:
        answer = client.get(f"/api/v1/images/{image_id}", headers=bearer("r8"))
        assert answer.status_code == 404
        assert answer.json()["detail"] == "there is no such image, or you have not read it"


@pytest.fixture
def assisted(filled: Store) -> Store:
    """Let R8 revise image a, where the model had suggested a nodule, and R9 skip it."""
    with filled.transaction() as unit:
        unit.models.add(ModelVersion("m1", ModelState.CHAMPION, "/w", "0" * 64, NOW))
        suggested = PredictedBox(Finding.NODULE_MASS, BOX.box, score=0.75)
        unit.predictions.add([Prediction("a", "m1", (suggested, suggested))], now=NOW)
        first, second = unit.predictions.of_model("m1", ["a"])["a"].boxes
        moved = ReadBox(Finding.ILD, Box(3.0, 2.0, 11.0, 8.0), None, Origin.ADJUSTED, first.id)
        deleted = ReadBox(Finding.NODULE_MASS, BOX.box, None, Origin.DELETED, second.id)
        for revision in range(2):
            unit.readings.revise(
                Reading(
                    "a", "R8", (moved,), NOW, (deleted,), arm=Arm.ASSISTED, model_version="m1",
                    lead_time_seconds=3600.0, note=f"note {revision + 1}",
                ),
                Receipt(NOW, annotation_id=7, annotation_updated_at=NOW),
            )  # fmt: skip
        skipped = unit.worklists.all(reader_id="R9", image_id="a")[0]
        unit.worklists.set_state(skipped.key, EntryState.SKIPPED, now=NOW)
        unit.worklists.set_skip(skipped.key, Skip(SkipReason.OTHER, "two patients"))
    return filled


class TestProvenance:
    @pytest.mark.usefixtures("assisted")
    def test_is_told_box_by_box(self, client: TestClient) -> None:
        told = client.get("/api/v1/images/a", headers=bearer("manager")).json()
        (reading,) = told["readings"]
        assert (reading["revision"], reading["note"]) == (2, "note 2")
        assert (reading["lead_time_seconds"], reading["active_seconds"]) == (3600.0, 180.0)
        (box,) = reading["boxes"]
        assert (box["origin"], box["shown_score"]) == ("adjusted", 0.75)
        assert box["adjustment"] == {
            "iou": pytest.approx(0.6),
            "shift_px": 2.0,
            "shift_x_px": 2.0,
            "shift_y_px": 0.0,
            "width_change_px": 0.0,
            "height_change_px": 0.0,
            "shown_finding": "Nodule/Mass",
            "is_relabelled": True,
        }
        (deleted,) = reading["deleted"]
        assert (deleted["origin"], deleted["finding"]) == ("deleted", "Nodule/Mass")

    @pytest.mark.usefixtures("assisted")
    def test_keeps_every_revision(self, client: TestClient) -> None:
        for name in ("manager", "r8"):
            told = client.get("/api/v1/images/a/history", headers=bearer(name)).json()
            assert [(one["revision"], one["note"]) for one in told] == [
                (1, "note 1"),
                (2, "note 2"),
            ]

    @pytest.mark.usefixtures("assisted")
    def test_is_none_of_another_readers_business(self, client: TestClient) -> None:
        for path in ("/api/v1/images/a", "/api/v1/images/a/history"):
            answer = client.get(path, headers=bearer("r9"))
            assert answer.status_code == 404
            assert "note 2" not in answer.text


class TestSkipped:
    @pytest.mark.usefixtures("assisted")
    def test_tells_the_manager_who_could_not_read_what_and_why(self, client: TestClient) -> None:
        wanted = {
            "image_id": "a",
            "reader": "R9",
            "reason": "other, see note",
            "note": "two patients",
        }
        assert client.get("/api/v1/skipped", headers=bearer("manager")).json() == [wanted]
        told = client.get("/api/v1/images/a", headers=bearer("manager")).json()
        assert told["skipped"] == [wanted]
        assert client.get("/api/v1/images/a", headers=bearer("r8")).json()["skipped"] == []


class TestOperations:
    def test_are_ready_on_a_migrated_database(self, client: TestClient) -> None:
        assert client.get("/ready", headers=bearer("r8")).json() == {"status": "ready"}

    @pytest.mark.usefixtures("read")
    def test_count_requests_by_route_and_readings_by_state(self, client: TestClient) -> None:
        client.get("/api/v1/images/a")
        figures = client.get("/metrics", headers=bearer("manager")).text
        route = "/api/v1/images/{image_id}"
        assert f'overread_requests_total{{route="{route}",status="401"}} 1.0' in figures
        assert 'overread_readings{state="valid"} 2.0' in figures

    def test_describe_every_route_of_the_api(self, client: TestClient) -> None:
        described = client.get("/api/v1/openapi.json", headers=bearer("r8")).json()
        assert {"/api/v1/status", "/api/v1/sync", "/ready"} <= set(described["paths"])
        assert "/worklist" not in described["paths"]


class TestSync:
    @pytest.mark.enable_socket
    @pytest.mark.usefixtures("filled")
    def test_reports_readers_whose_label_studio_is_down(self, client: TestClient) -> None:
        answer = client.post("/api/v1/sync", headers=bearer("manager"))
        assert answer.status_code == 200
        assert [problem.partition(":")[0] for problem in answer.json()["problems"]] == ["R8", "R9"]
        assert answer.json()["readers_failed"] == ["R8", "R9"]
        assert answer.json()["verdicts"] == {}

    def test_waits_for_its_turn(self, client: TestClient, furnished: Store) -> None:
        with furnished.transaction() as unit:
            unit.records.take_lease(
                "sync", "elsewhere:1:ab", now=NOW, duration=NOW - NOW.replace(hour=8)
            )
        answer = client.post("/api/v1/sync", headers=bearer("manager"))
        assert answer.status_code == 409
        assert "already running" in answer.json()["detail"]
