"""Which images need an adjudicator, why, and how much depends on it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import combinations

import numpy as np

from backend.domain import boxes as geometry
from backend.domain import overlaps
from backend.domain.adjudication.severity import SEVERITY, Severity
from backend.domain.boxes import Box
from backend.domain.consensus.clusters import Cluster, ClusterState, Consensus

FEWEST_READINGS = 2
"""Before two readers have read an image nobody disputes anything."""

DOUBTFUL = (0.25, 0.75)
"""A lone mark is of consequence while its `p_true` lies between these."""

SERIOUS_FROM = 0.1
"""A lone mark of a serious or critical finding is of consequence from this `p_true` on."""

CONTAINED_SHARE, LARGER_TIMES = 0.8, 2.5
"""Extent is disputed where this share of one box lies inside one so many times larger."""

FUSED_IOU = 0.5
"""Extent is disputed where a supporter's box overlaps the fused box less than this."""

AGREED_SHARE, AGREED_CLUSTERS = 0.5, 3
"""Agreement is low where so many lesions or more are marked by less than this share of readers."""

_EXTENT_SHARE, _AGREEMENT_SHARE = 0.5, 0.5
_DECIMALS = 9


class ConflictKind(StrEnum):
    """Why an image needs an adjudicator."""

    CLASS_CONFLICT = "class-conflict"
    LONE_MARK = "lone-mark"
    EXTENT = "extent"
    LOW_AGREEMENT = "low-agreement"
    SECOND_LOOK = "second-look"
    REOPENED = "reopened"


@dataclass(frozen=True, slots=True)
class Conflict:
    """One thing that an adjudicator should settle.

    Attributes
    ----------
    kind : ConflictKind
        What sort.
    clusters : tuple of int
        Rows of the consensus' clusters that are disputed; none if it is the whole image.
    consequence : float
        How much depends on it, from 0; see `find_conflicts`.
    reason : str
        One sentence for people; names no reader.
    """

    kind: ConflictKind
    clusters: tuple[int, ...]
    consequence: float
    reason: str


@dataclass(frozen=True, slots=True)
class DisputedImage:
    """An image that needs an adjudicator.

    Attributes
    ----------
    image_id : str
        Which.
    conflicts : tuple of Conflict
        Why; the gravest first.
    is_test : bool
        Whether it belongs to the frozen test split.
    """

    image_id: str
    conflicts: tuple[Conflict, ...]
    is_test: bool = False

    @property
    def consequence(self) -> float:
        """How much depends on it: the sum over its conflicts."""
        return sum(conflict.consequence for conflict in self.conflicts)

    @property
    def disputed(self) -> frozenset[int]:
        """The clusters that somebody must decide on, by row."""
        return frozenset(row for conflict in self.conflicts for row in conflict.clusters)


def find_conflicts(
    consensus: Consensus,
    marks: Mapping[int, Box],
    *,
    readings: int,
    changed_on_second_look: bool = False,
) -> tuple[Conflict, ...]:
    """Return what an adjudicator should settle on one image.

    Parameters
    ----------
    consensus : Consensus
        Current answer, with the verdicts that stand already; what is adjudicated is settled.
    marks : mapping of int to Box, [px]
        The supporters' own boxes by `read_box_id`; a supporter without one is left out.
    readings : int
        How many readers read the image.
    changed_on_second_look : bool
        Whether a reader gave another answer on a second look, so that the blind answer, which
        the consensus is made of, is doubted by the one who gave it.

    Returns
    -------
    tuple of Conflict
        The gravest first; none means that nobody needs to look.

    Notes
    -----
    The consequence of a conflict is the weight of its most serious finding (`SEVERITY`, 1 to 4)
    times a share: 1 for a class conflict, ``2 min(p_true, 1 - p_true)`` for a lone mark, 0.5 for
    extent and for low agreement. A changed second look counts 1.
    """
    if readings < FEWEST_READINGS:
        return ()
    clusters = consensus.clusters
    found = [
        *_class_conflicts(clusters),
        *_lone_marks(clusters),
        *_extents(clusters, marks),
        *_low_agreement(clusters, readings),
    ]
    if changed_on_second_look:
        reason = "On a second look a reader changed the answer."
        found.append(Conflict(ConflictKind.SECOND_LOOK, (), 1.0, reason))
    return tuple(sorted(found, key=lambda one: -round(one.consequence, _DECIMALS)))


def rank(images: Iterable[DisputedImage]) -> list[DisputedImage]:
    """Return images in the order in which they should be adjudicated.

    Parameters
    ----------
    images : iterable of DisputedImage
        In any order.

    Returns
    -------
    list of DisputedImage
        The test split before all, because every later model is measured on it; then by falling
        consequence; ties by image id.
    """
    return sorted(images, key=_place)


def _place(image: DisputedImage) -> tuple[bool, float, str]:
    return not image.is_test, -round(image.consequence, _DECIMALS), image.image_id


def _open_rows(clusters: Sequence[Cluster]) -> list[int]:
    return [
        row
        for row, cluster in enumerate(clusters)
        if cluster.state is not ClusterState.ADJUDICATED
    ]


def _class_conflicts(clusters: Sequence[Cluster]) -> list[Conflict]:
    by_place: dict[int, list[int]] = {}
    for row in _open_rows(clusters):
        if clusters[row].state is ClusterState.CLASS_CONFLICT:
            by_place.setdefault(clusters[row].place, []).append(row)
    return [
        Conflict(
            ConflictKind.CLASS_CONFLICT,
            tuple(rows),
            float(_severity(clusters, rows)),
            f"One place, called {_named(clusters, rows, ' and ')}.",
        )
        for rows in by_place.values()
    ]


def _lone_marks(clusters: Sequence[Cluster]) -> list[Conflict]:
    low, high = DOUBTFUL
    found = []
    for row in _open_rows(clusters):
        one = clusters[row]
        severity = SEVERITY[one.finding]
        is_grave = severity >= Severity.SERIOUS and one.p_true >= SERIOUS_FROM
        is_doubtful = low <= one.p_true <= high
        if one.state is ClusterState.SINGLE_READER and (is_grave or is_doubtful):
            doubt = 2 * min(one.p_true, 1 - one.p_true)
            reason = f"{one.finding.title} without a majority (probability {one.p_true:.0%})."
            found.append(Conflict(ConflictKind.LONE_MARK, (row,), severity * doubt, reason))
    return found


def _extents(clusters: Sequence[Cluster], marks: Mapping[int, Box]) -> list[Conflict]:
    found = []
    rows_of_finding: dict[int, list[int]] = {}
    for row in _open_rows(clusters):
        rows_of_finding.setdefault(clusters[row].finding, []).append(row)
    for rows in rows_of_finding.values():
        pairs = [(row, row) for row in rows] + list(combinations(rows, 2))
        disputed = {
            row
            for left, right in pairs
            for row in (left, right)
            if _dispute_extent(clusters[left], clusters[right], marks)
        }
        if disputed:
            named = tuple(sorted(disputed))
            reason = f"{clusters[named[0]].finding.title}: the readers differ on its extent."
            weight = _EXTENT_SHARE * _severity(clusters, named)
            found.append(Conflict(ConflictKind.EXTENT, named, weight, reason))
    return found


def _dispute_extent(left: Cluster, right: Cluster, marks: Mapping[int, Box]) -> bool:
    ours, theirs = _boxes(left, marks), _boxes(right, marks)
    if left is right and _lies_beside(left, [box for _, box in ours]):
        return True
    pairs = [(mine, yours) for reader, mine in ours for other, yours in theirs if reader != other]
    if not pairs:
        return False
    mine = geometry.stack([pair[0] for pair in pairs])
    yours = geometry.stack([pair[1] for pair in pairs])
    areas = np.stack([geometry.areas(mine), geometry.areas(yours)])
    smaller, larger = areas.min(axis=0), areas.max(axis=0)
    contained = overlaps.shared_areas(mine, yours) / smaller
    return bool(((contained >= CONTAINED_SHARE) & (larger >= LARGER_TIMES * smaller)).any())


def _lies_beside(cluster: Cluster, boxes: Sequence[Box]) -> bool:
    if len(boxes) < FEWEST_READINGS:
        return False
    fused = geometry.stack([cluster.box])
    return bool(geometry.pairwise_iou(geometry.stack(boxes), fused).min() < FUSED_IOU)


def _boxes(cluster: Cluster, marks: Mapping[int, Box]) -> list[tuple[str, Box]]:
    return [
        (one.reader_id, marks[one.read_box_id])
        for one in cluster.supporters
        if one.read_box_id is not None and one.read_box_id in marks
    ]


def _low_agreement(clusters: Sequence[Cluster], readings: int) -> list[Conflict]:
    rows = [row for row in _open_rows(clusters) if clusters[row].p_true >= SERIOUS_FROM]
    if len(rows) < AGREED_CLUSTERS:
        return []
    share = sum(len(clusters[row].supporters) for row in rows) / (len(rows) * readings)
    if share >= AGREED_SHARE:
        return []
    lone = tuple(row for row in rows if clusters[row].state is ClusterState.SINGLE_READER)
    reason = f"A lesion is marked by {share:.0%} of the readers on average."
    weight = _AGREEMENT_SHARE * _severity(clusters, rows)
    return [Conflict(ConflictKind.LOW_AGREEMENT, lone, weight, reason)]


def _severity(clusters: Sequence[Cluster], rows: Iterable[int]) -> Severity:
    return max(SEVERITY[clusters[row].finding] for row in rows)


def _named(clusters: Sequence[Cluster], rows: Iterable[int], joined: str) -> str:
    return joined.join(clusters[row].finding.title for row in rows)
