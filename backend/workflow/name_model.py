"""Find a model version by its name or by what it is."""

from backend.domain.models import ModelVersion
from backend.store.unit_of_work import UnitOfWork

ALIASES = ("champion", "challenger", "previous")


class NoSuchStandingError(LookupError):
    """No model version is what was asked for."""


def find_model(store: UnitOfWork, name: str) -> ModelVersion:
    """Return a model version.

    Parameters
    ----------
    store : UnitOfWork
        An open transaction.
    name : str
        Its name, or "champion" for what serves, "challenger" for what scores in its shadow,
        "previous" for what a rollback goes back to.

    Returns
    -------
    ModelVersion
        The model version.

    Raises
    ------
    NoSuchStandingError
        If no model version is what was asked for.
    UnknownModelVersionError
        If there is none of that name.
    """
    if name not in ALIASES:
        return store.models.get(name)
    found = aliases(store)[name]
    if found is None:
        raise NoSuchStandingError(f"no model version is {name}; see: overread models list")
    return store.models.get(found)


def aliases(store: UnitOfWork) -> dict[str, str | None]:
    """Return which model versions are called otherwise too.

    Parameters
    ----------
    store : UnitOfWork
        An open transaction.

    Returns
    -------
    dict of str to (str or None)
        Alias to name; None where there is none.
    """
    found = (store.models.champion(), store.models.challenger(), store.models.previous_champion())
    return {
        alias: None if model is None else model.name
        for alias, model in zip(ALIASES, found, strict=True)
    }
