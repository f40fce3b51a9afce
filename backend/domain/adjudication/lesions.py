"""What is really there on an image, by a verdict as it was given."""

from collections.abc import Sequence

from backend.domain.adjudication.overlay import overlay
from backend.domain.adjudication.request import ProposedBox, Request
from backend.domain.adjudication.verdict import Verdict
from backend.domain.boxes import Box
from backend.domain.consensus.clusters import Cluster, ClusterState, Consensus, Supporter
from backend.domain.findings import Finding

_IS_REAL = 0.5
_SETTLED = frozenset({ClusterState.ADJUDICATED, ClusterState.UNANIMOUS, ClusterState.MAJORITY})


def lesions(request: Request, verdicts: Sequence[Verdict]) -> tuple[tuple[Finding, Box], ...]:
    """Return what is really there, whatever readers have said since.

    Parameters
    ----------
    request : Request
        The last question that was decided, as its first adjudicator was asked.
    verdicts : sequence of Verdict
        That stand, oldest first; complete.

    Returns
    -------
    tuple of (Finding, Box)
        What the adjudicators let stand, and what the readers had agreed on; a mark of a single
        reader that nobody ruled on is not. None is an answer too.
    """
    clusters = tuple(
        _cluster(one, place) for place, one in enumerate(request.proposal) if one.subject
    )
    settled = overlay(Consensus(request.image_id, "as shown", clusters, 0.0, ()), verdicts)
    return tuple(
        (one.finding, one.box)
        for one in settled.clusters
        if one.state in _SETTLED and one.p_true >= _IS_REAL
    )


def _cluster(one: ProposedBox, place: int) -> Cluster:
    keys = () if one.subject is None else one.subject.read_box_ids
    supporters = tuple(Supporter("", key) for key in keys)
    return Cluster(one.finding, one.box, one.p_true, one.p_true, one.state, supporters, place)
