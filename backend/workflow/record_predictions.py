"""Keep what a model version says about images."""

from collections.abc import Sequence
from datetime import datetime

from backend.domain.predictions import Prediction
from backend.store.unit_of_work import UnitOfWork


def unscored(store: UnitOfWork, model_version: str) -> list[str]:
    """Return the images that a model version has not answered yet.

    Parameters
    ----------
    store : UnitOfWork
        An open transaction.
    model_version : str
        Which.

    Returns
    -------
    list of str
        Image ids, sorted.
    """
    return store.predictions.unanswered(model_version)


def record_predictions(
    store: UnitOfWork, predictions: Sequence[Prediction], *, now: datetime
) -> int:
    """Keep predictions; an answer that is there already stays as it is.

    Parameters
    ----------
    store : UnitOfWork
        An open transaction.
    predictions : sequence of Prediction
        Of one model version.
    now : datetime
        The time; aware.

    Returns
    -------
    int
        How many were new.
    """
    image_ids = [prediction.image_id for prediction in predictions]
    answered = {
        model_version: store.predictions.image_ids(model_version, image_ids)
        for model_version in {prediction.model_version for prediction in predictions}
    }

    new = [
        prediction
        for prediction in predictions
        if prediction.image_id not in answered[prediction.model_version]
    ]

    store.predictions.add(new, now=now)
    return len(new)
