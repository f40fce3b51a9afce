"""Whose answer to a request counts: a verdict belongs to who gave it.

Adjudicators share one project, and whoever is let into it can submit to any task and change any
annotation. Label Studio keeps who changed an annotation last; `completed_by` can be set at will.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from backend.domain.adjudication.request import Request
from backend.label_studio.tasks import AnnotationState
from backend.store.adjudications import KeptVerdict


@dataclass(frozen=True, slots=True)
class Answers:
    """What a task says to its request.

    Attributes
    ----------
    newest : AnnotationState or None
        The answer that counts; None without one.
    who : str or None
        The adjudicator who gave it; None when it was nobody known.
    is_kept : bool
        Whether the verdict that the store holds stays, although the task holds it no longer.
    is_skipped : bool
        Whether somebody who may answer skipped it.
    disregarded : tuple of AnnotationState
        Answers of others than the one whose verdict it is, newer than that.
    """

    newest: AnnotationState | None
    who: str | None
    is_kept: bool
    is_skipped: bool
    disregarded: tuple[AnnotationState, ...]


def answers(
    annotations: Sequence[AnnotationState],
    request: Request,
    current: KeptVerdict | None,
    people: Mapping[int, str],
    *,
    is_lost: bool,
) -> Answers:
    """Return what a task says to its request.

    Parameters
    ----------
    annotations : sequence of AnnotationState
        Of the task.
    request : Request
        What was asked.
    current : KeptVerdict or None
        The newest revision that the store holds.
    people : mapping of int to str
        Label Studio's key of an adjudicator to the pseudonym.
    is_lost : bool
        Whether Label Studio lost that revision.

    Returns
    -------
    Answers
        While a valid verdict is there, only who gave it can change it or take it back. Until
        then the newest answer of somebody who may answer counts, else the newest of anybody.
    """
    given = [one for one in annotations if not one.was_cancelled]
    disregarded: list[AnnotationState] = []
    is_kept = is_lost
    if current is None or current.receipt.state != "valid":
        if is_lost:
            given = _since(given, current)
        newest = _best(given, request, people)
    else:
        is_kept |= _is_overwritten(annotations, current, people)
        given = _since(given, current) if is_kept else given
        own = [one for one in given if _is_of(one, current, people)]
        allowed = [one for one in given if _may(one, request, people)]
        # Only once it was taken back another one may answer.
        newest = _best(own if own or is_kept else allowed, request, people)
        newer = _since(given, current) if newest in own or is_kept else []
        disregarded = [one for one in newer if not _is_of(one, current, people)]
    return Answers(
        newest=newest,
        who=None if newest is None else people.get(newest.author or 0),
        is_kept=is_kept,
        is_skipped=any(one.was_cancelled and _may(one, request, people) for one in annotations),
        disregarded=tuple(disregarded),
    )


def _since(given: Sequence[AnnotationState], current: KeptVerdict | None) -> list[AnnotationState]:
    """Return what was answered since a verdict; what stood there before is older news."""
    kept_at = None if current is None else current.receipt.annotation_updated_at
    return [one for one in given if kept_at is None or one.updated_at >= kept_at]


def _is_overwritten(
    annotations: Sequence[AnnotationState], current: KeptVerdict, people: Mapping[int, str]
) -> bool:
    held = (one for one in annotations if one.id == current.receipt.annotation_id)
    return any(not _is_of(one, current, people) for one in held)


def _may(annotation: AnnotationState, request: Request, people: Mapping[int, str]) -> bool:
    who = people.get(annotation.author or 0)
    return who is not None and who != request.not_for


def _is_of(annotation: AnnotationState, kept: KeptVerdict, people: Mapping[int, str]) -> bool:
    return people.get(annotation.author or 0) in kept.verdict.adjudicators


def _best(
    given: Sequence[AnnotationState], request: Request, people: Mapping[int, str]
) -> AnnotationState | None:
    return max(
        given,
        key=lambda one: (_may(one, request, people), one.updated_at, one.id),
        default=None,
    )
