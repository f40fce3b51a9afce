"""Many predictions at once, in arrays: a pool of images is too large for one object per box."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from backend.store.membership import is_among
from backend.store.tables import PredictedBoxRow, PredictionRow

_AT_ONCE = 50_000


@dataclass(frozen=True, slots=True, eq=False)
class PredictionColumns:
    """What a model version marked on many images.

    Attributes
    ----------
    image_ids : tuple of str
        The images that it has answered, also those without a box.
    images : ndarray of shape (b,)
        Of every box, which image: the place in `image_ids`.
    findings : ndarray of shape (b,)
        Class ids.
    scores : ndarray of shape (b,), [unitless]
        Calibrated confidence in [0, 1].
    spreads_px : ndarray of shape (b,), [px]
        How far an edge may be off; NaN where the model cannot tell.
    boxes : ndarray of shape (b, 4), [px]
        Where.
    """

    image_ids: tuple[str, ...]
    images: NDArray[np.int64]
    findings: NDArray[np.int64]
    scores: NDArray[np.float64]
    spreads_px: NDArray[np.float64]
    boxes: NDArray[np.float64]


class PredictionReader:
    """Predictions read by the column.

    Parameters
    ----------
    session : Session
        The transaction to read in.
    """

    def __init__(self, session: Session) -> None:
        self._session = session

    def columns(
        self, model_version: str, image_ids: Iterable[str], *, from_score: float = 0.0
    ) -> PredictionColumns:
        """Return a model version's predictions.

        Parameters
        ----------
        model_version : str
            Whose.
        image_ids : iterable of str
            On which images.
        from_score : float
            Without the boxes below this score.

        Returns
        -------
        PredictionColumns
            Without the images that it has not answered.
        """
        answered = (
            select(PredictionRow.id, PredictionRow.image_id)
            .where(
                PredictionRow.model_version == model_version,
                is_among(PredictionRow.image_id, image_ids),
            )
            .order_by(PredictionRow.id)
        )
        found = self._session.execute(answered).all()
        box = PredictedBoxRow
        boxes = (
            select(
                *(box.prediction_id, box.finding, box.score, box.spread_px),
                *(box.x_min, box.y_min, box.x_max, box.y_max),
            )
            .where(
                box.prediction_id.in_(answered.with_only_columns(PredictionRow.id)),
                box.score >= from_score,
            )
            .order_by(box.id)
        )
        parts = [
            np.array([tuple(row) for row in rows], dtype=np.float64)
            for rows in self._session.connection().execute(boxes).partitions(_AT_ONCE)
        ]
        table = np.concatenate([np.empty((0, 8)), *parts])
        keys = np.array([key for key, _ in found], dtype=np.int64)
        return PredictionColumns(
            image_ids=tuple(image_id for _, image_id in found),
            images=np.searchsorted(keys, table[:, 0].astype(np.int64)),
            findings=table[:, 1].astype(np.int64),
            scores=table[:, 2],
            spreads_px=table[:, 3],
            boxes=table[:, 4:],
        )

    def widest_spread_px(self, model_version: str, percentile: float) -> float | None:
        """Return how far the edges of a model version's unsurest boxes may be off.

        Parameters
        ----------
        model_version : str
            Whose.
        percentile : float
            In [0, 100]: of the boxes whose spread is known, so many are surer.

        Returns
        -------
        float or None, [px]
            None when no spread is known.
        """
        known = (
            PredictedBoxRow.prediction_id == PredictionRow.id,
            PredictionRow.model_version == model_version,
            PredictedBoxRow.spread_px.is_not(None),
        )
        number = self._session.scalar(select(func.count()).where(*known)) or 0
        return self._session.scalar(
            select(PredictedBoxRow.spread_px)
            .where(*known)
            .order_by(PredictedBoxRow.spread_px)
            .offset(int(percentile / 100.0 * max(0, number - 1)))
            .limit(1)
        )
