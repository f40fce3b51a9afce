"""How the readers of an image stand to one lesion."""

from itertools import groupby

import numpy as np
from numpy.typing import NDArray

from backend.domain.consensus.clusters import ClusterState
from backend.domain.consensus.grouping import Groups
from backend.domain.consensus.votes import Votes
from backend.domain.reading_table import ReadingTable


def state_of(marks: int, *, readings: int, is_in_conflict: bool) -> ClusterState:
    """Return how the readers of an image stand to one lesion.

    Parameters
    ----------
    marks : int
        How many readers marked it.
    readings : int
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
    if marks == readings and readings >= 2:
        return ClusterState.UNANIMOUS
    if 2 * marks > readings >= 2:
        return ClusterState.MAJORITY
    return ClusterState.SINGLE_READER


def states_of(table: ReadingTable, groups: Groups, votes: Votes) -> tuple[ClusterState, ...]:
    """Return how the readers stand to every cluster.

    Parameters
    ----------
    table : ReadingTable
        Readings and marks.
    groups : Groups
        The table's clusters.
    votes : Votes
        The votes on them.

    Returns
    -------
    tuple of ClusterState
        One per cluster.

    See Also
    --------
    state_of : The rule.
    """
    in_conflict = _in_conflict(table, groups)
    return tuple(
        state_of(int(marks), readings=int(readings), is_in_conflict=bool(conflict))
        for marks, readings, conflict in zip(votes.marks, votes.readings, in_conflict, strict=True)
    )


def _in_conflict(table: ReadingTable, groups: Groups) -> NDArray[np.bool_]:
    """Tell for every cluster whether others call its place by another finding."""
    in_conflict = np.zeros(len(groups.places), dtype=np.bool_)
    several = np.bincount(groups.places, minlength=1)[groups.places] > 1
    markers: dict[int, set[int]] = {int(cluster): set() for cluster in np.flatnonzero(several)}
    for cluster, reader in zip(
        groups.cluster_of_mark.tolist(), table.mark_readers.tolist(), strict=True
    ):
        if cluster in markers:
            markers[cluster].add(reader)
    by_place = sorted(markers, key=lambda cluster: int(groups.places[cluster]))
    for _, together in groupby(by_place, key=lambda cluster: int(groups.places[cluster])):
        place = list(together)
        for cluster in place:
            in_conflict[cluster] = any(
                _disagree(markers[cluster], markers[other]) for other in place
            )
    return in_conflict


def _disagree(left: set[int], right: set[int]) -> bool:
    """Whether each finding has a reader who does not mark the other.

    A reader may mark one place with two findings (effusion and thickening, say); those who
    mark only one of them are then fewer readers of that finding, not opponents.
    """
    return bool(left - right) and bool(right - left)
