"""Which images have a settled answer, that readings can be held against."""

from dataclasses import dataclass

from backend.domain.boxes import Box
from backend.domain.consensus.clusters import Cluster, ClusterState, Consensus
from backend.domain.findings import Finding
from backend.domain.worklists import EntryKind
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
        Who settled it, as reader ids; they know the answer.
    """

    image_id: str
    lesions: tuple[tuple[Finding, Box], ...]
    adjudicators: frozenset[str] = frozenset()


def adjudicated_images(store: UnitOfWork) -> dict[str, AdjudicatedImage]:
    """Return the images that were adjudicated and have no conflict left.

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
    answers = store.consensus.current(store.evidence.adjudicated_image_ids())
    adjudicators: dict[str, set[str]] = {}
    for entry in store.worklists.all():
        if entry.kind is EntryKind.ADJUDICATION and entry.image_id in answers:
            adjudicators.setdefault(entry.image_id, set()).add(entry.reader_id)
    return {
        image_id: AdjudicatedImage(
            image_id,
            tuple((one.finding, one.box) for one in consensus.clusters if _is_lesion(one)),
            frozenset(adjudicators.get(image_id, ())),
        )
        for image_id, (_, consensus) in answers.items()
        if _is_settled(consensus)
    }


def _is_settled(consensus: Consensus) -> bool:
    return all(cluster.state is not _OPEN for cluster in consensus.clusters)


def _is_lesion(cluster: Cluster) -> bool:
    return cluster.state in _SETTLED and cluster.p_true >= _IS_REAL
