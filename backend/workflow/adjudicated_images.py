"""Which images have a settled answer, that readings can be held against."""

from dataclasses import dataclass

from backend.domain.adjudication.lesions import lesions
from backend.domain.adjudication.request import Request, RequestState
from backend.domain.boxes import Box
from backend.domain.findings import Finding
from backend.store.unit_of_work import UnitOfWork


@dataclass(frozen=True, slots=True)
class AdjudicatedImage:
    """An image with a settled answer.

    Attributes
    ----------
    image_id : str
        Which.
    lesions : tuple of (Finding, Box)
        What is really there; none is an answer too.
    adjudicators : frozenset of str
        Pseudonyms of those who settled it; they know the answer. Whoever also reads does so
        under the same pseudonym.
    """

    image_id: str
    lesions: tuple[tuple[Finding, Box], ...]
    adjudicators: frozenset[str] = frozenset()


def adjudicated_images(store: UnitOfWork) -> dict[str, AdjudicatedImage]:
    """Return the images that are fully adjudicated: every dispute decided, nothing missing.

    Parameters
    ----------
    store : UnitOfWork
        An open transaction.

    Returns
    -------
    dict of str to AdjudicatedImage
        By image id. What is real there is judged by the verdict as it was given; later readings,
        of gold cases above all, are held against it and change nothing.
    """
    standing = store.adjudications.standing()
    complete = {image_id for image_id, verdict in standing.items() if verdict.is_complete}
    verdicts = store.adjudications.parts(complete)
    last: dict[str, Request] = {}
    for request in store.adjudication_requests.all(image_ids=complete):
        if request.state is RequestState.DECIDED:  # by question, then by round
            known = last.get(request.image_id)
            if known is None or request.question > known.question:
                last[request.image_id] = request
    return {
        image_id: AdjudicatedImage(
            image_id,
            lesions(request, verdicts[image_id]),
            frozenset(standing[image_id].adjudicators),
        )
        for image_id, request in last.items()
    }
