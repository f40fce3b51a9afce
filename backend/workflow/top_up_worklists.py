"""Top up the worklists, without keeping others from writing meanwhile."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from backend.domain.worklists import WorklistEntry
from backend.store.unit_of_work import Store, UnitOfWork
from backend.workflow.offer_second_looks import offer_second_looks
from backend.workflow.plan_worklists import QueueRules, plan_worklists
from backend.workflow.record_entries import record_entries


@dataclass(frozen=True, slots=True)
class TopUp:
    """What readers are newly asked for.

    Attributes
    ----------
    second_looks : tuple of WorklistEntry
        Readings that come back to their readers.
    entries : tuple of WorklistEntry
        Images to read, by rank.
    left_out : int
        Entries that were planned and had become impossible when they were to be kept.
    """

    second_looks: tuple[WorklistEntry, ...]
    entries: tuple[WorklistEntry, ...]
    left_out: int


def top_up_worklists(
    store: Store,
    rules: QueueRules,
    *,
    clock: Callable[[], datetime],
    size: int | None = None,
    on_kept: Callable[[UnitOfWork, TopUp], None] = lambda *_: None,
) -> TopUp:
    """Ask readers for second looks, then for the images most worth reading.

    Parameters
    ----------
    store : Store
        The database. The choice, which may take long where the pool is large, is made in a
        snapshot; what it chose is then kept in a short transaction.
    rules : QueueRules
        How.
    clock : callable
        Gives the time; aware.
    size : int or None
        At most so many images; None for as many as the worklists have room for.
    on_kept : callable
        Called with the transaction in which the images were kept, and with what was asked.

    Returns
    -------
    TopUp
        What was asked.

    Raises
    ------
    UnknownStrategyError
        If there is no strategy of that name.
    """
    with store.transaction() as unit:
        second_looks = offer_second_looks(unit, rules, now=clock())

    with store.snapshot() as unit:
        planned = plan_worklists(unit, rules, now=clock(), size=size).entries

    with store.transaction() as unit:
        entries = record_entries(unit, planned, worklist_size=rules.worklist_size, now=clock())
        topped_up = TopUp(tuple(second_looks), tuple(entries), len(planned) - len(entries))
        on_kept(unit, topped_up)
    return topped_up
