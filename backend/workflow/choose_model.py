"""Decide whether a model version may join the readers."""

from collections.abc import Collection

from backend.domain.consensus.model_reader import ModelMayNotVoteError, ModelReader
from backend.domain.models import ModelState
from backend.store.unit_of_work import UnitOfWork


class ModelOutOfServiceError(ModelMayNotVoteError):
    """A model version was retired or turned away."""


class NothingPredictedError(ModelMayNotVoteError):
    """A model version has said nothing of any image that was read."""


def choose_model(store: UnitOfWork, version: str, image_ids: Collection[str]) -> ModelReader:
    """Return a model version that is to join the readers.

    Parameters
    ----------
    store : UnitOfWork
        An open transaction.
    version : str
        Which.
    image_ids : collection of str
        The images that were read.

    Returns
    -------
    ModelReader
        It may vote on some of the images; `ModelReader.where_allowed` says on which.

    Raises
    ------
    UnknownModelVersionError
        If there is no such model version.
    ModelOutOfServiceError
        If it was retired or turned away.
    NothingPredictedError
        If it has no prediction of any of the images.
    ModelMayNotVoteError
        If it may vote on none of them.
    """
    state = store.models.get(version).state
    if state in {ModelState.RETIRED, ModelState.REJECTED}:
        raise ModelOutOfServiceError(
            f"{version} may not vote: it is {state}; the model versions in service are listed by: "
            "overread models list"
        )
    model = store.model_readers.get(version, image_ids)
    if image_ids and not model.predictions:
        raise NothingPredictedError(
            f"{version} has no prediction of any of the {len(image_ids)} images that were read; "
            "run: overread score"
        )
    if not model.where_allowed().predictions:
        model.check(image_ids)
    return model
