"""`overread models`: who serves, why, and who decided."""

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import update

from backend.domain.metrics.detection_report import describe_detection
from backend.domain.metrics.judged_marks import judge_marks
from backend.domain.models import ModelState
from backend.settings import Settings
from backend.store.tables import ModelVersionRow
from backend.store.unit_of_work import Store
from tests.cli.conftest import CommandLine
from tests.store.samples import LATER, model, serve
from tests.unit.domain.metrics.made_up_marks import made_up_model, made_up_test_set

REASON = "R8 and R9 prefer its boxes"
GATE = {
    "verdict": "too little evidence",
    "passed": False,
    "reason": "m1 stays: there is too little evidence that m2 is not worse.",
    "checks": [{"name": "ILD", "outcome": "passed", "sentence": "ILD (40 lesions): no harm."}],
    "look": 3,
    "best_map": 0.3,
    "test_sha256": "a" * 64,
    "champion": "m1",
}


@pytest.fixture
def judged(overread: CommandLine) -> CommandLine:
    """A store with a champion, m1, and m2, which the gate turned away."""
    assert overread("db", "upgrade").code == 0
    store = Store(Settings(data_dir=overread.data_dir).sqlalchemy_url)
    serve(store)
    with store.transaction() as unit:
        unit.models.add(
            replace(model("m2", created_at=LATER), state=ModelState.REJECTED, gate=GATE)
        )
    store.close()
    return overread


class TestModels:
    def test_say_that_there_is_nothing_to_go_back_to(self, overread: CommandLine) -> None:
        outcome = overread("models", "rollback")

        assert outcome.code == 1
        assert "models list" in outcome.told
        assert overread("models", "list", "--json").json == []
        assert "overread retrain" in overread("score").told

    def test_are_promoted_with_a_reason_and_rolled_back(self, judged: CommandLine) -> None:
        assert judged("models", "promote", "m2").code != 0, "a reason is wanted"
        assert judged("models", "promote", "m2", "--reason", " ").code == 1
        promoted = judged("models", "promote", "m2", "--reason", REASON, "--json")
        assert promoted.json == {"champion": "m2"}
        assert judged("models", "rollback", "--json").json == {"champion": "m1"}

        listed = judged("models", "list", "--json").json
        assert [(one["name"], one["state"], one["alias"]) for one in listed] == [
            ("m1", "champion", "champion"), ("m2", "rejected", None),
        ]  # fmt: skip
        [service] = judged("models", "show", "m2", "--json").json["service"]
        assert service["reason"] == REASON
        assert service["by"].startswith("command line")
        assert service["to"] is not None

    def test_get_other_cards_when_others_serve(self, judged: CommandLine, tmp_path: Path) -> None:
        weights = tmp_path / "m2.pt"
        weights.touch()
        store = Store(Settings(data_dir=judged.data_dir).sqlalchemy_url)
        with store.transaction() as unit:
            unit.models._session.execute(
                update(ModelVersionRow)
                .where(ModelVersionRow.name == "m2")
                .values(weights_uri=str(weights))
            )
        store.close()

        states = []
        for command in (("promote", "m2", "--reason", REASON), ("rollback",)):
            assert judged("models", *command).code == 0
            states.append(json.loads((tmp_path / "m2.card.json").read_text())["state"])

        assert states == ["champion", "rejected"]

    def test_are_called_by_what_they_are(self, judged: CommandLine) -> None:
        judged("models", "promote", "m2", "--reason", REASON)

        assert judged("models", "show", "champion", "--json").json["name"] == "m2"
        assert judged("models", "show", "previous", "--json").json["name"] == "m1"
        missing = judged("models", "show", "challenger")
        assert missing.code == 1
        assert "no model version is challenger" in missing.told
        unknown = judged("models", "promote", "m9", "--reason", REASON)
        assert unknown.code == 1
        assert "there are: m1, m2" in unknown.told

    def test_show_what_the_gate_said(self, judged: CommandLine) -> None:
        told = judged("models", "show", "m2").output

        assert "m1 stays: there is too little evidence that m2 is not worse." in told
        assert "ILD (40 lesions): no harm." in told
        assert "look number 3" in told
        assert "never passed the gate" in judged("models", "show", "m1").output
        assert "too little evidence" in judged("models", "list").output

    def test_show_slices(self, judged: CommandLine) -> None:
        truths = made_up_test_set(1, 48)
        detection = describe_detection(
            judge_marks(truths, made_up_model(truths, 2)),
            {},
            np.random.default_rng(1),
            slices={
                "age group": ["60-69"] * 30 + ["70-79"] * 10 + ["<10"] * 3 + [""] * 5,
                "view": ["PA"] * 43 + ["AP"] * 5,
            },
            resamples=20,
        )
        store = Store(Settings(data_dir=judged.data_dir).sqlalchemy_url)
        with store.transaction() as unit:
            unit.models.add(replace(model("m3"), report={"detection": detection}))
        store.close()

        told = judged("models", "show", "m3").output

        assert "By age group" in told
        assert "By view" not in told
        estimate = detection["slices"]["age group"]["70-79"]["map40"]["estimate"]
        assert re.search(rf"70-79\W+10\W+\d+\W+{estimate:.3f}", told)
        assert re.search(r"<10\W+3\W+\d+\W+too few images", told)

    def test_have_a_card(self, judged: CommandLine, tmp_path: Path) -> None:
        html, values = tmp_path / "card.html", tmp_path / "card.json"

        assert judged("models", "card", "m2", "--output", html).code == 0
        assert judged("models", "card", "m2", "--output", values).code == 0

        assert "too little evidence that m2" in html.read_text()
        assert json.loads(values.read_text())["gate"]["look"] == 3
        wrong = judged("models", "card", "m2", "--output", tmp_path / "card.pdf")
        assert wrong.code == 1
        assert "neither .html nor .json" in wrong.told
