"""Ask further adjudicators, until two agree."""

from dataclasses import replace
from datetime import datetime

from backend.domain.adjudication.proposal import propose_again
from backend.domain.adjudication.request import PENDING, Request, RequestState
from backend.store.unit_of_work import UnitOfWork


def ask_the_next(store: UnitOfWork, request: Request, now: datetime) -> None:
    """Ask another adjudicator, until two agree.

    Parameters
    ----------
    store : UnitOfWork
        An open transaction.
    request : Request
        On which there is a new verdict.
    now : datetime
        The time; aware.
    """
    if request.adjudicators == 1 or request.state is RequestState.REOPENED:
        return
    withdraw_later_rounds(store, request, now)
    settlement = store.adjudications.settlement(request.image_id, request.question)
    if settlement.is_settled:
        return
    asked = _rounds(store, request)
    last = next(one for one in reversed(asked) if one.state is RequestState.DECIDED)
    kept = store.adjudications.current(last.key)
    if kept is None:
        return
    again = replace(
        last,
        round=1 + asked[-1].round,
        proposal=propose_again(last.proposal, kept.verdict, settlement),
        not_for=kept.verdict.adjudicators[0],
        state=RequestState.OPEN,
        task_id=None,
        id=None,
    )
    store.adjudication_requests.add([again], now=now)


def withdraw_later_rounds(store: UnitOfWork, request: Request, now: datetime) -> None:
    """Withdraw what was asked to confirm a verdict that is another one now.

    Parameters
    ----------
    store : UnitOfWork
        An open transaction.
    request : Request
        On which the verdict was given.
    now : datetime
        The time; aware.
    """
    for later in _rounds(store, request):
        if later.round > request.round and later.state in PENDING:
            store.adjudication_requests.set_state(
                later.key,
                RequestState.WITHDRAWN,
                now=now,
                because="the verdict to confirm has changed",
            )


def _rounds(store: UnitOfWork, request: Request) -> list[Request]:
    asked = store.adjudication_requests.all(image_ids=[request.image_id])
    return sorted(
        (one for one in asked if one.question == request.question), key=lambda one: one.round
    )
