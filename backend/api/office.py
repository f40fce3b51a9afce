"""What every route may use."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

from fastapi import Depends, Request

from backend.accounts import Sessions
from backend.api.hint_worker import HintWorker
from backend.api.metrics import Metrics
from backend.api.sync_worker import SyncWorker
from backend.settings import Settings
from backend.store.unit_of_work import Store
from backend.workflow.reader_reports import ReaderReports


@dataclass(frozen=True, slots=True)
class Office:
    """The parts of one running server.

    Attributes
    ----------
    settings : Settings
        Where everything is.
    store : Store
        The database.
    sessions : Sessions
        The cookies of browsers.
    metrics : Metrics
        What is counted.
    hints : HintWorker
        Follows webhook hints.
    syncs : SyncWorker
        Syncs with Label Studio.
    clock : callable
        Gives the time; aware.
    reports : ReaderReports
        How well readers read.
    """

    settings: Settings
    store: Store
    sessions: Sessions
    metrics: Metrics
    hints: HintWorker
    syncs: SyncWorker
    clock: Callable[[], datetime]
    reports: ReaderReports


def office_of(request: Request) -> Office:
    """Return the server's parts.

    Parameters
    ----------
    request : Request
        Any request to it.

    Returns
    -------
    Office
        The same for every request.
    """
    office: Office = request.app.state.office
    return office


InOffice = Annotated[Office, Depends(office_of)]
"""A route's argument of this type is the `Office`."""
