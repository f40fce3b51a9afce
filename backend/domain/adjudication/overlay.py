"""A verdict laid over the readers' consensus."""

from collections.abc import Sequence
from dataclasses import replace
from math import prod

from backend.domain import boxes as geometry
from backend.domain.adjudication.verdict import Act, Decision, Subject, Verdict
from backend.domain.boxes import Box
from backend.domain.consensus.clusters import Cluster, ClusterState, Consensus, Supporter
from backend.domain.findings import Finding

P_ACCEPTED, P_REJECTED = 0.98, 0.02
"""Both probabilities of what an adjudicator lets stand, and of what not; they err, too."""

SAME_PLACE_IOU = 0.5
"""A cluster of later readings is the one that was decided on from this overlap on."""


def overlay(consensus: Consensus, verdicts: Sequence[Verdict]) -> Consensus:
    """Return the answer in which verdicts supersede what the readers say.

    Parameters
    ----------
    consensus : Consensus
        The readers' answer.
    verdicts : sequence of Verdict
        That stand on this image, oldest first; none leaves the answer as it is.

    Returns
    -------
    Consensus
        Clusters that a verdict speaks of are ADJUDICATED; all others are as they were.

    Notes
    -----
    A decision is about the clusters of its finding that share a reader's box with its subject or
    overlap it with an IoU of 0.5 or more, and about those that match its outcome likewise, so
    that later readings do not undo it. What stands has ``score = p_true = 0.98`` and takes its
    supporters from the clusters that became part of it; what was rejected stays, with 0.02.
    P(no finding) follows: its product over the clusters is taken anew, and its factor for what
    everybody may have missed is at least 0.98 once somebody confirmed that nothing is missing.
    """
    for verdict in verdicts:
        consensus = _overlay_one(consensus, verdict)
    return consensus


def _overlay_one(consensus: Consensus, verdict: Verdict) -> Consensus:
    decisions = [one for one in verdict.decisions if one.act is not Act.MERGE]
    merges = [one for one in verdict.decisions if one.act is Act.MERGE]
    taken: dict[int, int] = {}
    for row, cluster in enumerate(consensus.clusters):
        best = max(
            ((_likeness(cluster, one), -number) for number, one in enumerate(decisions)),
            default=(0.0, 0),
        )
        if best[0] > 0:
            taken[row] = -best[1]
    merged_into = {
        row: one
        for row, cluster in enumerate(consensus.clusters)
        if row not in taken
        for one in merges
        if _likeness(cluster, one) > 0
    }
    clusters = [
        cluster
        for row, cluster in enumerate(consensus.clusters)
        if row not in taken and row not in merged_into
    ]
    next_place = 1 + max((one.place for one in consensus.clusters), default=-1)
    for number, decision in enumerate(decisions):
        sources = [consensus.clusters[row] for row, taker in taken.items() if taker == number]
        sources += [
            consensus.clusters[row]
            for row, merge in merged_into.items()
            if decision.finding is not None
            and (merge.finding, merge.box) == (decision.finding, decision.box)
        ]
        place = sources[0].place if sources else next_place
        next_place += not sources
        clusters += _outcome(decision, sources, place)
    clusters.sort(key=lambda one: (-one.score, one.finding, one.box))
    return replace(
        consensus,
        clusters=tuple(clusters),
        p_no_finding=_p_no_finding(consensus, clusters, verdict),
        verdict_version="/".join(filter(None, (consensus.verdict_version, verdict.version))),
    )


def _outcome(decision: Decision, sources: Sequence[Cluster], place: int) -> list[Cluster]:
    if decision.finding is None or decision.box is None:
        return [
            replace(
                one,
                score=P_REJECTED,
                p_true=P_REJECTED,
                state=ClusterState.ADJUDICATED,
                alternatives=(),
            )
            for one in sources
        ]
    return [
        Cluster(
            finding=decision.finding,
            box=decision.box,
            score=P_ACCEPTED,
            p_true=P_ACCEPTED,
            state=ClusterState.ADJUDICATED,
            supporters=_supporters(sources),
            place=place,
        )
    ]


def _supporters(sources: Sequence[Cluster]) -> tuple[Supporter, ...]:
    found = {supporter for one in sources for supporter in one.supporters}
    return tuple(sorted(found, key=lambda one: (one.reader_id, one.read_box_id or 0)))


def _likeness(cluster: Cluster, decision: Decision) -> float:
    """Return how much a cluster is what a decision is about; 0 if it is not.

    What it was made of says more than where it is, and what was decided on more than what came
    of it: two decisions may end in the same place.
    """
    found = 0.0
    if decision.subject is not None and cluster.finding is decision.subject.finding:
        ids = {supporter.read_box_id for supporter in cluster.supporters}
        shared = ids.intersection(decision.subject.read_box_ids)
        iou = _iou(cluster.box, decision.subject.box)
        if shared or iou >= SAME_PLACE_IOU:
            found = 1 + bool(shared) + iou
    if found == 0 and cluster.finding is decision.finding and decision.act is not Act.MERGE:
        iou = 0.0 if decision.box is None else _iou(cluster.box, decision.box)
        found = iou if iou >= SAME_PLACE_IOU else 0.0
    return found


def _iou(left: Box, right: Box) -> float:
    return float(geometry.pairwise_iou(geometry.stack([left]), geometry.stack([right])).item())


def is_about(left: Subject, right: Subject) -> bool:
    """Return whether two subjects are one cluster at different times.

    Parameters
    ----------
    left, right : Subject
        Two clusters of one image.

    Returns
    -------
    bool
        One finding, and a reader's box in common or an IoU of 0.5 or more.
    """
    if left.finding is not right.finding:
        return False
    shared = set(left.read_box_ids) & set(right.read_box_ids)
    return bool(shared) or _iou(left.box, right.box) >= SAME_PLACE_IOU


def same_outcome(left: tuple[Finding, Box] | None, right: tuple[Finding, Box] | None) -> bool:
    """Return whether two decisions leave the same standing.

    Parameters
    ----------
    left, right : (Finding, Box) or None
        What stands; None for nothing.

    Returns
    -------
    bool
        Both nothing, or one finding at an IoU of 0.5 or more.
    """
    if left is None or right is None:
        return left is right
    return left[0] is right[0] and _iou(left[1], right[1]) >= SAME_PLACE_IOU


def _p_no_finding(consensus: Consensus, clusters: Sequence[Cluster], verdict: Verdict) -> float:
    all_false = prod(1 - one.p_true for one in consensus.clusters)
    nothing_missed = min(1.0, consensus.p_no_finding / all_false) if all_false > 0 else 0.0
    if verdict.nothing_missing:
        nothing_missed = max(nothing_missed, P_ACCEPTED)
    return nothing_missed * prod(1 - one.p_true for one in clusters)
