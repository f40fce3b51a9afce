"""What one version of the consensus says otherwise than another one."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from backend.domain import boxes as geometry
from backend.domain.consensus.clusters import Cluster
from backend.store.unit_of_work import UnitOfWork

SAME_CLUSTER_IOU = 0.5
"""Clusters of one finding that overlap more than this are the same cluster."""

MOVED_IOU = 0.8
"""A cluster whose boxes overlap less than this has moved."""

RELEASED_FROM = 0.5
"""A release takes clusters from this `p_true` on."""

_MOST_CHANGED = 20
_TOLD_CLUSTERS = 3
_LEAST_CHANGE = 5e-7


@dataclass(frozen=True, slots=True)
class ChangedImage:
    """An image on which two versions differ.

    Attributes
    ----------
    image_id : str
        Which.
    change : float
        Sum of the changes of `p_true` over its clusters; one that is missing counts as 0.
    sentence : str
        What changed most.
    """

    image_id: str
    change: float
    sentence: str


@dataclass(frozen=True, slots=True)
class ConsensusChanges:
    """How two versions of the consensus differ on the images that both answer.

    Attributes
    ----------
    before, after : str
        The method versions.
    images : int
        Images that both answer.
    only_before, only_after : int
        Images that only one of them answers; these are not compared.
    clusters_before, clusters_after : int
        Clusters on the compared images.
    appeared, vanished : int
        Clusters without a counterpart of the same finding that overlaps more than 0.5.
    changed_state : int
        Clusters in another state than before.
    crossed_up, crossed_down : int
        Clusters whose `p_true` has reached 0.5, or has fallen below it.
    moved : int
        Clusters whose boxes overlap less than 0.8.
    most_changed : tuple of ChangedImage
        At most twenty, by falling change; none without a change.
    """

    before: str
    after: str
    images: int
    only_before: int
    only_after: int
    clusters_before: int
    clusters_after: int
    appeared: int
    vanished: int
    changed_state: int
    crossed_up: int
    crossed_down: int
    moved: int
    most_changed: tuple[ChangedImage, ...]


def compare_consensus(store: UnitOfWork, before: str, after: str) -> ConsensusChanges:
    """Return what changed from one method version to another.

    Parameters
    ----------
    store : UnitOfWork
        An open transaction.
    before, after : str
        Method versions, for example "overread-2-prior" and "overread-2-3f9a2c71".

    Returns
    -------
    ConsensusChanges
        Of each image the newest answer of either version.

    Raises
    ------
    UnknownMethodVersionError
        If there is no answer of one of them; names the known ones.
    """
    old, new = store.consensus.of_version(before), store.consensus.of_version(after)

    both = sorted(old.keys() & new.keys())
    pairs = {
        image_id: _matched(old[image_id].clusters, new[image_id].clusters) for image_id in both
    }
    counts = Counter(
        kind for matched in pairs.values() for pair in matched for kind in pair.kinds()
    )
    changed = sorted(
        (_changed(image_id, matched) for image_id, matched in pairs.items()),
        key=lambda one: (-one.change, one.image_id),
    )
    return ConsensusChanges(
        before=before,
        after=after,
        images=len(both),
        only_before=len(old) - len(both),
        only_after=len(new) - len(both),
        clusters_before=sum(len(old[image_id].clusters) for image_id in both),
        clusters_after=sum(len(new[image_id].clusters) for image_id in both),
        appeared=counts["appeared"],
        vanished=counts["vanished"],
        changed_state=counts["changed_state"],
        crossed_up=counts["crossed_up"],
        crossed_down=counts["crossed_down"],
        moved=counts["moved"],
        most_changed=tuple(one for one in changed[:_MOST_CHANGED] if one.change > _LEAST_CHANGE),
    )


@dataclass(frozen=True, slots=True)
class _Pair:
    """A cluster before and after; None where it is missing."""

    before: Cluster | None
    after: Cluster | None
    overlap: float = 0.0

    @property
    def change(self) -> float:
        """By how much `p_true` rose."""
        return (self.after.p_true if self.after else 0.0) - (
            self.before.p_true if self.before else 0.0
        )

    def kinds(self) -> list[str]:
        """Return the names of the counts that it belongs to."""
        if self.before is None:
            return ["appeared"]
        if self.after is None:
            return ["vanished"]
        was, is_now = (one.p_true >= RELEASED_FROM for one in (self.before, self.after))
        return [
            *(["changed_state"] if self.before.state is not self.after.state else []),
            *(["crossed_up"] if is_now and not was else []),
            *(["crossed_down"] if was and not is_now else []),
            *(["moved"] if self.overlap < MOVED_IOU else []),
        ]

    def clause(self) -> str:
        """Tell what became of its probability."""
        if self.before is None or self.after is None:
            one = self.after or self.before
            assert one is not None  # noqa: S101 - no pair is empty
            became = "appeared with" if self.before is None else "vanished, which had"
            return f"{one.finding.title} {became} {one.p_true:.2f}"
        became = "rose" if self.change > 0 else "fell"
        return (
            f"{self.after.finding.title} {became} from {self.before.p_true:.2f} "
            f"to {self.after.p_true:.2f}"
        )


def _matched(before: Sequence[Cluster], after: Sequence[Cluster]) -> list[_Pair]:
    """Pair clusters by finding and place, the best overlaps first."""
    overlaps = geometry.pairwise_iou(
        geometry.stack([one.box for one in before]), geometry.stack([one.box for one in after])
    )
    is_same = np.array([[old.finding is new.finding for new in after] for old in before])
    overlaps = overlaps * is_same.reshape(overlaps.shape)
    rows, columns = np.nonzero(overlaps > SAME_CLUSTER_IOU)
    order = np.argsort(-overlaps[rows, columns], kind="stable")
    old_left, new_left = dict(enumerate(before)), dict(enumerate(after))
    pairs = []
    for row, column in zip(rows[order].tolist(), columns[order].tolist(), strict=True):
        if row in old_left and column in new_left:
            overlap = float(overlaps[row, column])
            pairs.append(_Pair(old_left.pop(row), new_left.pop(column), overlap))
    pairs += [_Pair(one, None) for one in old_left.values()]
    return pairs + [_Pair(None, one) for one in new_left.values()]


def _changed(image_id: str, pairs: Sequence[_Pair]) -> ChangedImage:
    by_change = sorted(pairs, key=lambda pair: -abs(pair.change))
    told = [pair for pair in by_change if abs(pair.change) > _LEAST_CHANGE]
    clauses = [pair.clause() for pair in told[:_TOLD_CLUSTERS]]
    if len(told) > _TOLD_CLUSTERS:
        clauses.append(f"{len(told) - _TOLD_CLUSTERS} more changed")
    change = sum(abs(pair.change) for pair in pairs)
    return ChangedImage(image_id, float(change), "; ".join(clauses) + "." if clauses else "")
