"""Send what readers dispute to the adjudicators, and withdraw what is settled without them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from backend.domain.acquisition.panels import PanelRules
from backend.domain.adjudication import proposal as proposals
from backend.domain.adjudication.conflicts import (
    Conflict,
    ConflictKind,
    DisputedImage,
)
from backend.domain.adjudication.overlay import is_about
from backend.domain.adjudication.request import PENDING, ProposedBox, Request, RequestState
from backend.domain.adjudication.routing import Candidate, Routes, plan_routes
from backend.domain.consensus.clusters import Consensus
from backend.domain.images import Split
from backend.domain.predictions import PredictedBox
from backend.domain.second_look_changes import changes
from backend.store.records import AuditEvent
from backend.store.unit_of_work import UnitOfWork
from backend.workflow.further_readings import gather_panels
from backend.workflow.gather_demand import gather_readers_left
from backend.workflow.gather_disputes import Disputes, gather_disputes
from backend.workflow.reach_consensus import reach_consensus


class NothingToReopenError(LookupError):
    """No verdict was ever asked for on this image."""


@dataclass(frozen=True, slots=True)
class RoutingRules:
    """How images are sent to adjudicators.

    Attributes
    ----------
    readings_per_image : int
        An image is sent when it has so many readings or no active reader is left who could read
        it, and never with fewer than two.
    adaptive_panels : bool
        Whether it is also sent when two readers leave so little uncertain that no third is asked.
    adjudicators : int
        How many must agree, 1 or 2.
    size : int
        Images that wait for an adjudicator at a time.
    seed : int
        Of the letters that readers go by.
    reservation : timedelta
        How long an image waits for the reader to whom it was given.
    """

    readings_per_image: int
    adjudicators: int
    size: int
    seed: int
    adaptive_panels: bool = False
    reservation: timedelta = timedelta(days=14)

    @property
    def panel(self) -> PanelRules:
        """How many readers an image gets."""
        return PanelRules(self.readings_per_image, self.adaptive_panels)


@dataclass(frozen=True, slots=True)
class RouteReport:
    """What was sent.

    Attributes
    ----------
    sent : tuple of DisputedImage
        New requests, the first ones first.
    withdrawn : dict of str to str
        Image id to why it is not needed any more.
    moved : int
        Open requests that stand elsewhere in the order now.
    open : int
        Requests that wait for an adjudicator now.
    waiting : int
        Disputed images for which there is no room yet.
    """

    sent: tuple[DisputedImage, ...] = ()
    withdrawn: dict[str, str] = field(default_factory=dict)
    moved: int = 0
    open: int = 0
    waiting: int = 0


def route_conflicts(store: UnitOfWork, rules: RoutingRules, *, now: datetime) -> RouteReport:
    """Bring the requests to adjudicators up to date with the current consensus; repeatable.

    Parameters
    ----------
    store : UnitOfWork
        An open transaction.
    rules : RoutingRules
        How.
    now : datetime
        The time; aware.

    Returns
    -------
    RouteReport
        What was done.
    """
    disputes = gather_disputes(store)
    doubted = _changed_on_second_look(store)
    requests = store.adjudication_requests.all()
    needed = _readings_needed(store, disputes.answers, rules, now)

    candidates = {
        image_id: Candidate(image, _proposal(disputes, image, rules))
        for image_id in disputes.answers
        if (image := disputes.of(image_id, needed[image_id], changed=image_id in doubted))
    }
    routes = plan_routes(candidates, requests, size=rules.size)

    _record(store, disputes, routes, rules, now)
    waiting_now = store.adjudication_requests.counts()
    return RouteReport(
        sent=tuple(one.image for one, _ in routes.new),
        withdrawn={request.image_id: reason for request, reason in routes.withdrawn},
        moved=len(routes.moved),
        open=sum(waiting_now[state] for state in PENDING),
        waiting=routes.waiting,
    )


def reopen(
    store: UnitOfWork, image_id: str, reason: str, rules: RoutingRules, *, now: datetime
) -> Request:
    """Take the verdict on an image back, and ask again.

    Parameters
    ----------
    store : UnitOfWork
        An open transaction.
    image_id : str
        The image.
    reason : str
        Why; the adjudicator reads it.
    rules : RoutingRules
        How images are sent.
    now : datetime
        The time; aware.

    Returns
    -------
    Request
        The new one. The old verdicts stay readable and stand no longer.

    Raises
    ------
    NothingToReopenError
        If nobody was ever asked about the image.
    """
    asked = store.adjudication_requests.all(image_ids=[image_id])
    if not asked:
        raise NothingToReopenError(
            f"no adjudicator was ever asked about {image_id!r}; overread adjudicate status lists "
            "the images"
        )
    for request in asked:
        store.adjudication_requests.set_state(
            request.key, RequestState.REOPENED, now=now, because=reason
        )
    reach_consensus(store, [image_id], now=now)
    disputes = gather_disputes(store, [image_id])
    if image_id not in disputes.answers:
        raise NothingToReopenError(f"{image_id!r} has no reading any more to decide on")
    before = [one.subject for request in asked for one in request.proposal if one.is_disputed]
    rows = tuple(
        row
        for row, one in enumerate(proposals.propose(disputes.answers[image_id], frozenset(), {}))
        if any(one.subject and known and is_about(one.subject, known) for known in before)
    )
    by_hand = Conflict(ConflictKind.REOPENED, rows, 1.0, f"Reopened: {reason}")
    needed = _readings_needed(store, disputes.answers, rules, now)
    found = disputes.of(image_id, needed[image_id], changed=False)
    image = DisputedImage(
        image_id,
        (by_hand, *(found.conflicts if found else ())),
        is_test=disputes.images[image_id].split is Split.TEST,
    )
    question = 1 + max(request.question for request in asked)
    candidate = Candidate(image, _proposal(disputes, image, rules))
    shown = _shown(store, [image_id]).get(image_id, ())
    asked_anew = _request(disputes, candidate, question, rules, shown)
    [added] = store.adjudication_requests.add([replace(asked_anew, by_hand=True)], now=now)
    store.records.note(
        AuditEvent(now, "system", "reopen", f"image:{image_id}", {"reason": reason})
    )
    return added


def _readings_needed(
    store: UnitOfWork, answers: Mapping[str, Consensus], rules: RoutingRules, now: datetime
) -> dict[str, int]:
    """Return how many readings images must have: as many as the queue asks for, and can get."""
    panels = gather_panels(store, answers.values(), rules.panel)
    left = gather_readers_left(store, answers, now=now, reservation=rules.reservation)
    return {
        image_id: min(panels.of(image_id), len(answer.reading_ids) + len(left[image_id]))
        for image_id, answer in answers.items()
    }


def _changed_on_second_look(store: UnitOfWork) -> set[str]:
    return {
        pair.first.image_id
        for pair in store.second_looks.done()
        if changes(pair.first, pair.second).changed_answer
    }


def _shown(store: UnitOfWork, image_ids: Sequence[str]) -> dict[str, Sequence[PredictedBox]]:
    champion = store.models.champion()
    if champion is None:
        return {}
    predicted = store.predictions.of_model(champion.name, image_ids)
    return {image_id: one.shown for image_id, one in predicted.items()}


def _names(disputes: Disputes, image_id: str, rules: RoutingRules) -> dict[str, str]:
    readers = [reading.reader_id for reading in disputes.readings.get(image_id, ())]
    return proposals.letters(readers, image_id, seed=rules.seed)


def _proposal(
    disputes: Disputes, image: DisputedImage, rules: RoutingRules
) -> tuple[ProposedBox, ...]:
    names = _names(disputes, image.image_id, rules)
    return proposals.propose(disputes.answers[image.image_id], image.disputed, names)


def _request(
    disputes: Disputes,
    candidate: Candidate,
    question: int,
    rules: RoutingRules,
    shown: Sequence[PredictedBox],
) -> Request:
    image = candidate.image
    return Request(
        image_id=image.image_id,
        question=question,
        round=1,
        reasons=tuple(conflict.reason for conflict in image.conflicts),
        consequence=image.consequence,
        is_test=image.is_test,
        proposal=candidate.proposal,
        candidates=proposals.candidates(
            disputes.readings.get(image.image_id, ()),
            shown,
            _names(disputes, image.image_id, rules),
        ),
        adjudicators=rules.adjudicators,
    )


def _record(
    store: UnitOfWork, disputes: Disputes, routes: Routes, rules: RoutingRules, now: datetime
) -> None:
    for request, reason in routes.withdrawn:
        store.adjudication_requests.set_state(
            request.key, RequestState.WITHDRAWN, now=now, because=reason
        )
    for request, candidate in routes.moved:
        store.adjudication_requests.set_consequence(
            request.key, candidate.image.consequence, is_test=candidate.image.is_test
        )
    shown = _shown(store, [one.image.image_id for one, _ in routes.new])
    store.adjudication_requests.add(
        [
            _request(disputes, one, question, rules, shown.get(one.image.image_id, ()))
            for one, question in routes.new
        ],
        now=now,
    )
