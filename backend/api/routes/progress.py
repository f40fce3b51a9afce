"""Where the whole and where one reader stands."""

from dataclasses import asdict
from datetime import datetime

from fastapi import APIRouter
from pydantic import BaseModel

from backend.api.credentials import AnyAccount, ManagerAccount, RoleError
from backend.api.office import InOffice
from backend.domain import reading_time
from backend.domain.models import ModelVersion
from backend.domain.worklists import EntryState
from backend.workflow.list_skipped import SkippedImage, list_skipped
from backend.workflow.show_queue import show_queue

router = APIRouter(prefix="/api/v1", tags=["progress"])


class Champion(BaseModel):
    """The model version that serves.

    Attributes
    ----------
    name : str
        For example "m3".
    map40 : float or None
        mAP@0.4 on the test split.
    promoted_at : datetime or None
        Since when.
    """

    name: str
    map40: float | None
    promoted_at: datetime | None


class Status(BaseModel):
    """Where the whole stands.

    Attributes
    ----------
    images : int
        Registered images.
    readings, worklist_entries, clusters : dict of str to int
        Numbers by state.
    champion : Champion or None
        None before the first promotion.
    """

    images: int
    readings: dict[str, int]
    worklist_entries: dict[str, int]
    clusters: dict[str, int]
    champion: Champion | None


class QueuedImage(BaseModel):
    """One image that waits, and why.

    Attributes
    ----------
    rank : int
        Lower is read sooner.
    image_id : str
        The image.
    score : float
        Higher is worth more.
    channel, reason : str
        Why it is here.
    readers : list of str
        Who is to read it.
    """

    rank: int
    image_id: str
    score: float
    channel: str
    reason: str
    readers: list[str]


class Worklist(BaseModel):
    """Where one reader stands.

    Attributes
    ----------
    reader : str
        Pseudonym.
    entries : dict of str to int
        Numbers by state.
    minutes_left : int
        Estimated from the reader's own pace.
    """

    reader: str
    entries: dict[str, int]
    minutes_left: int


@router.get("/status")
def status(_: ManagerAccount, office: InOffice) -> Status:
    """Return where the whole stands.

    Parameters
    ----------
    _ : Account
        Who asks.
    office : Office
        The server's parts.

    Returns
    -------
    Status
        Counted now.
    """
    with office.store.snapshot() as unit:
        return Status(
            images=unit.images.count(),
            readings=unit.readings.counts(),
            worklist_entries=_by_name(unit.worklists.counts()),
            clusters=unit.consensus.cluster_states(),
            champion=_champion(unit.models.champion()),
        )


@router.get("/queue")
def queue(_: ManagerAccount, office: InOffice) -> list[QueuedImage]:
    """Return what waits to be read.

    Parameters
    ----------
    _ : Account
        Who asks.
    office : Office
        The server's parts.

    Returns
    -------
    list of QueuedImage
        By rank.
    """
    with office.store.snapshot() as unit:
        return [QueuedImage.model_validate(asdict(row)) for row in show_queue(unit)]


@router.get("/skipped")
def skipped(_: ManagerAccount, office: InOffice) -> list[SkippedImage]:
    """Return the images that readers set aside, and why.

    Parameters
    ----------
    _ : Account
        Who asks.
    office : Office
        The server's parts.

    Returns
    -------
    list of SkippedImage
        By rank, then reader.
    """
    with office.store.snapshot() as unit:
        return list_skipped(unit)


@router.get("/worklist")
def worklist(account: AnyAccount, office: InOffice) -> Worklist:
    """Return where the asking reader stands.

    Parameters
    ----------
    account : Account
        The reader's.
    office : Office
        The server's parts.

    Returns
    -------
    Worklist
        The reader's own.

    Raises
    ------
    RoleError
        If the account is no reader's.
    """
    if account.reader_id is None:
        raise RoleError("this account reads nothing; expected a reader's account")
    with office.store.snapshot() as unit:
        counts = unit.worklists.counts(account.reader_id)
        lead_times = unit.readings.lead_times(account.reader_id)
    return Worklist(
        reader=account.reader_id,
        entries=_by_name(counts),
        minutes_left=reading_time.minutes_left(counts[EntryState.OPEN], lead_times),
    )


def _by_name(counts: dict[EntryState, int]) -> dict[str, int]:
    return {state.value: number for state, number in counts.items()}


def _champion(model: ModelVersion | None) -> Champion | None:
    if model is None:
        return None
    return Champion(name=model.name, map40=model.map40, promoted_at=model.promoted_at)
