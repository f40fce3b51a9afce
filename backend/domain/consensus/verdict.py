"""The readers' common answer for one image, from their readings."""

from collections.abc import Sequence
from math import comb, prod

import numpy as np

from backend.domain import boxes as geometry
from backend.domain.boxes import Box
from backend.domain.consensus import fusion
from backend.domain.consensus.clusters import Cluster, ClusterState, Consensus, Supporter
from backend.domain.consensus.fusion import Lesion
from backend.domain.readings import Reading

METHOD_VERSION = "wbf-1"


class UnusableReadingsError(ValueError):
    """The readings are not one reading each of several readers of one image."""


def reconcile(image_id: str, readings: Sequence[Reading]) -> Consensus:
    """Return the common answer of all readers of one image.

    Parameters
    ----------
    image_id : str
        The image.
    readings : sequence of Reading
        One per reader, in any order; a reading without boxes counts as "nothing there".

    Returns
    -------
    Consensus
        One cluster per lesion that anybody marked.

    Raises
    ------
    UnusableReadingsError
        If there is no reading, one of another image, or two of one reader.
    MalformedBoxError
        If a box has no area or is not finite.

    See Also
    --------
    backend.domain.consensus.fusion.find_lesions : Which boxes mean one lesion.

    Notes
    -----
    ``score`` is `probability_of_another_mark` and ``p_true`` is `probability_of_being_real`.
    ``p_no_finding`` is the product of ``1 - p_true`` over the clusters; an image on which
    nobody marked anything counts as one possible lesion with no vote, so that it rises with
    the number of readers: 0.75, 0.875, 0.9375, ... .
    """
    _check(image_id, readings)
    lesions = fusion.find_lesions(readings)
    fused = [fusion.fuse([mark.box.box for mark in lesion.marks]) for lesion in lesions]

    in_conflict = _class_conflicts(lesions, fused)
    clusters = [
        _cluster(lesion, box, is_in_conflict=conflict, readers=len(readings))
        for lesion, box, conflict in zip(lesions, fused, in_conflict, strict=True)
    ]
    return Consensus(
        image_id=image_id,
        method_version=METHOD_VERSION,
        clusters=tuple(sorted(clusters, key=lambda one: (-one.score, one.finding, one.box))),
        p_no_finding=_probability_of_no_finding(clusters, readers=len(readings)),
        reading_ids=tuple(sorted(one.id for one in readings if one.id is not None)),
    )


def probability_of_another_mark(votes: int, *, readers: int) -> float:
    """Return how probable it is that a further reader would mark a lesion.

    Parameters
    ----------
    votes : int
        How many readers marked it.
    readers : int
        How many readers read the image.

    Returns
    -------
    float
        Laplace's rule of succession, (votes + 1) / (readers + 2), in (0, 1).

    Examples
    --------
    >>> probability_of_another_mark(2, readers=3)
    0.6
    """
    return (votes + 1) / (readers + 2)


def probability_of_being_real(votes: int, *, readers: int) -> float:
    """Return how probable it is that most of all readers would mark a lesion.

    Parameters
    ----------
    votes : int
        How many readers marked it.
    readers : int
        How many readers read the image.

    Returns
    -------
    float
        In (0, 1); 0.5 when exactly half of the readers marked it.

    Notes
    -----
    With a uniform prior on the share t of all readers who would mark it, P(t > 1/2) is the
    upper tail of Beta(1 + votes, 1 + readers - votes). For whole numbers that is
    P(X <= votes) with X binomial of readers + 1 throws of a fair coin, which is exact.

    Examples
    --------
    >>> probability_of_being_real(2, readers=3)
    0.6875
    """
    at_most_votes = sum(comb(readers + 1, heads) for heads in range(votes + 1))
    return float(at_most_votes / 2 ** (readers + 1))


def state_of(votes: int, *, readers: int, is_in_conflict: bool) -> ClusterState:
    """Return how the readers of an image stand to one lesion.

    Parameters
    ----------
    votes : int
        How many readers marked it.
    readers : int
        How many readers read the image.
    is_in_conflict : bool
        Whether other readers mark the same place as another finding instead.

    Returns
    -------
    ClusterState
        CLASS_CONFLICT before all; UNANIMOUS if at least two readers read and all marked it;
        MAJORITY if more than half did; SINGLE_READER otherwise.

    Notes
    -----
    Several readers who are no more than half (2 of 4, 2 of 5) have no state of their own.
    They stand with SINGLE_READER, the lesions that need a second look: MAJORITY would tell a
    release that they are settled. The supporters tell how many they are.
    """
    if is_in_conflict:
        return ClusterState.CLASS_CONFLICT
    if votes == readers and readers >= 2:
        return ClusterState.UNANIMOUS
    if 2 * votes > readers >= 2:
        return ClusterState.MAJORITY
    return ClusterState.SINGLE_READER


def _check(image_id: str, readings: Sequence[Reading]) -> None:
    """Raise if the readings are not one each of several readers of one image."""
    if not readings:
        raise UnusableReadingsError(
            f"image {image_id} has no reading; expected at least one, "
            "and a reading without boxes where a reader saw no finding"
        )
    others = sorted({one.image_id for one in readings} - {image_id})
    if others:
        raise UnusableReadingsError(
            f"expected readings of image {image_id}, got some of {', '.join(others)}"
        )
    names = [one.reader_id for one in readings]
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise UnusableReadingsError(
            f"image {image_id} has several readings by {', '.join(repeated)}; "
            "expected one per reader: pass the one that counts"
        )


def _class_conflicts(lesions: Sequence[Lesion], fused: Sequence[Box]) -> list[bool]:
    """Tell for every lesion whether others call the same place by another finding."""
    stacked = geometry.stack(fused)
    near = geometry.pairwise_iou(stacked, stacked) >= fusion.SAME_PLACE_IOU
    return [
        any(_disagree(lesion, lesions[other]) for other in np.flatnonzero(row).tolist())
        for lesion, row in zip(lesions, near, strict=True)
    ]


def _disagree(left: Lesion, right: Lesion) -> bool:
    """Whether each finding has a reader who does not mark the other.

    A reader may mark one place with two findings (effusion and thickening, say); those who
    mark only one of them are then fewer readers of that finding, not opponents.
    """
    lefts, rights = ({mark.reader_id for mark in lesion.marks} for lesion in (left, right))
    return left.finding is not right.finding and bool(lefts - rights) and bool(rights - lefts)


def _cluster(lesion: Lesion, box: Box, *, is_in_conflict: bool, readers: int) -> Cluster:
    """Return a lesion with its probabilities and its state."""
    votes = len(lesion.marks)
    supporters = sorted((mark.reader_id, mark.box.id) for mark in lesion.marks)
    return Cluster(
        finding=lesion.finding,
        box=box,
        score=probability_of_another_mark(votes, readers=readers),
        p_true=probability_of_being_real(votes, readers=readers),
        state=state_of(votes, readers=readers, is_in_conflict=is_in_conflict),
        supporters=tuple(Supporter(reader_id, box_id) for reader_id, box_id in supporters),
    )


def _probability_of_no_finding(clusters: Sequence[Cluster], *, readers: int) -> float:
    """Return how probable it is that the image shows none of the findings."""
    p_true = [one.p_true for one in clusters] or [probability_of_being_real(0, readers=readers)]
    return prod(1.0 - one for one in p_true)
