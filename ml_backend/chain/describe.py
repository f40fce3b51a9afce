"""Describe: the model cards of those whose standing the gate may have changed."""

from backend.workflow.keep_model_card import keep_model_card
from ml_backend.chain.workshop import Workshop


def describe(workshop: Workshop, model_version: str) -> dict[str, object]:
    """Write model cards beside the weights.

    Parameters
    ----------
    workshop : Workshop
        What to work with.
    model_version : str
        The challenger that went through the gate.

    Returns
    -------
    dict
        The files that were written, and problems in writing them.
    """
    with workshop.store.snapshot() as unit:
        others = (unit.models.champion(), unit.models.previous_champion())
    names = {model_version, *(model.name for model in others if model is not None)}
    workshop.progress.step("writing model cards", len(names))
    cards, problems = [], []
    for done, name in enumerate(sorted(names), start=1):
        try:
            cards += [str(path) for path in keep_model_card(workshop.store, name)]
        except OSError as problem:
            problems.append(f"the model card of {name} could not be written: {problem}")
        workshop.progress.advance(done)
    return {"cards": cards, "problems": problems}
