"""Who of an image's readers marked a lesion and who did not."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from backend.domain.consensus.grouping import Groups
from backend.domain.reading_table import Numbers, ReadingTable


@dataclass(frozen=True, slots=True)
class Votes:
    """One vote per cluster and reader of its image: marked, or read and not marked.

    Attributes
    ----------
    findings : ndarray of shape (k,)
        The finding of every cluster.
    starts : ndarray of shape (k,)
        Where the votes on each cluster start; every cluster has at least one vote.
    clusters, readers : ndarray of shape (v,)
        Whose vote on which cluster; by cluster, then reader.
    is_mark : ndarray of shape (v,)
        Whether the reader marked it.
    """

    findings: Numbers
    starts: Numbers
    clusters: Numbers
    readers: Numbers
    is_mark: NDArray[np.bool_]

    def total(self, of_votes: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return sums over the votes on each cluster.

        Parameters
        ----------
        of_votes : ndarray of shape (v, ...)
            One entry per vote.

        Returns
        -------
        ndarray of shape (k, ...)
            Their sums.
        """
        if not len(self.starts):
            return np.zeros((0, *of_votes.shape[1:]))
        return np.asarray(np.add.reduceat(of_votes, self.starts, axis=0), dtype=np.float64)

    def lowest(self, of_votes: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the lowest entry among the votes on each cluster.

        Parameters
        ----------
        of_votes : ndarray of shape (v,)
            One entry per vote.

        Returns
        -------
        ndarray of shape (k,)
            Their minima.
        """
        if not len(self.starts):
            return np.zeros(0)
        return np.asarray(np.minimum.reduceat(of_votes, self.starts), dtype=np.float64)

    def lowest_of_others(self, of_votes: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return for every vote the lowest entry among the other votes on its cluster.

        Parameters
        ----------
        of_votes : ndarray of shape (v,)
            One entry per vote.

        Returns
        -------
        ndarray of shape (v,)
            Their minima; infinity where there is no other vote.
        """
        is_lowest = np.zeros(len(of_votes), dtype=np.bool_)
        # lexsort takes the last key first, so the lowest of a cluster stands where it starts.
        is_lowest[np.lexsort((of_votes, self.clusters))[self.starts]] = True
        second = self.lowest(np.where(is_lowest, np.inf, of_votes))
        return np.where(is_lowest, second[self.clusters], self.lowest(of_votes)[self.clusters])

    @property
    def marks(self) -> NDArray[np.float64]:
        """How many readers marked each cluster."""
        return self.total(self.is_mark.astype(np.float64))

    @property
    def readings(self) -> NDArray[np.float64]:
        """How many readers read the image of each cluster."""
        return np.diff(np.append(self.starts, len(self.clusters))).astype(np.float64)

    def of(self, chosen: Numbers) -> "Votes":
        """Return the votes on some clusters.

        Parameters
        ----------
        chosen : ndarray of shape (c,)
            Clusters; one may be there several times.

        Returns
        -------
        Votes
            On those clusters, numbered anew in the given order.
        """
        lengths = self.readings.astype(np.int64)[chosen]
        starts = np.cumsum(lengths) - lengths
        clusters = np.repeat(np.arange(len(chosen)), lengths)
        rows = np.repeat(self.starts[chosen] - starts, lengths) + np.arange(len(clusters))
        return Votes(
            self.findings[chosen], starts, clusters, self.readers[rows], self.is_mark[rows]
        )

    def with_marks(self, chosen: Numbers, masks: NDArray[np.bool_]) -> "Votes":
        """Return copies of clusters in which only some of their marks count.

        Parameters
        ----------
        chosen : ndarray of shape (c,)
            Clusters, each with n marks.
        masks : ndarray of shape (s, n)
            Which of the marks count, in the order of their readers.

        Returns
        -------
        Votes
            Of c times s clusters, the copies of one after the other; the other marks are
            silence.
        """
        copies = self.of(np.repeat(chosen, len(masks)))
        is_mark = copies.is_mark.copy()
        is_mark[is_mark] = np.tile(masks, (len(chosen), 1)).ravel()
        return replace(copies, is_mark=is_mark)

    def with_best_marks(self, chosen: Numbers, worth: NDArray[np.float64]) -> "Votes":
        """Return copies of clusters in which only the best of their marks count.

        Parameters
        ----------
        chosen : ndarray of shape (c,)
            Clusters, each with n marks.
        worth : ndarray of shape (v,)
            How good each vote is.

        Returns
        -------
        Votes
            Of c times n - 1 clusters, the copies of one after the other: with the best mark, the
            best two, and so on; the other marks are silence.
        """
        number = int(self.marks[chosen[0]])
        rank = np.empty(len(worth), dtype=np.int64)
        rank[np.lexsort((-worth, ~self.is_mark, self.clusters))] = np.arange(len(worth))
        repeated = np.repeat(chosen, number - 1)
        copies = self.of(repeated)
        ranks = replace(self, readers=rank - self.starts[self.clusters]).of(repeated).readers
        best = np.tile(np.arange(1, number), len(chosen))[copies.clusters]
        return replace(copies, is_mark=copies.is_mark & (ranks < best))


def count_votes(table: ReadingTable, groups: Groups) -> Votes:
    """Return who marked each cluster and who read the image without marking it.

    Parameters
    ----------
    table : ReadingTable
        Readings and marks.
    groups : Groups
        The table's clusters.

    Returns
    -------
    Votes
        Every reader of an image has one vote on each of its clusters.
    """
    images = table.mark_images[groups.first_marks]
    firsts = np.searchsorted(table.reading_images, images, side="left")
    lengths = np.searchsorted(table.reading_images, images, side="right") - firsts
    starts = np.cumsum(lengths) - lengths
    clusters = np.repeat(np.arange(len(images)), lengths)
    rows = np.repeat(firsts - starts, lengths) + np.arange(len(clusters))
    readers = table.reading_readers[rows]
    everybody = len(table.reader_ids)
    marked = groups.cluster_of_mark * everybody + table.mark_readers
    return Votes(
        table.mark_findings[groups.first_marks],
        starts,
        clusters,
        readers,
        np.isin(clusters * everybody + readers, marked),
    )
