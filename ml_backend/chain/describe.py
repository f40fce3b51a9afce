"""Describe: the model cards of those whose standing has changed."""

from backend.workflow.keep_model_card import refresh_model_cards
from ml_backend.chain.workshop import Workshop


def describe(workshop: Workshop) -> dict[str, object]:
    """Write model cards beside the weights.

    Parameters
    ----------
    workshop : Workshop
        What to work with.

    Returns
    -------
    dict
        The files that were written, and problems in writing them.
    """
    cards, problems = refresh_model_cards(
        workshop.store,
        on_start=lambda total: workshop.progress.step("writing model cards", total),
        on_cards=workshop.progress.advance,
    )
    return {"cards": [str(path) for path in cards], "problems": problems}
