"""Which read images are worth one more reading, because their readers dispute them."""

from collections.abc import Iterable, Mapping

import numpy as np
from numpy.typing import NDArray

from backend.domain.acquisition.confidence import binary_entropy
from backend.domain.adjudication.request import PENDING
from backend.domain.consensus.clusters import ClusterState, Consensus
from backend.domain.findings import Finding
from backend.store.unit_of_work import UnitOfWork

_FEWEST_READERS = 2
_IN_DISPUTE = (ClusterState.MAJORITY, ClusterState.SINGLE_READER, ClusterState.CLASS_CONFLICT)


def find_disputes(
    store: UnitOfWork,
    answers: Iterable[Consensus],
    asked: Mapping[str, int],
    *,
    readers_per_image: int,
) -> dict[str, NDArray[np.float64]]:
    """Return how much the readers of read images dispute.

    Parameters
    ----------
    store : UnitOfWork
        An open transaction.
    answers : iterable of Consensus
        The current ones.
    asked : mapping of str to int
        Image id to the readers who read it or are asked to.
    readers_per_image : int
        Independent readings wanted of each image. Images with exactly so many come back, once;
        what waits for an adjudicator does not.

    Returns
    -------
    dict of str to ndarray of shape (14,), [bit]
        By image id, per finding the sum of ``h(p_true)`` over the clusters that not all readers
        of the image marked alike; images without such a cluster are missing.
    """
    pending = {
        request.image_id
        for state in PENDING
        for request in store.adjudication_requests.all(state=state)
    }
    disputes = {
        answer.image_id: _dispute(answer)
        for answer in answers
        if asked.get(answer.image_id, 0) == readers_per_image >= _FEWEST_READERS
        and len(answer.reading_ids) == readers_per_image
        and answer.image_id not in pending
    }
    return {image_id: dispute for image_id, dispute in disputes.items() if dispute.any()}


def _dispute(answer: Consensus) -> NDArray[np.float64]:
    bits = np.zeros(len(Finding))
    for cluster in answer.clusters:
        if cluster.state in _IN_DISPUTE:
            bits[cluster.finding] += binary_entropy(np.array([cluster.p_true]))[0]
    return bits
