"""Which requests to adjudicators are new, and which are not needed any more."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from backend.domain.adjudication.conflicts import Conflict, DisputedImage, rank
from backend.domain.adjudication.overlay import is_about
from backend.domain.adjudication.request import PENDING, ProposedBox, Request, RequestState
from backend.domain.adjudication.verdict import Subject
from backend.domain.boxes import Box
from backend.domain.consensus.clusters import Cluster

_NOWHERE = Box(0.0, 0.0, 1.0, 1.0)
_SAME = 1e-6


@dataclass(frozen=True, slots=True)
class Candidate:
    """An image that needs an adjudicator, with what would be shown.

    Attributes
    ----------
    image : DisputedImage
        Which, and why.
    proposal : tuple of ProposedBox
        What would be shown.
    """

    image: DisputedImage
    proposal: tuple[ProposedBox, ...]


@dataclass(frozen=True, slots=True)
class Routes:
    """What is to be done.

    Attributes
    ----------
    new : tuple of (Candidate, int)
        Images to ask about with the number of the question, the first ones first.
    moved : tuple of (Request, Candidate)
        Open requests whose place in the order changes.
    withdrawn : tuple of (Request, str)
        Open requests that are not needed any more, and why.
    waiting : int
        Images that need an adjudicator and do not fit in.
    """

    new: tuple[tuple[Candidate, int], ...]
    moved: tuple[tuple[Request, Candidate], ...]
    withdrawn: tuple[tuple[Request, str], ...]
    waiting: int


def plan_routes(
    candidates: Mapping[str, Candidate], requests: Sequence[Request], *, size: int
) -> Routes:
    """Return which requests to make, to move and to withdraw.

    Parameters
    ----------
    candidates : mapping of str to Candidate
        By image id, every image that needs an adjudicator now.
    requests : sequence of Request
        All that were ever made.
    size : int
        How many may be open at a time.

    Returns
    -------
    Routes
        What was asked before is not asked again: an image comes back only with a disputed
        cluster that no adjudicator has been asked about.
    """
    by_image: dict[str, list[Request]] = {}
    for request in requests:
        by_image.setdefault(request.image_id, []).append(request)
    pending = [one for one in requests if one.state in PENDING]
    reasons = {one.key: _not_needed(one, candidates.get(one.image_id)) for one in pending}
    kept = [one for one in pending if reasons[one.key] is None]
    busy = {one.image_id for one in kept}

    wanted = [
        candidates[image.image_id]
        for image in rank(one.image for one in candidates.values())
        if image.image_id not in busy
        and _is_news(candidates[image.image_id], by_image.get(image.image_id, ()))
    ]
    room = max(0, size - len(kept))
    return Routes(
        new=tuple((one, _next_question(by_image, one)) for one in wanted[:room]),
        moved=tuple(
            (one, candidates[one.image_id])
            for one in kept
            if one.image_id in candidates and _is_moved(one, candidates[one.image_id].image)
        ),
        withdrawn=tuple((one, reason) for one in pending if (reason := reasons[one.key])),
        waiting=max(0, len(wanted) - room),
    )


def raised_since(
    conflicts: Sequence[Conflict],
    clusters: Sequence[Cluster],
    decided: Sequence[Request],
    *,
    measured: Collection[str],
) -> tuple[Conflict, ...]:
    """Return the conflicts that somebody has raised since an image's complete verdict.

    Parameters
    ----------
    conflicts : sequence of Conflict
        All there are now.
    clusters : sequence of Cluster
        To which they refer.
    decided : sequence of Request
        On which the verdict was given.
    measured : collection of str
        Readers to whom the image was given to measure them; what they mark says something about
        them, and nothing about the image.

    Returns
    -------
    tuple of Conflict
        Those about a cluster with a mark that no adjudicator was shown, or about the whole image.
    """
    shown = {
        key
        for request in decided
        for one in request.proposal
        if one.subject is not None
        for key in one.subject.read_box_ids
    }
    fresh = {
        row
        for row, cluster in enumerate(clusters)
        for one in cluster.supporters
        if one.read_box_id is not None
        and one.read_box_id not in shown
        and one.reader_id not in measured
    }
    return tuple(one for one in conflicts if not one.clusters or fresh.intersection(one.clusters))


def _next_question(by_image: Mapping[str, Sequence[Request]], one: Candidate) -> int:
    asked = by_image.get(one.image.image_id, ())
    return 1 + max((request.question for request in asked), default=0)


def _not_needed(request: Request, candidate: Candidate | None) -> str | None:
    """Return why an open request is withdrawn; None when it stays."""
    if request.by_hand or request.round > 1 or request.state is not RequestState.OPEN:
        return None
    if candidate is None:
        return "further readings settled it"
    if _asked_about(request.proposal) != _asked_about(candidate.proposal):
        return "further readings changed what is disputed"
    return None


def _asked_about(proposal: Sequence[ProposedBox]) -> set[tuple[Subject | None, bool]]:
    # By what the clusters were made of; a new panel moves fused boxes by a pixel every night.
    return {
        (
            None
            if one.subject is None
            else Subject(one.subject.finding, _NOWHERE, one.subject.read_box_ids),
            one.is_disputed,
        )
        for one in proposal
    }


def _is_moved(request: Request, image: DisputedImage) -> bool:
    return request.is_test != image.is_test or abs(request.consequence - image.consequence) > _SAME


def _is_news(candidate: Candidate, asked: Sequence[Request]) -> bool:
    answered = [one for one in asked if one.state is RequestState.DECIDED]
    if not answered:
        return True
    before = [
        one.subject
        for request in answered
        for one in request.proposal
        if one.is_disputed and one.subject is not None
    ]
    return any(
        one.is_disputed
        and one.subject is not None
        and not any(is_about(one.subject, known) for known in before)
        for one in candidate.proposal
    )
