"""What has been read so far, as far as it decides what to read next."""

from collections.abc import Iterable, Mapping

import numpy as np
from numpy.typing import NDArray

from backend.domain import reading_time
from backend.domain.acquisition.cost import CostModel, fit_cost_model
from backend.domain.acquisition.evidence import Evidence
from backend.domain.consensus.clusters import Cluster, Consensus
from backend.domain.findings import Finding
from backend.domain.images import Split
from backend.domain.metrics.average_precision import mean_average_precision
from backend.store.unit_of_work import UnitOfWork

_COUNTS_AS_POSITIVE = 0.5
"""A cluster counts as a finding of its image from this `p_true` on."""


def gather_evidence(
    store: UnitOfWork, answers: Iterable[Consensus], *, with_features: bool
) -> Evidence:
    """Return what the current answers say of findings, and of how well the champion finds them.

    Parameters
    ----------
    store : UnitOfWork
        An open transaction.
    answers : iterable of Consensus
        The current ones.
    with_features : bool
        Whether to say what the read images look like; without, it takes less memory.

    Returns
    -------
    Evidence
        Average precision is that of the champion on the validation split, None without both.
    """
    champion = store.models.champion()
    marked = {answer.image_id: _real(answer) for answer in answers}
    positive = np.zeros(len(Finding), dtype=np.int64)
    for clusters in marked.values():
        for finding in {cluster.finding for cluster in clusters}:
            positive[finding] += 1
    if champion is None:
        return Evidence(positive)

    quality = _average_precision(store, champion.name, marked)
    if not with_features:
        return Evidence(positive, quality)
    features = feature_matrix(store.predictions.features(champion.name, marked), list(marked))
    if features is None:
        return Evidence(positive, quality)
    known = features.any(axis=1)
    is_positive = np.array([bool(clusters) for clusters in marked.values()], dtype=np.bool_)
    return Evidence(positive, quality, features[known], is_positive[known])


def gather_cost(store: UnitOfWork) -> CostModel:
    """Return how long reading takes.

    Parameters
    ----------
    store : UnitOfWork
        An open transaction.

    Returns
    -------
    CostModel
        Fitted to all timed readings, idle time cut reader by reader, once there are enough.
    """
    timed = store.evidence.timed()
    by_reader: dict[str, list[float | None]] = {}
    for one in timed:
        by_reader.setdefault(one.reader_id, []).append(one.seconds)
    limits = {reader: reading_time.limit_seconds(own) for reader, own in by_reader.items()}
    return fit_cost_model(
        np.array([min(one.seconds, limits[one.reader_id]) for one in timed]),
        np.array([one.boxes for one in timed], dtype=np.int64),
    )


def feature_matrix(
    features: Mapping[str, bytes], image_ids: list[str]
) -> NDArray[np.float16] | None:
    """Return what images look like as one row each.

    Parameters
    ----------
    features : mapping of str to bytes
        By image id, as they are stored.
    image_ids : list of str
        Which images.

    Returns
    -------
    ndarray of shape (n, d) or None
        Rows of zeros for images without; None when none of them has any.
    """
    length = next((len(one) for one in features.values()), 0)
    if not length:
        return None
    blank = bytes(length)
    rows = b"".join(features.get(image_id, blank) for image_id in image_ids)
    return np.nan_to_num(np.frombuffer(rows, dtype="<f2").reshape(len(image_ids), -1))


def _real(answer: Consensus) -> tuple[Cluster, ...]:
    return tuple(one for one in answer.clusters if one.p_true >= _COUNTS_AS_POSITIVE)


def _average_precision(
    store: UnitOfWork, champion: str, marked: Mapping[str, tuple[Cluster, ...]]
) -> NDArray[np.float64] | None:
    """Return how well the champion finds what readers found in the validation split."""
    images = store.images.all(marked)
    held_out = [name for name, image in images.items() if image.split is Split.VALIDATION]
    predictions = store.predictions.of_model(champion, held_out)
    quality = mean_average_precision(
        {name: [(one.finding, one.box) for one in marked[name]] for name in predictions},
        {name: prediction.boxes for name, prediction in predictions.items()},
    )
    if not quality.by_finding:
        return None
    return np.array([quality.by_finding.get(finding, np.nan) for finding in Finding])
