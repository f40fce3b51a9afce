"""Reconcile the store as it was chosen before: with the same model version, or with none."""

from collections.abc import Callable
from datetime import datetime

from backend.domain.consensus.model_reader import ModelMayNotVoteError, model_among
from backend.store.panel_numbers import MalformedPanelError
from backend.store.unit_of_work import Store
from backend.workflow.reconcile_store import Reconciled, reconcile_store


def reconcile_again(
    store: Store,
    *,
    clock: Callable[[], datetime],
    on_start: Callable[[int], None] = lambda _: None,
    on_images: Callable[[int], None] = lambda _: None,
) -> tuple[Reconciled, str | None]:
    """Reconcile every image; the model version that belongs to the panel stays in it.

    Parameters
    ----------
    store : Store
        The database.
    clock : callable
        Gives the time; aware.
    on_start : callable
        Called once with the number of images.
    on_images : callable
        Called with the number of images that were done since the last call.

    Returns
    -------
    reconciled : Reconciled
        What was done.
    left_out : str or None
        Why the model version was left out, if it may not vote any more.
    """
    version, left_out = _model_of_panel(store), None
    if version is not None:
        try:
            reconciled = reconcile_store(
                store, clock=clock, with_model=version, on_start=on_start, on_images=on_images
            )
        except ModelMayNotVoteError as error:
            left_out = f"{error}; the readers were reconciled without it"
        else:
            return reconciled, None
    reconciled = reconcile_store(store, clock=clock, on_start=on_start, on_images=on_images)
    return reconciled, left_out


def _model_of_panel(store: Store) -> str | None:
    with store.snapshot() as unit:
        try:
            current = unit.panels.current()
        except MalformedPanelError:  # the run that is about to begin replaces it
            return None
    return None if current is None else model_among(current[1].reader_ids)
