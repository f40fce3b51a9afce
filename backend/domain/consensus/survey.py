"""Everything that can be seen in readings before anything is known of the readers."""

from dataclasses import dataclass

import numpy as np

from backend.domain.consensus import surroundings
from backend.domain.consensus.grouping import Groups, group
from backend.domain.consensus.surroundings import Surroundings
from backend.domain.consensus.votes import Votes, count_votes
from backend.domain.overlaps import find_overlaps
from backend.domain.reading_table import Numbers, ReadingTable


@dataclass(frozen=True, slots=True)
class Survey:
    """Readings, sorted into clusters.

    Attributes
    ----------
    table : ReadingTable
        The readings.
    groups : Groups
        Its clusters.
    votes : Votes
        The votes on them.
    by_all, by_others : Surroundings
        The clusters as all readers of their images see them, and as all but each one do.
    """

    table: ReadingTable
    groups: Groups
    votes: Votes
    by_all: Surroundings
    by_others: Surroundings

    @classmethod
    def of(cls, table: ReadingTable) -> "Survey":
        """Survey readings.

        Parameters
        ----------
        table : ReadingTable
            Readings of any number of images.

        Returns
        -------
        Survey
            Each image by itself; nothing is learned from one for another.
        """
        groups = group(table, find_overlaps(table))
        votes = count_votes(table, groups)
        return cls(table, groups, votes, *surroundings.describe(table, groups, votes))

    @property
    def images(self) -> Numbers:
        """The image of every cluster."""
        return self.table.mark_images[self.groups.first_marks]

    @property
    def exposures(self) -> Numbers:
        """How many images each reader has read on which anybody marked anything."""
        is_marked = np.zeros(len(self.table.image_ids), dtype=np.bool_)
        is_marked[self.table.mark_images] = True
        readers = self.table.reading_readers[is_marked[self.table.reading_images]]
        return np.bincount(readers, minlength=len(self.table.reader_ids))
