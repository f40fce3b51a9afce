"""A night goes on when one of its steps fails."""

from datetime import datetime, timedelta
from typing import cast

import pytest
from typing_extensions import override

from backend.domain.nights import RunState
from backend.domain.predictions import Prediction
from backend.label_studio.client import LabelStudioClient
from backend.store.adjudicators import AdjudicationDesk
from backend.store.unit_of_work import Store, UnitOfWork
from backend.terminal import now
from backend.workflow import top_up_worklists
from backend.workflow.chain_run import Watchers
from backend.workflow.chain_step import AtWork, Step
from backend.workflow.label_studio_desk import LabelStudioDesk
from backend.workflow.nightly import NightRules, nightly
from backend.workflow.plan_worklists import Plan, QueueRules, plan_worklists
from backend.workflow.route_conflicts import RoutingRules
from tests.store.samples import enrol, image, keep, model, predicted, reading, register, serve
from tests.workflow.label_studio_model import LabelStudioModel

RULES = NightRules(
    QueueRules(
        readers_per_image=3, worklist_size=5, random_share=0.0, unassisted_share=0.0, seed=1
    ),
    RoutingRules(readings_per_image=3, adjudicators=1, size=5, seed=1),
)


def nobody(reader_id: str) -> LabelStudioClient:
    pytest.fail(f"{reader_id} has no project")


DESK = LabelStudioDesk(nobody, "http://127.0.0.1:1", "secret", timedelta(days=1))


class Silence:
    """Progress that nobody watches."""

    def step(self, what: str, total: int) -> None:
        """Begin a part."""

    def advance(self, done: int, note: str = "") -> None:
        """Go on."""


NOBODY_WATCHES = Watchers(Silence())


class BrokenTraining:
    """Training fails; scoring works."""

    def training_steps(self) -> tuple[Step, ...]:
        return (
            Step("train", "training", self._fail),
            Step("gate", "judging", self._fail, needs=("train",)),
        )

    def scoring_step(self) -> Step:
        return Step("score", "scoring", lambda _: {"scored": 0})

    def _fail(self, _: AtWork) -> dict[str, object]:
        raise RuntimeError("no memory left")


class OtherChampion:
    """Training brings another champion, which is least sure of c."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def training_steps(self) -> tuple[Step, ...]:
        return (Step("gate", "judging", self._promote),)

    def scoring_step(self) -> Step:
        return Step("score", "scoring", self._score)

    def _promote(self, _: AtWork) -> dict[str, object]:
        with self._store.transaction() as unit:
            unit.models.add(model("m2"))
            unit.models.crown("m2", now=now())
        return {"promoted": True}

    def _score(self, _: AtWork) -> dict[str, object]:
        answers = [
            Prediction(name, "m2", (predicted(score),))
            for name, score in (("a", 0.9), ("b", 0.8), ("c", 0.5))
        ]
        with self._store.transaction() as unit:
            unit.predictions.add(answers, now=now())
        return {"scored": 3}


class ShadowSettled(BrokenTraining):
    """The challenger in the shadow takes over, and nothing is trained."""

    @override
    def training_steps(self) -> tuple[Step, ...]:
        verdict = {"passed": True, "images": 9, "wanted": 9, "reason": "m2 replaces m1: 3 edits"}
        return (Step("shadow", "settling", lambda _: verdict),)


class TestNightly:
    def test_reports_what_became_of_the_challenger_in_the_shadow(self, store: Store) -> None:
        report = nightly(store, DESK, RULES, ShadowSettled(), clock=now, watchers=NOBODY_WATCHES)

        assert report.shadow["passed"] is True
        assert "in the shadow: m2 replaces m1: 3 edits" in report.sentences()
        with store.snapshot() as unit:
            kept = unit.nights.latest("nightly")
        assert kept is not None
        assert kept.report["shadow"] == report.shadow
        assert kept.state is RunState.FINISHED
        assert "state" not in kept.report

    def test_scores_and_fills_when_training_fails(self, store: Store) -> None:
        steps: list[str] = []

        watchers = Watchers(Silence(), steps.append)
        report = nightly(store, DESK, RULES, BrokenTraining(), clock=now, watchers=watchers)

        assert report.problems == ("train: RuntimeError: no memory left",)
        assert report.retrained.model_version is None
        assert report.scored == {"scored": 0}
        assert report.state is RunState.FAILED
        assert "gate: it needs what train would have left" in steps
        assert steps[-2:] == ["writing the report", f"nightly run {report.run}: failed"]

    def test_counts_what_adjudicators_did(self, store: Store) -> None:
        room = LabelStudioModel("a1@example.org", project_id=109)
        room.import_tasks(109, [{"made": "by hand"}])
        desk = LabelStudioDesk(
            lambda _: cast(LabelStudioClient, room), "http://127.0.0.1:1", "s", timedelta(days=1)
        )
        with store.transaction() as unit:
            unit.adjudicators.set_desk(AdjudicationDesk(9, 109, None))

        report = nightly(store, desk, RULES, BrokenTraining(), clock=now, watchers=NOBODY_WATCHES)

        assert set(report.verdicts) == {"foreign"}
        assert report.received == {}
        assert set(report.as_json()) > {"received", "verdicts"}

    def test_brings_the_worklists_into_the_order_of_the_new_champion(self, store: Store) -> None:
        register(store, *(image(name) for name in "abc"))
        enrol(store, "R1")
        serve(store, *(Prediction(name, "m1", (predicted(0.5),)) for name in "abc"))
        room = LabelStudioModel("r1@example.org")
        desk = LabelStudioDesk(
            lambda _: cast(LabelStudioClient, room), "http://b", "secret", timedelta(days=1)
        )
        nightly(store, desk, RULES, BrokenTraining(), clock=now, watchers=NOBODY_WATCHES)

        report = nightly(
            store, desk, RULES, OtherChampion(store), clock=now, watchers=NOBODY_WATCHES
        )

        assert (report.queued, report.reordered, report.withdrawn) == (0, 2, 0)
        with store.snapshot() as unit:
            assert [one.image_id for one in unit.worklists.all()] == ["a", "c", "b"]

    def test_tells_of_what_was_read_while_it_chose(
        self, store: Store, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def plan_while_a_reading_comes_in(
            unit: UnitOfWork, rules: QueueRules, *, now: datetime, size: int | None
        ) -> Plan:
            plan = plan_worklists(unit, rules, now=now, size=size)
            keep(store, reading("b", "R1"))
            return plan

        register(store, *(image(name) for name in "abc"))
        enrol(store, "R1")
        serve(store, *(Prediction(name, "m1", (predicted(0.5),)) for name in "abc"))
        monkeypatch.setattr(top_up_worklists, "plan_worklists", plan_while_a_reading_comes_in)
        room = LabelStudioModel("r1@example.org")
        desk = LabelStudioDesk(
            lambda _: cast(LabelStudioClient, room), "http://b", "secret", timedelta(days=1)
        )

        report = nightly(store, desk, RULES, BrokenTraining(), clock=now, watchers=NOBODY_WATCHES)

        assert (report.queued, report.left_out) == (2, 1)
        assert any(
            "2 new entries, 1 read or skipped meanwhile" in sentence
            for sentence in report.sentences()
        )
