"""The night's work, from what was read in the day to what is read tomorrow."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from backend.store.unit_of_work import Store, UnitOfWork
from backend.workflow.chain import run_chain
from backend.workflow.chain_run import Watchers
from backend.workflow.chain_step import AtWork, Outcomes, Step
from backend.workflow.label_studio_desk import LabelStudioDesk
from backend.workflow.night_report import NightReport, report_on
from backend.workflow.plan_worklists import QueueRules
from backend.workflow.reconcile_again import reconcile_again
from backend.workflow.reorder_worklists import reorder_worklists
from backend.workflow.route_conflicts import RoutingRules, route_conflicts
from backend.workflow.sync_report import SyncReport
from backend.workflow.synchronise import synchronise
from backend.workflow.top_up_worklists import TopUp, top_up_worklists

KIND = "nightly"


class TrainAndScore(Protocol):
    """The part of the night that needs torch."""

    def training_steps(self) -> Sequence[Step]:
        """Return the steps cut, train, calibrate, evaluate and gate."""

    def scoring_step(self) -> Step:
        """Return the step that scores the unread pool with the champion."""


@dataclass(frozen=True, slots=True)
class NightRules:
    """How work is given out.

    Attributes
    ----------
    queue : QueueRules
        To readers.
    routing : RoutingRules
        To adjudicators.
    """

    queue: QueueRules
    routing: RoutingRules


def nightly(
    store: Store,
    desk: LabelStudioDesk,
    rules: NightRules,
    ml: TrainAndScore,
    *,
    clock: Callable[[], datetime],
    watchers: Watchers,
) -> NightReport:
    """Do the night's work once; a night that was cut off goes on where it was.

    Parameters
    ----------
    store : Store
        The database.
    desk : LabelStudioDesk
        How to reach Label Studio.
    rules : NightRules
        How the queue is filled, and who gets what is disputed.
    ml : TrainAndScore
        Training and scoring.
    clock : callable
        Gives the time; aware.
    watchers : Watchers
        Who is told while it runs.

    Returns
    -------
    NightReport
        What was done.
    """
    night = _Night(desk, rules)
    chain = (
        Step("sync", "pulling what was read", night.pull),
        Step("consensus", "reconciling the readings", _reconcile, inputs=_what_was_read),
        Step("route", "sending what is disputed to the adjudicators", night.route),
        *ml.training_steps(),
        ml.scoring_step(),
        Step("refill", "filling the worklists", night.refill),
        Step("push", "bringing the worklists to Label Studio", night.push),
        Step("report", "writing the report", _report),
    )
    end = run_chain(store, chain, kind=KIND, clock=clock, watchers=watchers)
    return NightReport.of(end.record)


@dataclass(frozen=True, slots=True)
class _Night:
    """The steps that need to know Label Studio and the rules."""

    desk: LabelStudioDesk
    rules: NightRules

    def pull(self, at: AtWork) -> dict[str, object]:
        return _synced(synchronise(at.store, self.desk, clock=at.clock))

    def route(self, at: AtWork) -> dict[str, object]:
        with at.store.transaction() as unit:
            routed = route_conflicts(unit, self.rules.routing, now=at.clock())
            outcome: dict[str, object] = {"sent_to_adjudicators": len(routed.sent)}
            at.keep(unit, outcome)
        return outcome

    def refill(self, at: AtWork) -> dict[str, object]:
        topped_up = top_up_worklists(
            at.store,
            self.rules.queue,
            clock=at.clock,
            on_kept=lambda unit, kept: at.keep(unit, _asked(kept)),
        )
        return _asked(topped_up)

    def push(self, at: AtWork) -> dict[str, object]:
        reordered = reorder_worklists(at.store, self.desk, self.rules.queue, clock=at.clock)
        pushed = _synced(synchronise(at.store, self.desk, clock=at.clock))
        problems = pushed.pop("problems")
        assert isinstance(problems, list)  # noqa: S101 - narrows the type
        return {
            **pushed,
            "reordered": reordered.reordered,
            "withdrawn": reordered.withdrawn,
            "problems": [*reordered.problems, *problems],
        }


def _reconcile(at: AtWork) -> dict[str, object]:
    done = 0

    def on_images(more: int) -> None:
        nonlocal done
        done += more
        at.progress.advance(done)

    reconciled, left_out = reconcile_again(
        at.store,
        clock=at.clock,
        on_start=lambda total: at.progress.step("reconciling the readings", total),
        on_images=on_images,
    )
    return {
        "images": reconciled.images,
        "method_version": reconciled.method_version,
        "problems": [left_out] if left_out else [],
    }


def _what_was_read(unit: UnitOfWork, _: Outcomes) -> Mapping[str, object]:
    return unit.nights.how_far_read()


def _report(at: AtWork) -> dict[str, object]:
    with at.store.snapshot() as unit:
        record = unit.nights.latest(KIND)
        assert record is not None  # noqa: S101 - this step belongs to it
        return report_on(unit, record)


def _asked(topped_up: TopUp) -> dict[str, object]:
    return {
        "second_looks": len(topped_up.second_looks),
        "queued": len(topped_up.entries),
        "left_out": topped_up.left_out,
    }


def _synced(report: SyncReport) -> dict[str, object]:
    return {
        "received": _new(report.received),
        "verdicts": _new(report.verdicts),
        "tasks_pushed": report.tasks_pushed,
        "problems": [*report.problems, *report.notices],
    }


def _new(counted: Counter[str]) -> dict[str, int]:
    return {kind: number for kind, number in counted.items() if kind != "unchanged"}
