"""The images that could be read next, as the champion sees them."""

from collections.abc import Iterable, Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from backend.domain.acquisition.pool import (
    SPREAD_PERCENTILE,
    BoxTable,
    ScoredPool,
    pool_from_boxes,
)
from backend.domain.acquisition.unmatched import Marks, unmatched_scores
from backend.domain.findings import Finding
from backend.domain.images import Image
from backend.domain.predictions import SHOWN_FROM_SCORE
from backend.store.prediction_columns import PredictionColumns
from backend.store.unit_of_work import UnitOfWork
from backend.workflow.gather_evidence import feature_matrix

_NO_NUMBERS = np.empty(0)
_NOTHING = PredictionColumns(
    image_ids=(),
    images=_NO_NUMBERS.astype(np.int64),
    findings=_NO_NUMBERS.astype(np.int64),
    scores=_NO_NUMBERS,
    spreads_px=_NO_NUMBERS,
    boxes=np.empty((0, 4)),
)


def score_candidates(store: UnitOfWork, images: Iterable[Image]) -> ScoredPool:
    """Return images with what the champion marks on them.

    Parameters
    ----------
    store : UnitOfWork
        An open transaction.
    images : iterable of Image
        Which, each once.

    Returns
    -------
    ScoredPool
        In the order given, without the optional columns; images that the champion has not
        answered are not scored.
    """
    patients = {image.id: image.patient_key for image in images}
    champion = store.models.champion()
    found = _NOTHING if champion is None else store.predictions.columns(champion.name, patients)
    widest = champion and store.predictions.widest_spread_px(champion.name, SPREAD_PERCENTILE)
    rows = _rows(found, patients)
    pool = pool_from_boxes(
        np.array(list(patients), dtype=np.str_),
        np.array(list(patients.values()), dtype=np.str_),
        BoxTable(
            rows[found.images],
            found.findings,
            found.scores,
            found.spreads_px / widest if widest else None,
        ),
    )
    is_scored = np.zeros(len(patients), dtype=np.bool_)
    is_scored[rows] = True
    return replace(pool, is_scored=is_scored)


def look_closer(
    store: UnitOfWork, pool: ScoredPool, disputes: Mapping[str, NDArray[np.float64]]
) -> ScoredPool:
    """Return a pool with all that decides between images beside their scores.

    Parameters
    ----------
    store : UnitOfWork
        An open transaction.
    pool : ScoredPool
        From `score_candidates`.
    disputes : mapping of str to ndarray of shape (14,)
        By image id, how much the readers of read images dispute each finding; an image may be
        absent.

    Returns
    -------
    ScoredPool
        With features, disputes, and what the previous champion marked.
    """
    image_ids = pool.image_ids.tolist()
    agreed = np.zeros(len(Finding))
    table = np.array([disputes.get(image_id, agreed) for image_id in image_ids])
    pool = replace(pool, disputes=table.reshape(-1, len(Finding)))
    champion, previous = store.models.champion(), store.models.previous_champion()
    if champion is None:
        return pool
    features = feature_matrix(store.predictions.features(champion.name, image_ids), image_ids)
    pool = replace(pool, features=features)
    if previous is None:
        return pool
    before, now = (
        _marks(
            store.predictions.columns(one.name, image_ids, from_score=SHOWN_FROM_SCORE), image_ids
        )
        for one in (previous, champion)
    )
    return replace(pool, unmatched=unmatched_scores(before, now, images=len(pool)))


def _marks(found: PredictionColumns, image_ids: list[str]) -> Marks:
    return Marks(_rows(found, image_ids)[found.images], found.boxes, found.scores)


def _rows(found: PredictionColumns, image_ids: Iterable[str]) -> NDArray[np.int64]:
    """Return where the answered images stand among others."""
    row_of = {image_id: row for row, image_id in enumerate(image_ids)}
    return np.array([row_of[image_id] for image_id in found.image_ids], dtype=np.int64)
