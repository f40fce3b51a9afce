"""Make a model version the champion, and end what was measured against the one before."""

from datetime import datetime
from typing import Any

from backend.domain.models import ModelState, ModelVersion
from backend.store.records import AuditEvent
from backend.store.unit_of_work import UnitOfWork

GATE = "gate"


def crown_model(
    store: UnitOfWork,
    model: ModelVersion,
    *,
    reason: str,
    now: datetime,
    actor: str = GATE,
    action: str = "promote",
) -> None:
    """Let a model version serve.

    A challenger that waits in the shadow was held against the champion before, so it is turned
    away: nothing is known of how it compares with the new one.

    Parameters
    ----------
    store : UnitOfWork
        An open transaction.
    model : ModelVersion
        Which; nothing ends when it serves already.
    reason : str
        Why; goes into the audit trail.
    now : datetime
        The time; aware.
    actor : str
        Who or what decided it; goes there too.
    action : str
        What the audit trail calls it.
    """
    waiting, before = store.models.challenger(), store.models.champion()

    store.models.crown(model.name, now=now, actor=actor, reason=reason)
    note_decision(store, action, model, reason, now=now, actor=actor)
    is_outdated = before is None or before.name != model.name
    if waiting is not None and waiting.name != model.name and is_outdated:
        reject_model(
            store,
            waiting,
            reason=f"{waiting.name} leaves the shadow: it was held against "
            f"{before.name if before else 'nothing'}, and {model.name} serves now.",
            now=now,
            actor=actor,
        )


def reject_model(
    store: UnitOfWork, model: ModelVersion, *, reason: str, now: datetime, actor: str = GATE
) -> None:
    """Turn a model version away, or out of the shadow.

    Parameters
    ----------
    store : UnitOfWork
        An open transaction.
    model : ModelVersion
        Which; not the champion.
    reason : str
        Why; goes into the audit trail.
    now : datetime
        The time; aware.
    actor : str
        Who or what decided it; goes there too.
    """
    if model.shadow_since is not None:
        _end_shadow(store, model, reason)
    store.models.set_state(model.name, ModelState.REJECTED)
    note_decision(store, "reject", model, reason, now=now, actor=actor)


def note_decision(
    store: UnitOfWork,
    action: str,
    model: ModelVersion,
    reason: str,
    *,
    now: datetime,
    actor: str = GATE,
) -> None:
    """Write into the audit trail what was decided of a model version.

    Parameters
    ----------
    store : UnitOfWork
        An open transaction.
    action : str
        "promote", "adopt", "reject" or "shadow".
    model : ModelVersion
        Which.
    reason : str
        Why.
    now : datetime
        The time; aware.
    actor : str
        Who or what decided it.
    """
    detail = {"why": reason, "map40": model.map40}
    store.records.note(AuditEvent(now, actor, action, f"model:{model.name}", detail))


def _end_shadow(store: UnitOfWork, model: ModelVersion, reason: str) -> None:
    gate: dict[str, Any] = dict(model.gate or {})
    shadow = {**gate.get("shadow", {}), "passed": False, "reason": reason}
    store.model_history.keep_gate(model.name, {**gate, "shadow": shadow})
    store.model_history.enter_shadow(model.name, None)
