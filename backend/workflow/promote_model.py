"""Decide which model version serves."""

from datetime import datetime

from backend.domain.metrics.average_precision import DetectionQuality
from backend.domain.models import ModelState, ModelVersion
from backend.domain.promotion import GateDecision, decide
from backend.store.records import AuditEvent
from backend.store.unit_of_work import UnitOfWork


class NoPreviousChampionError(LookupError):
    """There is nothing to roll back to."""


def promote_model(
    store: UnitOfWork,
    challenger: ModelVersion,
    quality: DetectionQuality,
    champion_quality: DetectionQuality | None,
    *,
    now: datetime,
) -> GateDecision:
    """Let a challenger pass the gate, or turn it away; in one transaction, so never half-way.

    Parameters
    ----------
    store : UnitOfWork
        An open transaction.
    challenger : ModelVersion
        Not registered yet; its weights are in place.
    quality, champion_quality : DetectionQuality or None
        How both did on the same frozen test split; None when there is no champion.
    now : datetime
        The time; aware.

    Returns
    -------
    GateDecision
        What was decided, and why.
    """
    decision = decide(quality, champion_quality)

    store.models.add(challenger)
    if decision.promoted:
        store.models.crown(challenger.name, now=now)
    else:
        store.models.set_state(challenger.name, ModelState.REJECTED)
    _note(store, "promote" if decision.promoted else "reject", challenger, decision.reason, now)
    return decision


def promote_by_hand(store: UnitOfWork, name: str, *, actor: str, now: datetime) -> ModelVersion:
    """Make a model version the champion whatever the gate said.

    Parameters
    ----------
    store : UnitOfWork
        An open transaction.
    name : str
        Which.
    actor : str
        Who asks for it; goes into the audit trail.
    now : datetime
        The time; aware.

    Returns
    -------
    ModelVersion
        The new champion.
    """
    model = store.models.get(name)

    store.models.crown(name, now=now)
    _note(store, "promote", model, f"by hand, by {actor}", now, actor=actor)
    return store.models.get(name)


def roll_back(store: UnitOfWork, *, actor: str, now: datetime) -> ModelVersion:
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

    champion = promote_by_hand(store, previous.name, actor=actor, now=now)
    if left is not None:
        store.models.set_state(left.name, ModelState.REJECTED)
        _note(store, "reject", left, f"rolled back, by {actor}", now, actor=actor)
    return champion


def _note(
    store: UnitOfWork,
    action: str,
    model: ModelVersion,
    why: str,
    now: datetime,
    *,
    actor: str = "gate",
) -> None:
    store.records.note(
        AuditEvent(now, actor, action, f"model:{model.name}", {"why": why, "map40": model.map40})
    )
