"""Take what an adjudicator decided in Label Studio into the store."""

from dataclasses import replace
from datetime import datetime

from backend.domain.adjudication.proposal import propose_again
from backend.domain.adjudication.request import Request, RequestState
from backend.domain.adjudication.verdict import Verdict
from backend.domain.images import Image
from backend.label_studio import verdict_results
from backend.label_studio.labelled_boxes import UnusableResultError
from backend.label_studio.tasks import AnnotationState, TaskState
from backend.store.adjudications import KeptVerdict, VerdictReceipt
from backend.store.records import AuditEvent
from backend.store.unit_of_work import UnitOfWork
from backend.workflow.receive_reading import Received


def receive_verdict(store: UnitOfWork, task: TaskState, *, now: datetime) -> Received:
    """Bring the store to what a task of the adjudication project holds now.

    Receiving the same state twice, or an old state after a new one, changes nothing. What the
    adjudicator changed or deleted becomes a further revision; what cannot be understood is kept
    in quarantine with the reason. Where two must agree, the next one is asked.

    Parameters
    ----------
    store : UnitOfWork
        An open transaction.
    task : TaskState
        As Label Studio has it.
    now : datetime
        The time; aware.

    Returns
    -------
    Received
        What was new.
    """
    request = None if task.entry is None else store.adjudication_requests.get(task.entry)
    image = None if request is None else store.images.get(request.image_id)
    if request is None or image is None or task.image_id not in {None, request.image_id}:
        return Received.FOREIGN
    current = store.adjudications.current(request.key)
    standing = [item for item in task.annotations if not item.was_cancelled]
    newest = max(standing, key=lambda item: (item.updated_at, item.id), default=None)
    if _is_outdated(store, task, request, newest, current):
        return Received.UNCHANGED

    if newest is not None or request.task_id == task.task_id:
        store.adjudication_requests.follow_task(
            request.key, task.task_id, updated_at=task.updated_at
        )
    if newest is None:
        return _without_annotation(store, task, request, current, now)
    if _is_known(current, newest):
        return Received.UNCHANGED
    verdict, receipt = _read(store, request, image, newest, now)
    version = store.adjudications.revise(verdict, receipt)
    who = next(iter(verdict.adjudicators), "nobody known")
    _note(store, request, who, "adjudicate", now, {"version": version, "problem": receipt.reason})
    if receipt.state == "quarantined":
        _set_state(store, request, RequestState.OPEN, now)
        return Received.QUARANTINED
    _set_state(store, request, RequestState.DECIDED, now)
    _ask_the_next(store, request, now)
    return Received.NEW if current is None else Received.REVISED


def _is_outdated(
    store: UnitOfWork,
    task: TaskState,
    request: Request,
    newest: AnnotationState | None,
    current: KeptVerdict | None,
) -> bool:
    """Return whether the store knows this state of the task, or a newer one."""
    if request.task_id in {None, task.task_id}:
        seen_until = store.adjudication_requests.task_updated_at(request.key)
        return seen_until is not None and task.updated_at < seen_until
    if newest is None:  # another task of the same request: that nothing was done means nothing
        return True
    known_at = current and _stands(current) and current.receipt.annotation_updated_at
    return bool(known_at and known_at >= newest.updated_at)


def _stands(current: KeptVerdict) -> bool:
    return current.receipt.state != "withdrawn"


def _is_known(current: KeptVerdict | None, newest: AnnotationState) -> bool:
    return (
        current is not None
        and _stands(current)
        and (current.receipt.annotation_id, current.receipt.annotation_updated_at)
        == (newest.id, newest.updated_at)
    )


def _without_annotation(
    store: UnitOfWork,
    task: TaskState,
    request: Request,
    current: KeptVerdict | None,
    now: datetime,
) -> Received:
    # The system's own skip keeps the task from whose verdict it is to confirm.
    people = {one.user_id: one.id for one in store.adjudicators.all()}
    skipped = [
        item
        for item in task.annotations
        if people.get(item.completed_by or 0, "") != request.not_for
    ]
    state = RequestState.SKIPPED if skipped else RequestState.OPEN
    if current is not None and _stands(current):
        verb = "skipped the image afterwards" if skipped else "deleted the annotation"
        reason = f"the adjudicator {verb} in Label Studio"
        receipt = replace(current.receipt, received_at=now, state="withdrawn", reason=reason)
        store.adjudications.revise(current.verdict, receipt)
        who = next(iter(current.verdict.adjudicators), "nobody known")
        _note(store, request, who, "withdraw verdict", now, {"reason": reason})
        _set_state(store, request, state, now)
        _withdraw_later_rounds(store, request, now)
        return Received.WITHDRAWN
    if request.state is state or request.state not in {RequestState.OPEN, RequestState.SKIPPED}:
        return Received.UNCHANGED
    _set_state(store, request, state, now)
    return Received.SKIPPED if skipped else Received.REOPENED


def _read(
    store: UnitOfWork,
    request: Request,
    image: Image,
    annotation: AnnotationState,
    now: datetime,
) -> tuple[Verdict, VerdictReceipt]:
    people = {one.user_id: one.id for one in store.adjudicators.all()}
    who = people.get(annotation.completed_by or 0)
    seconds = annotation.lead_time_seconds
    verdict = Verdict(
        image_id=request.image_id,
        decisions=(),
        nothing_missing=False,
        is_complete=False,
        adjudicators=() if who is None else (who,),
    )
    receipt = VerdictReceipt(
        request_id=request.key,
        decided_at=annotation.updated_at,
        received_at=now,
        annotation_id=annotation.id,
        annotation_updated_at=annotation.updated_at,
        lead_time_seconds=seconds if seconds is not None and seconds >= 0 else None,
    )
    try:
        result = verdict_results.read_verdict(
            annotation.result, request.proposal, image.width_px, image.height_px
        )
    except UnusableResultError as error:
        return verdict, replace(
            receipt, state="quarantined", reason=str(error), submitted=annotation.result
        )
    verdict = replace(
        verdict,
        decisions=result.decisions,
        nothing_missing=result.nothing_missing,
        is_complete=result.nothing_missing and not result.undecided,
    )
    reason = _why_not(who, request)
    return verdict, receipt if reason is None else replace(
        receipt, state="quarantined", reason=reason
    )


def _why_not(who: str | None, request: Request) -> str | None:
    if who is None:
        return (
            "submitted by somebody who is no adjudicator; add the person with: "
            "overread adjudicate adjudicators add NAME"
        )
    if who == request.not_for:
        return "a verdict must be confirmed by another adjudicator than the one who gave it"
    return None


def _set_state(store: UnitOfWork, request: Request, state: RequestState, now: datetime) -> None:
    # What was reopened stays so, whatever is done to its old task.
    if request.state not in {state, RequestState.REOPENED}:
        store.adjudication_requests.set_state(request.key, state, now=now)


def _ask_the_next(store: UnitOfWork, request: Request, now: datetime) -> None:
    """Ask another adjudicator, until two agree."""
    if request.adjudicators == 1 or request.state is RequestState.REOPENED:
        return
    _withdraw_later_rounds(store, request, now)
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


def _withdraw_later_rounds(store: UnitOfWork, request: Request, now: datetime) -> None:
    for later in _rounds(store, request):
        if later.round > request.round and later.state in {
            RequestState.OPEN,
            RequestState.SKIPPED,
        }:
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


def _note(
    store: UnitOfWork,
    request: Request,
    who: str,
    action: str,
    now: datetime,
    detail: dict[str, object],
) -> None:
    store.records.note(AuditEvent(now, who, action, f"image:{request.image_id}", detail))
