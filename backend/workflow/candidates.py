"""What each image is worth reading, as the champion and the current answers have it."""

from collections.abc import Iterable, Mapping

import numpy as np
from numpy.typing import NDArray

from backend.domain.acquisition.batch import Candidate
from backend.domain.acquisition.confidence import image_uncertainty
from backend.domain.acquisition.rarity import finding_weights
from backend.domain.findings import Finding
from backend.domain.images import Image
from backend.domain.predictions import Prediction
from backend.store.unit_of_work import UnitOfWork

_COUNTS_AS_POSITIVE = 0.5
"""A cluster counts as a positive image of its finding from this `p_true` on."""


def positive_images(store: UnitOfWork) -> NDArray[np.int64]:
    """Return on how many images the current answers hold each finding.

    Parameters
    ----------
    store : UnitOfWork
        An open transaction.

    Returns
    -------
    ndarray of shape (14,)
        Number of images by finding.
    """
    positive = np.zeros(len(Finding), dtype=np.int64)
    for _, consensus in store.consensus.current().values():
        for finding in {
            cluster.finding
            for cluster in consensus.clusters
            if cluster.p_true >= _COUNTS_AS_POSITIVE
        }:
            positive[finding] += 1
    return positive


def score_candidates(
    images: Iterable[Image], predictions: Mapping[str, Prediction], positive: NDArray[np.int64]
) -> list[Candidate]:
    """Return images with how unsure the model is of them.

    Parameters
    ----------
    images : iterable of Image
        Which.
    predictions : mapping of str to Prediction
        The champion's answers by image id; without one an image has no uncertainty.
    positive : ndarray of shape (14,)
        From `positive_images`; rare findings weigh more.

    Returns
    -------
    list of Candidate
        In the order given.
    """
    weights = finding_weights(positive)
    return [_candidate(image, predictions.get(image.id), weights) for image in images]


def _candidate(
    image: Image, prediction: Prediction | None, weights: NDArray[np.float64]
) -> Candidate:
    if prediction is None:
        return Candidate(image.id, image.patient_key, uncertainty=None)
    top = max(prediction.boxes, key=lambda box: box.score, default=None)
    return Candidate(
        image.id,
        image.patient_key,
        uncertainty=image_uncertainty(prediction.boxes, weights),
        top_finding=top.finding if top else None,
        top_score=top.score if top else None,
    )
