"""Describe: the model cards of those whose standing has changed, and tidy weights."""

from backend.workflow.keep_model_card import refresh_model_cards
from ml_backend.chain.workshop import Workshop
from ml_backend.training.weights import remove_leftovers


def describe(workshop: Workshop) -> dict[str, object]:
    """Write model cards beside the weights, and remove what was left half-written there.

    Parameters
    ----------
    workshop : Workshop
        What to work with.

    Returns
    -------
    dict
        The files that were written, and problems in writing them; how many files were removed.
    """
    removed = remove_leftovers(workshop.settings.weights_dir, now=workshop.clock())
    cards, problems = refresh_model_cards(
        workshop.store,
        on_start=lambda total: workshop.progress.step("writing model cards", total),
        on_cards=workshop.progress.advance,
    )
    return {
        "cards": [str(path) for path in cards],
        "leftovers_removed": removed,
        "problems": problems,
    }
