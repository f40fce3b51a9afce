"""Boxes with scores as columns."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from backend.domain import boxes as geometry
from backend.domain.boxes import Box, Boxes
from backend.domain.findings import Finding


class UnrankableScoreError(ValueError):
    """A predicted box has a score that is not finite."""


@dataclass(frozen=True, slots=True)
class BoxTable:
    """Boxes as columns, by falling score, then by image and coordinates.

    Attributes
    ----------
    findings, images : ndarray of shape (n,)
        Class id and number of the image of every box.
    boxes : ndarray of shape (n, 4), [px]
        Where.
    scores : ndarray of shape (n,)
        How sure; of true boxes they mean nothing.
    """

    findings: NDArray[np.int64]
    images: NDArray[np.int64]
    boxes: Boxes
    scores: NDArray[np.float64]

    @classmethod
    def of_rows(cls, rows: Sequence[tuple[Finding, int, Box, float]]) -> "BoxTable":
        """Make a table of rows.

        Parameters
        ----------
        rows : sequence of (Finding, int, Box, float)
            Finding, number of the image, box, and score.

        Returns
        -------
        BoxTable
            The same, sorted.

        Raises
        ------
        UnrankableScoreError
            If a score is not finite.
        MalformedBoxError
            If a box has no area or is not finite.
        """
        return cls.of_columns(
            np.array([row[0] for row in rows], dtype=np.int64),
            np.array([row[1] for row in rows], dtype=np.int64),
            geometry.stack([row[2] for row in rows]),
            np.array([row[3] for row in rows], dtype=np.float64),
        )

    @classmethod
    def of_columns(
        cls,
        findings: NDArray[np.int64],
        images: NDArray[np.int64],
        boxes: Boxes,
        scores: NDArray[np.float64],
    ) -> "BoxTable":
        """Make a table of columns in any order.

        Parameters
        ----------
        findings, images : ndarray of shape (n,)
            Class id and number of the image of every box.
        boxes : ndarray of shape (n, 4), [px]
            Where.
        scores : ndarray of shape (n,)
            How sure.

        Returns
        -------
        BoxTable
            The same, sorted.

        Raises
        ------
        UnrankableScoreError
            If a score is not finite.
        MalformedBoxError
            If a box has no area or is not finite.
        """
        table = cls(findings, images, geometry.check_boxes(boxes), scores)
        if not np.isfinite(scores).all():
            raise UnrankableScoreError("a predicted box has no finite score; expected [0, 1]")
        # lexsort takes the last key first.
        return table.take(np.lexsort((*boxes.T[::-1], images, -scores)))

    def only(self, finding: Finding) -> "BoxTable":
        """Return the rows of one finding.

        Parameters
        ----------
        finding : Finding
            Which.

        Returns
        -------
        BoxTable
            In the same order.
        """
        return self.take(np.flatnonzero(self.findings == finding))

    def take(self, rows: NDArray[np.intp]) -> "BoxTable":
        """Return some rows.

        Parameters
        ----------
        rows : ndarray of int
            Which.

        Returns
        -------
        BoxTable
            Those, in the given order.
        """
        return BoxTable(
            self.findings[rows], self.images[rows], self.boxes[rows], self.scores[rows]
        )
