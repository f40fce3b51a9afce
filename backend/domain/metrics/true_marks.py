"""Which of a detector's marks are true."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from backend.domain.boxes import Box
from backend.domain.findings import Finding
from backend.domain.metrics.hits import mark_hits
from backend.domain.metrics.judged_marks import tables
from backend.domain.predictions import PredictedBox

Marks = tuple[NDArray[np.float64], NDArray[np.bool_]]
"""Scores by falling score, and whether each mark is true."""


def true_marks(
    truths: Mapping[str, Sequence[tuple[Finding, Box]]],
    predictions: Mapping[str, Sequence[PredictedBox]],
    *,
    iou_threshold: float = 0.4,
) -> dict[Finding, Marks]:
    """Return the marks of every finding, by falling score, and which of them are true.

    Parameters
    ----------
    truths : mapping of str to sequence of (Finding, Box)
        Image id to true boxes.
    predictions : mapping of str to sequence of PredictedBox
        Image id to predicted boxes, of the same images.
    iou_threshold : float
        A predicted box must overlap a true one by more than this.

    Returns
    -------
    dict of Finding to (ndarray, ndarray)
        Scores in [0, 1] and truth, for every finding.

    See Also
    --------
    average_precision : Where "true" is defined.
    """
    true, found = tables(truths, predictions)
    return {
        finding: (
            found.only(finding).scores,
            mark_hits(true.only(finding), found.only(finding), iou_threshold=iou_threshold),
        )
        for finding in Finding
    }
