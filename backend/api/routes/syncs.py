"""Sync with Label Studio, now."""

from fastapi import APIRouter
from pydantic import BaseModel

from backend.api.credentials import ManagerAccount
from backend.api.office import InOffice

router = APIRouter(prefix="/api/v1", tags=["sync"])


class SyncAnswer(BaseModel):
    """What a sync did, over all readers.

    Attributes
    ----------
    received : dict of str to int
        Tasks pulled, by what was new.
    verdicts : dict of str to int
        The same for the tasks of the adjudicators.
    tasks_pushed, tasks_lost : int
        Tasks made, and tasks that somebody had deleted.
    readings_kept : int
        Readings that Label Studio has lost and the store keeps.
    readers_failed : list of str
        Readers whose project could not be synchronised as a whole.
    problems : list of str
        What could not be done, with the remedy.
    notices : list of str
        What somebody should look at.
    """

    received: dict[str, int]
    verdicts: dict[str, int]
    tasks_pushed: int
    tasks_lost: int
    readings_kept: int
    readers_failed: list[str]
    problems: list[str]
    notices: list[str]


@router.post("/sync")
def sync(_: ManagerAccount, office: InOffice) -> SyncAnswer:
    """Bring Label Studio and the store to agree, and wait for it.

    Parameters
    ----------
    _ : Account
        Who asks.
    office : Office
        The server's parts.

    Returns
    -------
    SyncAnswer
        What was done.
    """
    report = office.syncs.run_once()
    return SyncAnswer.model_validate(report, from_attributes=True)
