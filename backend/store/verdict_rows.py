"""Verdicts with their receipts, and the rows that hold them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from backend.domain.adjudication.verdict import Verdict
from backend.store.adjudication_rows import decisions_of
from backend.store.tables import AdjudicationDecisionRow, AdjudicationRow


@dataclass(frozen=True, slots=True)
class VerdictReceipt:
    """How a verdict came in.

    Attributes
    ----------
    request_id : int
        What was asked.
    decided_at, received_at : datetime
        When it was submitted, and when the store got it; aware.
    annotation_id : int or None
        Annotation in Label Studio.
    annotation_updated_at : datetime or None
        When Label Studio last changed it.
    lead_time_seconds : float or None, [s]
        Time that the adjudicator took.
    state : str
        "valid", "quarantined" (kept, not used) or "withdrawn" (deleted by the adjudicator).
    reason : str or None
        Why it is not valid.
    submitted : tuple or None
        What Label Studio sent, when it could not be understood; None otherwise.
    """

    request_id: int
    decided_at: datetime
    received_at: datetime
    annotation_id: int | None = None
    annotation_updated_at: datetime | None = None
    lead_time_seconds: float | None = None
    state: str = "valid"
    reason: str | None = None
    submitted: tuple[Any, ...] | None = None


@dataclass(frozen=True, slots=True)
class KeptVerdict:
    """A verdict with its receipt.

    Attributes
    ----------
    verdict : Verdict
        What was decided; of one version.
    receipt : VerdictReceipt
        How it came in.
    """

    verdict: Verdict
    receipt: VerdictReceipt


def kept_verdict(
    row: AdjudicationRow, decisions: Sequence[AdjudicationDecisionRow]
) -> KeptVerdict:
    """Return a verdict from its rows.

    Parameters
    ----------
    row : AdjudicationRow
        The verdict.
    decisions : sequence of AdjudicationDecisionRow
        Its decisions, in their order.

    Returns
    -------
    KeptVerdict
        The verdict with its receipt.
    """
    return KeptVerdict(
        Verdict(
            image_id=row.image_id,
            decisions=decisions_of(decisions),
            nothing_missing=row.nothing_missing,
            is_complete=row.is_complete,
            versions=(row.version,),
            adjudicators=() if row.adjudicator_id is None else (row.adjudicator_id,),
        ),
        VerdictReceipt(
            request_id=row.request_id,
            decided_at=row.decided_at,
            received_at=row.received_at,
            annotation_id=row.annotation_id,
            annotation_updated_at=row.annotation_updated_at,
            lead_time_seconds=row.lead_time_seconds,
            state=row.state,
            reason=row.reason,
            submitted=None if row.submitted is None else tuple(row.submitted),
        ),
    )
