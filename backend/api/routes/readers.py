"""How well readers read, and how far they agree."""

from fastapi import APIRouter
from pydantic import BaseModel

from backend.accounts import Role, role_of
from backend.api.credentials import AnyAccount, ManagerAccount, RoleError
from backend.api.office import InOffice
from backend.workflow.assess_readers import NothingReadError, plain_agreement
from backend.workflow.bias_rows import BiasTable, bias_tables
from backend.workflow.reader_rows import OthersMedian, ReaderRow, others_median, rows_of

router = APIRouter(prefix="/api/v1/readers", tags=["readers"])


class Quality(BaseModel):
    """How well readers read.

    Attributes
    ----------
    adjudicated_images : int
        With a settled answer, that readings are held against.
    readers : list of ReaderRow
        All of them for managers; a reader's own row only for that reader.
    others : OthersMedian or None
        For a reader: what the others reach, without saying who.
    automation_bias : list of BiasTable or None
        For managers: what the pre-annotation changes.
    """

    adjudicated_images: int
    readers: list[ReaderRow]
    others: OthersMedian | None = None
    automation_bias: list[BiasTable] | None = None


@router.get("/quality")
def quality(account: AnyAccount, office: InOffice, reader: str | None = None) -> Quality:
    """Return how well readers read; to a reader only how they did themselves until yesterday.

    Parameters
    ----------
    account : Account
        Who asks.
    office : Office
        The server's parts.
    reader : str or None
        Only this reader.

    Returns
    -------
    Quality
        By what has been read until now.

    Raises
    ------
    RoleError
        If a reader asks about another, or the account is neither a reader's nor a manager's.
    """
    is_manager = role_of(account) >= Role.MANAGER
    if not is_manager and (account.reader_id is None or reader not in {None, account.reader_id}):
        raise RoleError("readers see their own figures only; this needs the role manager")
    reports = office.reports
    try:
        report = reports.quality() if is_manager else reports.quality_for_readers(office.clock())
    except NothingReadError:
        return Quality(adjudicated_images=0, readers=[])
    rows = rows_of(report)
    images = len(report.judged.image_ids)
    if is_manager:
        chosen = [row for row in rows if reader in {None, row.reader_id}]
        return Quality(
            adjudicated_images=images, readers=chosen, automation_bias=list(bias_tables(report))
        )
    own = account.reader_id or ""
    return Quality(
        adjudicated_images=images,
        readers=[row for row in rows if row.reader_id == own],
        others=others_median(rows, own),
    )


@router.get("/agreement")
def agreement(_: ManagerAccount, office: InOffice) -> dict[str, object] | None:
    """Return how far readers agree, beyond chance, by finding, place and pair of readers.

    Parameters
    ----------
    _ : Account
        Who asks.
    office : Office
        The server's parts.

    Returns
    -------
    dict of str to object, or None
        As `overread readers agreement --json` prints it; None when nothing has been read.
    """
    try:
        return plain_agreement(office.reports.agreement())
    except NothingReadError:
        return None
