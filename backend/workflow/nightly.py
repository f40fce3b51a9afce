"""The night's work, from what was read in the day to what is read tomorrow."""

import logging
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Protocol

from backend.store.unit_of_work import Store
from backend.workflow.fill_worklists import QueueRules
from backend.workflow.job_lease import hold_lease
from backend.workflow.label_studio_desk import LabelStudioDesk
from backend.workflow.reconcile_again import reconcile_again
from backend.workflow.reorder_worklists import reorder_worklists
from backend.workflow.route_conflicts import RoutingRules, route_conflicts
from backend.workflow.synchronise import synchronise
from backend.workflow.top_up_worklists import top_up_worklists

_log = logging.getLogger(__name__)


class TrainAndScore(Protocol):
    """The part of the night that needs torch."""

    def retrain(self) -> dict[str, object]:
        """Cut, train, evaluate and pass the gate; return what came of it."""

    def score(self) -> dict[str, object]:
        """Score the unread pool with the champion; return how many images."""


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


@dataclass(frozen=True, slots=True)
class NightReport:
    """What a night did.

    Attributes
    ----------
    received : dict
        Readings pulled, by kind.
    verdicts : dict
        Tasks of adjudicators pulled, by kind.
    consensus_images : int
        Images with a consensus.
    retrained, scored : dict
        What training and scoring report; empty when they failed.
    sent_to_adjudicators : int
        Images that readers dispute and that are new to the adjudicators.
    queued : int
        New worklist entries.
    reordered : int
        Open entries that got another place on their worklist.
    withdrawn : int
        Open entries whose images get enough readings without them.
    second_looks : int
        Readings that come back to their readers.
    pushed : int
        Tasks made of them.
    problems : tuple of str
        What could not be done; the next night tries again.
    """

    received: dict[str, int]
    verdicts: dict[str, int]
    consensus_images: int
    retrained: dict[str, object]
    scored: dict[str, object]
    sent_to_adjudicators: int
    queued: int
    reordered: int
    withdrawn: int
    second_looks: int
    pushed: int
    problems: tuple[str, ...]

    def as_json(self) -> dict[str, object]:
        """Return the report as plain values.

        Returns
        -------
        dict
            For `--json`.
        """
        return asdict(self)


def nightly(
    store: Store,
    desk: LabelStudioDesk,
    rules: NightRules,
    ml: TrainAndScore,
    *,
    clock: Callable[[], datetime],
    say: Callable[[str], None] = lambda _: None,
) -> NightReport:
    """Do the night's work once; every step can be repeated, so start an interrupted night again.

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
    say : callable
        Tells people which step has begun.

    Returns
    -------
    NightReport
        What was done.
    """
    problems: list[str] = []
    with hold_lease(store, "nightly", clock=clock):
        say("pulling what was read")
        pulled = synchronise(store, desk, clock=clock)

        say("reconciling the readings")
        reconciled, left_out = reconcile_again(store, clock=clock)
        problems += [left_out] if left_out else []

        say("sending what is disputed to the adjudicators")
        with store.transaction() as unit:
            routed = route_conflicts(unit, rules.routing, now=clock())

        say("training a challenger and holding it against the champion")
        retrained = _attempt(ml.retrain, problems)

        say("scoring the unread pool")
        scored = _attempt(ml.score, problems)

        say("filling the worklists")
        topped_up = top_up_worklists(store, rules.queue, clock=clock)

        say("bringing the worklists into the order of the queue")
        reordered = reorder_worklists(store, desk, rules.queue, clock=clock)
        problems += reordered.problems

        say("pushing the worklists")
        pushed = synchronise(store, desk, clock=clock)

    return NightReport(
        received=_new(pulled.received + pushed.received),
        verdicts=_new(pulled.verdicts + pushed.verdicts),
        consensus_images=reconciled.images,
        retrained=retrained,
        scored=scored,
        sent_to_adjudicators=len(routed.sent),
        queued=len(topped_up.entries),
        reordered=reordered.reordered,
        withdrawn=reordered.withdrawn,
        second_looks=len(topped_up.second_looks),
        pushed=pulled.tasks_pushed + pushed.tasks_pushed,
        problems=tuple(
            dict.fromkeys(
                [*pulled.problems, *pulled.notices, *problems, *pushed.problems, *pushed.notices]
            )
        ),
    )


def _attempt(step: Callable[[], dict[str, object]], problems: list[str]) -> dict[str, object]:
    """Run a step; when it fails, the worklists are filled all the same."""
    try:
        return step()
    except Exception as error:  # noqa: BLE001 - whatever it is, it is reported
        _log.exception("a step of the night failed")
        problems.append(f"{type(error).__name__}: {error}")
        return {}


def _new(counted: Counter[str]) -> dict[str, int]:
    return {kind: number for kind, number in counted.items() if kind != "unchanged"}
