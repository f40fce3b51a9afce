"""Decide which model version serves."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from backend.domain.models import ModelState, ModelVersion
from backend.domain.promotion.decision import GateDecision
from backend.store.unit_of_work import UnitOfWork
from backend.workflow.crown_model import crown_model, note_decision, reject_model


class NoPreviousChampionError(LookupError):
    """There is nothing to roll back to."""


class ChampionChangedError(RuntimeError):
    """Another model version became champion while a challenger was held against the one before."""


class ReasonMissingError(ValueError):
    """Somebody overrules the gate without saying why."""


def promote_model(
    store: UnitOfWork,
    challenger: ModelVersion,
    decision: GateDecision,
    verdict: Mapping[str, Any],
    *,
    shadow_images: int = 0,
    now: datetime,
) -> ModelState:
    """Let a challenger pass the gate, or turn it away; in one transaction, so never half-way.

    Parameters
    ----------
    store : UnitOfWork
        An open transaction.
    challenger : ModelVersion
        Not registered yet; its weights are in place.
    decision : GateDecision
        What the gate said.
    verdict : mapping
        The same as plain values, to be kept with the model version.
    shadow_images : int
        How many images a challenger that passes scores in the shadow of the champion before it
        serves; 0 lets it serve at once.
    now : datetime
        The time; aware.

    Returns
    -------
    ModelState
        The challenger's standing: champion, challenger (in the shadow) or rejected.

    Raises
    ------
    ChampionChangedError
        If the champion is not the one that the challenger was held against.
    """
    champion = store.models.champion()
    held_against = verdict.get("champion")
    if (champion.name if champion else None) != held_against:
        raise ChampionChangedError(
            f"{challenger.name} was held against {held_against or 'nothing'}, but "
            f"{champion.name if champion else 'nothing'} serves now; train or measure again"
        )

    store.models.add(replace(challenger, gate=verdict))
    if not decision.promoted:
        reject_model(store, challenger, reason=decision.reason, now=now)
        return ModelState.REJECTED
    if shadow_images and champion is not None:
        _send_into_shadow(store, challenger, decision.reason, now)
        return ModelState.CHALLENGER
    crown_model(store, challenger, reason=decision.reason, now=now)
    return ModelState.CHAMPION


def promote_by_hand(
    store: UnitOfWork, name: str, *, actor: str, reason: str, now: datetime
) -> ModelVersion:
    """Make a model version the champion whatever the gate said; this empties the shadow.

    Parameters
    ----------
    store : UnitOfWork
        An open transaction.
    name : str
        Which.
    actor : str
        Who asks for it; goes into the audit trail.
    reason : str
        Why; goes there too.
    now : datetime
        The time; aware.

    Returns
    -------
    ModelVersion
        The new champion.

    Raises
    ------
    ReasonMissingError
        If there is no reason.
    """
    if not reason.strip():
        raise ReasonMissingError(
            "expected a reason: it is kept for those who ask later why the gate was overruled"
        )
    model = store.models.get(name)

    crown_model(store, model, reason=reason, now=now, actor=actor)
    return store.models.get(name)


def roll_back(
    store: UnitOfWork, *, actor: str, now: datetime, reason: str = "rolled back"
) -> ModelVersion:
    """Make the champion before the present one champion again, and reject the present one.

    Rolling back twice therefore goes two champions back, never to the one that was just left.

    Parameters
    ----------
    store : UnitOfWork
        An open transaction.
    actor : str
        Who asks for it; goes into the audit trail.
    now : datetime
        The time; aware.
    reason : str
        Why; goes there too.

    Returns
    -------
    ModelVersion
        The champion now.

    Raises
    ------
    NoPreviousChampionError
        If no model version was champion before.
    """
    previous = store.models.previous_champion()
    if previous is None:
        raise NoPreviousChampionError(
            "no model version was champion before the present one; see: overread models list"
        )
    left = store.models.champion()

    champion = promote_by_hand(store, previous.name, actor=actor, reason=reason, now=now)
    if left is not None:
        reject_model(store, left, reason=reason, now=now, actor=actor)
    return champion


def _send_into_shadow(
    store: UnitOfWork, challenger: ModelVersion, reason: str, now: datetime
) -> None:
    """Let a challenger score silently; one that did so before makes room."""
    waiting = store.models.challenger()
    if waiting is not None:
        why = f"{challenger.name} takes its place in the shadow"
        reject_model(store, waiting, reason=why, now=now)
    store.model_history.enter_shadow(challenger.name, now)
    note_decision(store, "shadow", challenger, reason, now=now)
