"""Take what an adjudicator decided in Label Studio into the store."""

from dataclasses import replace
from datetime import datetime

from backend.domain.adjudication.request import PENDING, Request, RequestState
from backend.domain.adjudication.verdict import Verdict
from backend.domain.images import Image
from backend.label_studio import verdict_results
from backend.label_studio.labelled_boxes import UnusableResultError
from backend.label_studio.tasks import AnnotationState, TaskState
from backend.store.adjudication_tasks import KnownRequestTask
from backend.store.adjudications import KeptVerdict, VerdictReceipt
from backend.store.records import AuditEvent
from backend.store.unit_of_work import UnitOfWork
from backend.workflow.further_rounds import ask_the_next, withdraw_later_rounds
from backend.workflow.receive_reading import Received
from backend.workflow.whose_verdict import Answers, answers

_BY_ANOTHER = (
    "the verdict was given by another; only its adjudicator can change it, and overread "
    "adjudicate reopen asks again"
)


def receive_verdict(store: UnitOfWork, task: TaskState, *, now: datetime) -> Received:
    """Bring the store to what a task of the adjudication project holds now.

    Receiving the same state twice, or an old state after a new one, changes nothing. What the
    adjudicator changed or deleted becomes a further revision; what cannot be understood is kept
    in quarantine with the reason. Nobody but who gave a verdict can change it. Where two must
    agree, the next one is asked.

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
    asked = _asked(store, task)
    if asked is None:
        return Received.FOREIGN
    request, image = asked
    current = store.adjudications.current(request.key)
    known = store.adjudication_requests.known_task(request.key)
    people = {one.user_id: one.id for one in store.adjudicators.all()}
    is_lost = known is not None and known.is_lost
    said = answers(task.annotations, request, current, people, is_lost=is_lost)

    if _is_outdated(task, request, known):
        return Received.OUTDATED
    if _is_idle_second_task(task, request, said.newest, current):
        return Received.UNCHANGED

    _follow(store, task, request, known, said, now)
    if said.newest is not None:
        return _with_annotation(store, request, image, current, said, now)
    if said.is_kept:
        return Received.UNCHANGED
    return _without_annotation(store, request, current, now, is_skipped=said.is_skipped)


def _asked(store: UnitOfWork, task: TaskState) -> tuple[Request, Image] | None:
    request = None if task.entry is None else store.adjudication_requests.get(task.entry)
    image = None if request is None else store.images.get(request.image_id)
    if request is None or image is None or task.image_id not in {None, request.image_id}:
        return None
    return request, image


def _is_outdated(task: TaskState, request: Request, known: KnownRequestTask | None) -> bool:
    seen_until = None if known is None else known.updated_at
    is_its_task = request.task_id in {None, task.task_id}
    return is_its_task and seen_until is not None and task.updated_at < seen_until


def _is_idle_second_task(
    task: TaskState,
    request: Request,
    newest: AnnotationState | None,
    current: KeptVerdict | None,
) -> bool:
    # Another task of the same request: that nothing was done in it means nothing.
    if request.task_id in {None, task.task_id}:
        return False
    if newest is None:
        return True
    known_at = current and stands(current) and current.receipt.annotation_updated_at
    return bool(known_at and known_at >= newest.updated_at)


def stands(current: KeptVerdict | None) -> bool:
    """Return whether there is a verdict that was not withdrawn.

    Parameters
    ----------
    current : KeptVerdict or None
        The newest revision.

    Returns
    -------
    bool
        Quarantined ones stand too.
    """
    return current is not None and current.receipt.state != "withdrawn"


def _is_known(current: KeptVerdict | None, newest: AnnotationState) -> bool:
    return (
        current is not None
        and stands(current)
        and (current.receipt.annotation_id, current.receipt.annotation_updated_at)
        == (newest.id, newest.updated_at)
    )


def _follow(
    store: UnitOfWork,
    task: TaskState,
    request: Request,
    known: KnownRequestTask | None,
    said: Answers,
    now: datetime,
) -> None:
    if said.newest is not None or request.task_id == task.task_id:
        store.adjudication_requests.follow_task(
            request.key, task.task_id, updated_at=task.updated_at
        )
    if said.newest is not None and known is not None and known.is_lost:
        store.adjudication_requests.set_lost(request.key, None)
    if known is None or known.updated_at is None or task.updated_at > known.updated_at:
        for one in said.disregarded:
            detail: dict[str, object] = {"annotation": one.id, "reason": _BY_ANOTHER}
            _note(store, request, "adjudicators' project", "disregard", now, detail)


def _with_annotation(
    store: UnitOfWork,
    request: Request,
    image: Image,
    current: KeptVerdict | None,
    said: Answers,
    now: datetime,
) -> Received:
    if said.newest is None or _is_known(current, said.newest):
        return Received.UNCHANGED
    verdict, receipt = _read(request, image, said.newest, said.who, now)
    version = store.adjudications.revise(verdict, receipt)
    detail: dict[str, object] = {"version": version, "problem": receipt.reason}
    _note(store, request, said.who or "nobody known", "adjudicate", now, detail)
    if receipt.state == "quarantined":
        _set_state(store, request, RequestState.OPEN, now)
        return Received.QUARANTINED
    _set_state(store, request, RequestState.DECIDED, now)
    ask_the_next(store, request, now)
    return Received.NEW if current is None else Received.REVISED


def _without_annotation(
    store: UnitOfWork,
    request: Request,
    current: KeptVerdict | None,
    now: datetime,
    *,
    is_skipped: bool,
) -> Received:
    state = RequestState.SKIPPED if is_skipped else RequestState.OPEN
    if current is not None and stands(current):
        verb = "skipped the image afterwards" if is_skipped else "deleted the annotation"
        reason = f"the adjudicator {verb} in Label Studio"
        receipt = replace(current.receipt, received_at=now, state="withdrawn", reason=reason)
        store.adjudications.revise(current.verdict, receipt)
        who = next(iter(current.verdict.adjudicators), "nobody known")
        _note(store, request, who, "withdraw verdict", now, {"reason": reason})
        _set_state(store, request, state, now)
        withdraw_later_rounds(store, request, now)
        return Received.WITHDRAWN
    if request.state is state or request.state not in PENDING:
        return Received.UNCHANGED
    _set_state(store, request, state, now)
    return Received.SKIPPED if is_skipped else Received.REOPENED


def _read(
    request: Request,
    image: Image,
    annotation: AnnotationState,
    who: str | None,
    now: datetime,
) -> tuple[Verdict, VerdictReceipt]:
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


def _note(
    store: UnitOfWork,
    request: Request,
    who: str,
    action: str,
    now: datetime,
    detail: dict[str, object],
) -> None:
    store.records.note(AuditEvent(now, who, action, f"image:{request.image_id}", detail))
