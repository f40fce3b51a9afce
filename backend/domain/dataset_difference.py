"""What changed from one dataset version to another."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import isclose

from backend.domain.consensus.clusters import Cluster
from backend.domain.dataset import DatasetImage, DatasetVersion
from backend.domain.findings import Finding
from backend.domain.images import Split

_SAME_NUMBER = 1e-6


@dataclass(frozen=True, slots=True)
class BoxChanges:
    """What became of the boxes of one finding, on images that both versions hold.

    Attributes
    ----------
    added, removed : int
        Boxes that only the newer, and only the older version has.
    moved : int
        Boxes whose place changed.
    weighed_anew : int
        Boxes whose probability changed, and not their place.
    """

    added: int = 0
    removed: int = 0
    moved: int = 0
    weighed_anew: int = 0


@dataclass(frozen=True, slots=True)
class DatasetDifference:
    """From an older version to a newer one.

    Attributes
    ----------
    added, removed : tuple of str
        Images that only the newer, and only the older version holds.
    other_split : tuple of (str, Split, Split)
        Images that are in another split now; there should never be one.
    boxes : dict of Finding to BoxChanges
        By finding, those with a change only.
    adjudicated : tuple of str
        Images that were adjudicated in between.
    weighed_anew, repeated_anew : int
        Images whose weight in figures, and whose repeat factor, changed.
    other_pixels : tuple of str
        Images whose pixels changed; there should never be one.
    """

    added: tuple[str, ...]
    removed: tuple[str, ...]
    other_split: tuple[tuple[str, Split, Split], ...]
    boxes: dict[Finding, BoxChanges]
    adjudicated: tuple[str, ...]
    weighed_anew: int
    repeated_anew: int
    other_pixels: tuple[str, ...]


def difference(older: DatasetVersion, newer: DatasetVersion) -> DatasetDifference:
    """Return what changed.

    Parameters
    ----------
    older, newer : DatasetVersion
        Two versions, in the order in which to read the changes.

    Returns
    -------
    DatasetDifference
        Every change of content.
    """
    before, after = _by_id(older), _by_id(newer)
    both = [(before[name], after[name]) for name in sorted(before.keys() & after.keys())]
    return DatasetDifference(
        added=tuple(sorted(after.keys() - before.keys())),
        removed=tuple(sorted(before.keys() - after.keys())),
        other_split=tuple(
            (one.image.id, one.split, other.split)
            for one, other in both
            if one.split is not other.split
        ),
        boxes=_all_box_changes(both),
        adjudicated=tuple(
            one.image.id for one, other in both if other.is_adjudicated > one.is_adjudicated
        ),
        weighed_anew=sum(not _same(one.weight, other.weight) for one, other in both),
        repeated_anew=sum(
            not _same(one.repeat_factor, other.repeat_factor) for one, other in both
        ),
        other_pixels=tuple(
            one.image.id for one, other in both if one.image.pixel_hash != other.image.pixel_hash
        ),
    )


def _by_id(version: DatasetVersion) -> Mapping[str, DatasetImage]:
    return {member.image.id: member for member in version.images}


def _same(left: float, right: float) -> bool:
    return isclose(left, right, rel_tol=_SAME_NUMBER, abs_tol=_SAME_NUMBER)


def _all_box_changes(
    both: Iterable[tuple[DatasetImage, DatasetImage]],
) -> dict[Finding, BoxChanges]:
    totals: dict[Finding, Counter[str]] = {}
    for one, other in both:
        for finding in {cluster.finding for cluster in (*one.clusters, *other.clusters)}:
            changes = _box_changes(
                [cluster for cluster in one.clusters if cluster.finding is finding],
                [cluster for cluster in other.clusters if cluster.finding is finding],
            )
            totals.setdefault(finding, Counter()).update(changes)
    return {
        finding: BoxChanges(**totals[finding])
        for finding in sorted(totals)
        if totals[finding].total()
    }


def _box_changes(before: list[Cluster], after: list[Cluster]) -> Counter[str]:
    """Return the changes of one finding on one image; boxes at another place are paired off."""
    places = {_place(cluster): cluster for cluster in before}
    kept = [cluster for cluster in after if _place(cluster) in places]
    gone, new = len(before) - len(kept), len(after) - len(kept)
    moved = min(gone, new)
    return Counter(
        added=new - moved,
        removed=gone - moved,
        moved=moved,
        weighed_anew=sum(not _same(one.p_true, places[_place(one)].p_true) for one in kept),
    )


def _place(cluster: Cluster) -> tuple[float, ...]:
    return tuple(round(float(edge), 2) for edge in cluster.box)
