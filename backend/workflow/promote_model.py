"""Decide which model version serves."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from backend.domain.models import ModelState, ModelVersion
from backend.domain.promotion.decision import GateDecision
from backend.store.unit_of_work import UnitOfWork
from backend.workflow.crown_model import crown_model, note_decision, reject_model


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a challenger stands after the gate.

    Attributes
    ----------
    state : ModelState
        Champion, challenger (in the shadow) or rejected.
    reason : str
        Why, in sentences for people.
    """

    state: ModelState
    reason: str


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
) -> Standing:
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
    Standing
        Rejected, too, is a challenger that passes while another is in the shadow: the one that
        came first stays there until it is decided on.

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

    waiting = store.models.challenger()
    if not decision.passed:
        standing = Standing(ModelState.REJECTED, decision.reason)
    elif not shadow_images or champion is None:
        standing = Standing(ModelState.CHAMPION, decision.reason)
    elif waiting is None:
        standing = Standing(ModelState.CHALLENGER, decision.reason)
    else:
        reason = (
            f"{waiting.name} scores in the shadow of {champion.name} still, so {challenger.name} "
            f"is turned away. {decision.reason}"
        )
        standing = Standing(ModelState.REJECTED, reason)
        verdict = {**verdict, "shadow": {"passed": False, "reason": reason}}

    challenger = replace(challenger, gate=verdict)
    store.models.add(challenger)
    if standing.state is ModelState.CHAMPION:
        crown_model(store, challenger, reason=standing.reason, now=now)
    elif standing.state is ModelState.CHALLENGER:
        store.model_history.enter_shadow(challenger.name, now)
        note_decision(store, "shadow", challenger, standing.reason, now=now)
    else:
        reject_model(store, challenger, reason=standing.reason, now=now)
    return standing


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
