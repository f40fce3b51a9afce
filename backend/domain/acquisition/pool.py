"""The images that could be read next, one row each, in arrays."""

from dataclasses import dataclass, fields
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from backend.domain.acquisition.confidence import binary_entropy
from backend.domain.boxes import areas
from backend.domain.findings import Finding

Numbers: TypeAlias = NDArray[np.float64]
Texts: TypeAlias = NDArray[np.str_]

BOXES_PER_FINDING = 3
"""So many boxes of one finding count; more would reward a detector that scatters boxes."""

SPREAD_WEIGHT = 0.5
"""So much more an unsure box counts when its edges are as unsure as edges get."""

SPREAD_PERCENTILE = 95.0
"""Edges at this percentile of a model's spreads, and beyond, are as unsure as edges get."""


class InvalidPoolError(ValueError):
    """The columns of a pool do not fit together, or hold numbers that cannot be ranked."""


@dataclass(frozen=True, slots=True, eq=False)
class ScoredPool:
    """Images that could be read next, and what the model thinks of them; in any order.

    Attributes
    ----------
    image_ids, patients : ndarray of shape (n,) of str
        Which images, each once, of which patients.
    shares : ndarray of shape (n, 14), [bit]
        What each finding adds to an image's uncertainty, from 0 on: see `pool_from_boxes`.
    best : ndarray of shape (n, 14), [unitless]
        Highest calibrated score of each finding's boxes, in [0, 1]; 0 without a box.
    boxes : ndarray of shape (n,)
        Number of boxes that a reader is expected to draw, from 0 on.
    is_scored : ndarray of shape (n,) of bool, or None
        Whether the model has seen the image; None when it has seen all of them.
    features : ndarray of shape (n, d), or None
        What the images look like to the model; rows of zeros where that is not known.
    abnormality : ndarray of shape (n,), or None
        Probability in [0, 1] that an image shows any finding, from a classifier that looks at
        whole images; None to have one fitted to the evidence where that suffices.
    unmatched : ndarray of shape (n,), or None
        Highest score in [0, 1] of the previous champion's boxes that this one does not mark.
    disputes : ndarray of shape (n, 14), or None
        How much the readers of an image dispute each finding, from 0 on, [bit]. A row above 0
        has been read as often as was wanted and only comes back to be read once more.
    is_untouched : ndarray of shape (n,) of bool, or None
        Whether nobody has read the image, or has it on a worklist; None when that holds for all
        that are not disputed.

    Raises
    ------
    InvalidPoolError
        If the shapes do not fit, an image comes twice, or a number is not finite or out of range.
    """

    image_ids: Texts
    patients: Texts
    shares: Numbers
    best: Numbers
    boxes: Numbers
    is_scored: NDArray[np.bool_] | None = None
    features: NDArray[np.floating] | None = None
    abnormality: Numbers | None = None
    unmatched: Numbers | None = None
    disputes: Numbers | None = None
    is_untouched: NDArray[np.bool_] | None = None

    def __post_init__(self) -> None:
        number, findings = len(self.image_ids), len(Finding)
        _check("patients", self.patients, (number,))
        _check("is_scored", self.is_scored, (number,))
        _check("is_untouched", self.is_untouched, (number,))
        _check("shares", self.shares, (number, findings), highest=np.inf)
        _check("best", self.best, (number, findings), highest=1.0)
        _check("boxes", self.boxes, (number,), highest=np.inf)
        _check("abnormality", self.abnormality, (number,), highest=1.0)
        _check("unmatched", self.unmatched, (number,), highest=1.0)
        _check("disputes", self.disputes, (number, findings), highest=np.inf)
        if self.features is not None:
            _check("features", self.features, (number, self.features.shape[-1]))
            if not np.isfinite(self.features.sum(dtype=np.float64)):
                raise InvalidPoolError("expected features that are finite numbers")
        if len(np.unique(self.image_ids)) != number:
            raise InvalidPoolError("an image is twice in the pool; expected each once")

    def __len__(self) -> int:
        """Return the number of images."""
        return len(self.image_ids)

    def only(self, rows: NDArray[np.int64]) -> "ScoredPool":
        """Return some of the images.

        Parameters
        ----------
        rows : ndarray of int
            Which, each once.

        Returns
        -------
        ScoredPool
            In the order given; this pool itself when that is all of it, as it stands.
        """
        if np.array_equal(rows, np.arange(len(self))):
            return self
        columns: dict[str, Any] = {one.name: getattr(self, one.name) for one in fields(self)}
        for name, column in columns.items():
            columns[name] = None if column is None else column[rows]
        return ScoredPool(**columns)

    @property
    def is_disputed(self) -> NDArray[np.bool_]:
        """Which images have been read and are in dispute, of shape (n,)."""
        if self.disputes is None:
            return np.zeros(len(self), dtype=np.bool_)
        return np.asarray(self.disputes.any(axis=1), dtype=np.bool_)

    @property
    def may_be_sampled(self) -> NDArray[np.bool_]:
        """Which images a fair random sample is drawn from, of shape (n,)."""
        unread = ~self.is_disputed
        return unread if self.is_untouched is None else unread & self.is_untouched

    @property
    def has_score(self) -> NDArray[np.bool_]:
        """Which images the model has seen, of shape (n,)."""
        return np.ones(len(self), dtype=np.bool_) if self.is_scored is None else self.is_scored

    @property
    def is_candidate(self) -> NDArray[np.bool_]:
        """Which images the model has seen and too few readers, of shape (n,)."""
        return np.asarray(self.has_score & ~self.is_disputed)


@dataclass(frozen=True, slots=True, eq=False)
class BoxTable:
    """The boxes of a model on many images, one row each, in any order.

    Attributes
    ----------
    rows : ndarray of shape (b,) of int
        Which image, by its place in the pool.
    findings : ndarray of shape (b,) of int
        Class ids.
    scores : ndarray of shape (b,), [unitless]
        Calibrated confidence in [0, 1].
    spreads : ndarray of shape (b,), [unitless], or None
        How unsure the edges are: 0 sure … 1 as unsure as edges get; NaN where the model cannot
        tell.
    """

    rows: NDArray[np.int64]
    findings: NDArray[np.int64]
    scores: Numbers
    spreads: Numbers | None = None


def relative_spreads(spreads_px: Numbers, boxes: Numbers) -> Numbers:
    """Return how unsure edges are for boxes of their size.

    Parameters
    ----------
    spreads_px : ndarray of shape (b,), [px]
        Standard deviation of the edges; NaN where the model cannot tell.
    boxes : ndarray of shape (b, 4), [px]
        Corners.

    Returns
    -------
    ndarray of shape (b,), [unitless]
        From 0, sure, on; in edges of a square as large as the box.

    Notes
    -----
    In pixels, large boxes and large images would always look unsure: a detector tells an edge in
    bins, and these are wider where it looks for large boxes.

    Examples
    --------
    >>> relative_spreads(np.array([2.0, 20.0]), np.array([[0, 0, 40, 40], [0, 0, 400, 400]]))
    array([0.05, 0.05])
    """
    return np.asarray(spreads_px / np.sqrt(areas(boxes)), dtype=np.float64)


def pool_from_boxes(image_ids: Texts, patients: Texts, table: BoxTable) -> ScoredPool:
    """Return a pool of what a model marked; the optional columns can be put beside it.

    Parameters
    ----------
    image_ids, patients : ndarray of shape (n,) of str
        Which images; an image without a box is one that the model finds empty.
    table : BoxTable
        The boxes, after suppression of duplicates.

    Returns
    -------
    ScoredPool
        In the order of `image_ids`.

    Raises
    ------
    InvalidScoreError
        If a score is not in [0, 1], or not a number.

    Notes
    -----
    Of the `BOXES_PER_FINDING` boxes of the highest score, a finding adds
    ``sum of h(p)(1 + 0.5 v)`` to the uncertainty and ``sum of p`` to the expected boxes, h being
    `binary_entropy` and v the spread.
    """
    entropies = binary_entropy(table.scores)
    spreads = np.zeros(len(table.scores)) if table.spreads is None else table.spreads
    spreads = np.clip(np.nan_to_num(spreads, nan=0.0), 0.0, 1.0)

    cells = table.rows * len(Finding) + table.findings
    order = np.lexsort((-spreads, -table.scores, cells))
    cells_in_order = cells[order]
    first = np.flatnonzero(np.diff(cells_in_order, prepend=-1))
    sizes = np.diff(first, append=len(order))
    place = np.arange(len(order)) - np.repeat(first, sizes)
    top, cells = (one[place < BOXES_PER_FINDING] for one in (order, cells_in_order))

    shape = (len(image_ids), len(Finding))
    worth = entropies[top] * (1.0 + SPREAD_WEIGHT * spreads[top])
    best = np.zeros(shape)
    best.flat[cells_in_order[first]] = table.scores[order[first]]
    return ScoredPool(
        image_ids,
        patients,
        shares=_sums(cells, worth, shape),
        best=best,
        boxes=_sums(cells, table.scores[top], shape).sum(axis=1),
    )


def _sums(cells: NDArray[np.int64], weights: Numbers, shape: tuple[int, int]) -> Numbers:
    """Return the sum of weights in every cell of a table."""
    sums = np.bincount(cells, weights, shape[0] * shape[1])
    return np.asarray(sums.reshape(shape), dtype=np.float64)


def _check(
    name: str,
    values: NDArray[Any] | None,
    shape: tuple[int, ...],
    *,
    highest: float | None = None,
) -> None:
    """Raise if a column cannot be used."""
    if values is None:
        return
    if values.shape != shape:
        raise InvalidPoolError(f"expected {name} of shape {shape}, got {values.shape}")
    if highest is None or not values.size:
        return
    wrong = ~((values >= 0.0) & (values <= highest) & np.isfinite(values))
    if wrong.any():
        raise InvalidPoolError(
            f"expected {name} from 0 to {highest}, got {values[wrong].flat[0]}; "
            "an image that no model has scored is told by is_scored"
        )
