"""Somebody leaves: no more work, no more log-in; every reading stays."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from backend.label_studio.provision import ProvisioningError
from backend.label_studio.registrar import Registrar
from backend.store.records import AuditEvent
from backend.store.unit_of_work import Store
from backend.workflow.revise_worklists import withdraw_all


@dataclass(frozen=True, slots=True)
class Departure:
    """What became of a reader's work.

    Attributes
    ----------
    reader_id : str
        Who left.
    withdrawn : int
        Open entries whose images go to other readers.
    problem : str or None
        What is still to be done by hand.
    """

    reader_id: str
    withdrawn: int
    problem: str | None


def deactivate_readers(
    store: Store, registrar: Registrar, reader_ids: Sequence[str], *, now: datetime
) -> list[Departure]:
    """Withdraw the worklists of readers and close their log-ins; repeatable.

    Adding a reader of the same name again brings them back. Their projects are pulled by every
    sync as before, for what was submitted last; nothing is pushed into them.

    Parameters
    ----------
    store : Store
        The database.
    registrar : Registrar
        Closes the log-ins in Label Studio.
    reader_ids : sequence of str
        Who.
    now : datetime
        The time; aware.

    Returns
    -------
    list of Departure
        In the order given.

    Raises
    ------
    UnknownReaderError
        If one of them reads nothing in Label Studio; nothing is done then.
    """
    with store.snapshot() as unit:
        for reader_id in reader_ids:
            unit.readers.project_of(reader_id)

    problem = None
    try:
        registrar.close(reader_ids)
    except ProvisioningError as error:
        problem = str(error)

    departures = []
    with store.transaction() as unit:
        for reader_id in reader_ids:
            withdrawn = withdraw_all(unit, reader_id, now=now)
            unit.readers.set_active(reader_id, active=False)
            unit.accounts.remove_reader(reader_id)
            event = AuditEvent(now, "system", "deactivate reader", f"reader:{reader_id}", {})
            unit.records.note(event)
            departures.append(Departure(reader_id, withdrawn, problem))
    return departures
