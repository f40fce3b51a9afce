"""Shadow: let the challenger in the shadow serve, or turn it away, once enough was read."""

from backend.workflow.chain_step import NothingToDoError
from backend.workflow.settle_shadow import settle_shadow
from ml_backend.chain.workshop import Workshop


def shadow(workshop: Workshop) -> dict[str, object]:
    """Decide on the challenger that scores in the shadow; in one transaction.

    Parameters
    ----------
    workshop : Workshop
        What to work with.

    Returns
    -------
    dict
        The verdict.

    Raises
    ------
    NothingToDoError
        If no challenger is in the shadow.
    """
    settings = workshop.settings
    with workshop.store.transaction() as unit:
        verdict = settle_shadow(
            unit, wanted=settings.shadow_images, seed=settings.seed, now=workshop.clock()
        )
        if verdict is None:
            raise NothingToDoError("no challenger is in the shadow")
        workshop.keep(unit, verdict.as_json())
    return verdict.as_json()
