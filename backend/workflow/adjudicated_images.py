"""Which images have a settled answer, that readings can be held against."""

from dataclasses import dataclass

from backend.domain.boxes import Box
from backend.domain.consensus.clusters import Cluster, ClusterState, Consensus
from backend.domain.findings import Finding
from backend.store.unit_of_work import UnitOfWork

_IS_REAL = 0.5
_SETTLED = frozenset({ClusterState.ADJUDICATED, ClusterState.UNANIMOUS, ClusterState.MAJORITY})
_OPEN = ClusterState.CLASS_CONFLICT


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
        By image id. What is real there is what the adjudicator let stand, and what the readers
        agreed on; a mark of a single reader that nobody ruled on is not.
    """
    verdicts = {
        image_id: verdict
        for image_id, verdict in store.adjudications.standing().items()
        if verdict.is_complete
    }
    answers = store.consensus.current(verdicts)
    return {
        image_id: AdjudicatedImage(
            image_id,
            tuple((one.finding, one.box) for one in consensus.clusters if _is_lesion(one)),
            frozenset(verdicts[image_id].adjudicators),
        )
        for image_id, (_, consensus) in answers.items()
        if _is_settled(consensus)
    }


def _is_settled(consensus: Consensus) -> bool:
    return all(cluster.state is not _OPEN for cluster in consensus.clusters)


def _is_lesion(cluster: Cluster) -> bool:
    return cluster.state in _SETTLED and cluster.p_true >= _IS_REAL
