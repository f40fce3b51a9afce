"""Everything that is known of a model version, for people and for programs."""

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from backend.domain.images import Split
from backend.domain.metrics.detection_report import describe_detection
from backend.domain.metrics.judged_marks import judge_marks
from backend.domain.models import ModelState
from backend.domain.promotion.decision import decide
from backend.formats.model_card import render_model_card
from backend.store.unit_of_work import Store
from backend.workflow.cut_training_set import cut_training_set
from backend.workflow.describe_model import describe_model
from backend.workflow.judge_challenger import Challenge, kept_verdict
from backend.workflow.keep_model_card import keep_model_card
from backend.workflow.promote_model import promote_by_hand
from backend.workflow.reconcile_store import reconcile_store
from tests.spec.gate import CASES
from tests.store.samples import LATER, NOW, model, read_by_a_crowd
from tests.unit.domain.metrics.made_up_marks import made_up_model, made_up_test_set
from tests.workflow.test_judge_challenger import measured

HOSTILE = "<script src='https://example.org/x.js'>alert(1)</script>"


@pytest.fixture
def served(store: Store, tmp_path: Path) -> Store:
    """A store with m2, trained, judged, and promoted by hand for a hostile reason."""
    read_by_a_crowd(store, 60)
    reconcile_store(store, clock=lambda: NOW)
    with store.transaction() as unit:
        version = cut_training_set(unit, seed=1, now=NOW)
    own = measured(version, 1)
    case = next(case for case in CASES if case.name == "better")
    given = Challenge("m2", version, own.map40, own.test_sha256, "m1", case.comparison())
    truths = made_up_test_set(1, 40)
    detection = describe_detection(
        judge_marks(truths, made_up_model(truths, 2)),
        {},
        np.random.default_rng(1),
        slices={"source": [HOSTILE] * 20 + ["other"] * 20, "sex": ["F"] * 40},
        resamples=50,
    )
    calibration = {
        "reliability_before": [[0.1, 0.2, 5]],
        "reliability_after": [[0.1, 0.1, 5]],
    }
    with store.transaction() as unit:
        unit.models.add(
            replace(
                model("m2"),
                weights_uri=str(tmp_path / "m2.pt"),
                dataset_version=version.name,
                state=ModelState.REJECTED,
                gate=kept_verdict(given, decide(case.comparison(), case.facts())),
                report={
                    "detection": detection,
                    "calibration": calibration,
                    "recipe": {"epochs": 3},
                    "started_from": HOSTILE,
                    "why": HOSTILE,
                    "versions": {"torch": "2"},
                    "test_images_adjudicated": 0,
                },
            )
        )
        promote_by_hand(unit, "m2", actor=HOSTILE, reason=HOSTILE, now=LATER)
    return store


class TestDescribeModel:
    def test_gathers_data_readers_figures_verdict_and_service(self, served: Store) -> None:
        with served.snapshot() as unit:
            card = describe_model(unit, "champion")
            version = unit.datasets.get("d1")

        assert card["name"] == "m2"
        assert card["gate"]["verdict"] == "better"
        assert card["data"]["dataset_version"] == "d1"
        assert card["data"]["readers"].keys() == {"R1", "R2", "R3", "R4"}
        assert sum(card["data"]["readers"].values()) == 180
        train = card["data"]["splits"]["train"]
        assert train["images"] == len(version.in_split(Split.TRAIN))
        assert card["training"]["recipe"] == {"epochs": 3}
        assert card["detection"]["map40"]["low"] is not None
        [service] = card["service"]
        assert (service["to"], service["reason"]) == (None, HOSTILE)
        assert [event["what"] for event in card["decisions"]] == ["promote"]

    def test_says_of_weights_from_outside_what_is_known(self, store: Store) -> None:
        with store.transaction() as unit:
            unit.models.add(replace(model("m1"), report={"origin": "a sample"}))
            card = describe_model(unit, "m1")

        assert (card["gate"], card["data"], card["detection"]) == (None, None, None)
        assert "Origin: a sample." in render_model_card(card)


class TestModelCard:
    def test_is_self_contained_and_escapes_everything(self, served: Store) -> None:
        with served.snapshot() as unit:
            html = render_model_card(describe_model(unit, "m2"))

        assert "<script" not in html
        assert "<tr><th>source<th" in html
        assert "<tr><td>&lt;script" in html
        assert "<tr><th>sex<th" not in html
        outside = re.findall(r"(?:src|href|url)\s*[=(]\s*[\"']?https?:", html)
        assert outside == []
        assert "m2 passes against m1: it is better." in html
        assert re.search(r"trained from<td>&lt;script.*: &lt;script", html)
        assert html.count("<svg") == 2

    def test_lies_beside_the_weights_for_people_and_for_programs(
        self, served: Store, tmp_path: Path
    ) -> None:
        html, values = keep_model_card(served, "m2")

        assert {path.name for path in tmp_path.iterdir()} >= {"m2.card.html", "m2.card.json"}
        assert html.read_text().startswith("<!doctype html>")
        assert json.loads(values.read_text())["weights"]["sha256"] == "1" * 64
        assert list(tmp_path.glob("*.partial")) == []
