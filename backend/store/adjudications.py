"""Save and find verdicts, revision by revision."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import groupby
from typing import Any

from sqlalchemy import Select, func, insert, select, update
from sqlalchemy.orm import Session

from backend.domain.adjudication.request import PENDING, RequestState
from backend.domain.adjudication.settlement import Settlement, settle
from backend.domain.adjudication.verdict import Verdict
from backend.store.adjudication_rows import decision_columns
from backend.store.membership import is_among
from backend.store.tables import (
    AdjudicationDecisionRow,
    AdjudicationRequestRow,
    AdjudicationRow,
)
from backend.store.verdict_rows import KeptVerdict, VerdictReceipt, kept_verdict

__all__ = ["Adjudications", "KeptVerdict", "VerdictReceipt"]


class Adjudications:
    """The verdicts kept in the store; a revision is never changed or removed.

    Parameters
    ----------
    session : Session
        The transaction to read and write in.
    """

    def __init__(self, session: Session) -> None:
        self._session = session

    def revise(self, verdict: Verdict, receipt: VerdictReceipt) -> int:
        """Add a verdict as the newest on its request.

        Parameters
        ----------
        verdict : Verdict
            The new one; its `versions` are ignored.
        receipt : VerdictReceipt
            How it came in.

        Returns
        -------
        int
            The version that it became; counts every revision of the image's verdicts, from 1.
        """
        row = AdjudicationRow
        newest = self._session.scalar(
            select(func.max(row.version)).where(row.image_id == verdict.image_id)
        )
        version = (newest or 0) + 1
        self._session.execute(
            update(row)
            .where(row.request_id == receipt.request_id, row.is_current)
            .values(is_current=False)
        )
        kept = AdjudicationRow(
            request_id=receipt.request_id,
            image_id=verdict.image_id,
            version=version,
            is_current=True,
            state=receipt.state,
            reason=receipt.reason,
            adjudicator_id=next(iter(verdict.adjudicators), None),
            nothing_missing=verdict.nothing_missing,
            is_complete=verdict.is_complete,
            lead_time_seconds=receipt.lead_time_seconds,
            annotation_id=receipt.annotation_id,
            annotation_updated_at=receipt.annotation_updated_at,
            submitted=None if receipt.submitted is None else list(receipt.submitted),
            decided_at=receipt.decided_at,
            received_at=receipt.received_at,
        )
        self._session.add(kept)
        self._session.flush()
        if verdict.decisions:
            self._session.execute(
                insert(AdjudicationDecisionRow),
                [decision_columns(one, kept.id) for one in verdict.decisions],
            )
        return version

    def current(self, request_id: int) -> KeptVerdict | None:
        """Return the newest verdict on a request, valid or not.

        Parameters
        ----------
        request_id : int
            The request.

        Returns
        -------
        KeptVerdict or None
            None when there is none.
        """
        query = select(AdjudicationRow).where(
            AdjudicationRow.request_id == request_id, AdjudicationRow.is_current
        )
        return next(iter(self._load(query)), None)

    def revisions(self, image_id: str) -> list[KeptVerdict]:
        """Return every verdict that was ever given on an image.

        Parameters
        ----------
        image_id : str
            The image.

        Returns
        -------
        list of KeptVerdict
            Oldest first.
        """
        query = (
            select(AdjudicationRow)
            .where(AdjudicationRow.image_id == image_id)
            .order_by(AdjudicationRow.version)
        )
        return self._load(query)

    def parts(self, image_ids: Iterable[str] | None = None) -> dict[str, tuple[Verdict, ...]]:
        """Return what stands on images, question by question.

        Parameters
        ----------
        image_ids : iterable of str or None
            Of which images; None for all.

        Returns
        -------
        dict of str to tuple of Verdict
            For `overlay`, oldest first; images on which nothing stands are missing.
        """
        found = {
            image_id: tuple(one.verdict for one in settled if one.verdict is not None)
            for image_id, settled in self._settlements(image_ids).items()
        }
        return {image_id: verdicts for image_id, verdicts in found.items() if verdicts}

    def standing(self, image_ids: Iterable[str] | None = None) -> dict[str, Verdict]:
        """Return the verdict that stands on each image.

        Parameters
        ----------
        image_ids : iterable of str or None
            Of which images; None for all.

        Returns
        -------
        dict of str to Verdict
            All questions in one; images on which nothing stands are missing. It is complete
            when every question is settled completely and none is open: the image is then fully
            adjudicated.
        """
        unanswered = set(
            self._session.scalars(
                select(AdjudicationRequestRow.image_id).where(
                    AdjudicationRequestRow.state.in_(PENDING)
                )
            )
        )
        standing = {}
        for image_id, parts in self.parts(image_ids).items():
            standing[image_id] = replace(
                parts[-1],
                decisions=tuple(decision for part in parts for decision in part.decisions),
                is_complete=image_id not in unanswered and all(one.is_complete for one in parts),
                versions=tuple(version for part in parts for version in part.versions),
                adjudicators=tuple(sorted({who for part in parts for who in part.adjudicators})),
            )
        return standing

    def settlement(self, image_id: str, question: int) -> Settlement:
        """Return how far adjudicators have come with one question.

        Parameters
        ----------
        image_id : str
            The image.
        question : int
            Which of its questions.

        Returns
        -------
        Settlement
            What stands, and what goes back.
        """
        query = self._valid([image_id]).where(AdjudicationRequestRow.question == question)
        rows = self._session.execute(query).all()
        verdicts = {one.receipt.request_id: one.verdict for one in self._load_rows(rows)}
        return settle(list(verdicts.values()), adjudicators=rows[0][1] if rows else 1)

    def _settlements(self, image_ids: Iterable[str] | None) -> dict[str, list[Settlement]]:
        rows = self._session.execute(self._valid(image_ids)).all()
        verdicts = self._load_rows(rows)
        answered = [
            (row[0].image_id, row[2], row[1], kept.verdict)
            for row, kept in zip(rows, verdicts, strict=True)
        ]
        found: dict[str, list[Settlement]] = {}
        for (image_id, _), together in groupby(answered, key=lambda one: one[:2]):
            part = list(together)
            settled = settle([one[3] for one in part], adjudicators=part[0][2])
            found.setdefault(image_id, []).append(settled)
        return found

    def _valid(self, image_ids: Iterable[str] | None) -> Select[AdjudicationRow, int, int]:
        query = (
            select(
                AdjudicationRow,
                AdjudicationRequestRow.adjudicators,
                AdjudicationRequestRow.question,
            )
            .join(AdjudicationRequestRow, AdjudicationRequestRow.id == AdjudicationRow.request_id)
            .where(
                AdjudicationRow.is_current,
                AdjudicationRow.state == "valid",
                AdjudicationRequestRow.state != RequestState.REOPENED,
            )
            .order_by(
                AdjudicationRequestRow.image_id,
                AdjudicationRequestRow.question,
                AdjudicationRequestRow.round,
            )
        )
        return (
            query
            if image_ids is None
            else query.where(is_among(AdjudicationRow.image_id, image_ids))
        )

    def _load(self, query: Select[AdjudicationRow]) -> list[KeptVerdict]:
        return self._load_rows([(row,) for row in self._session.scalars(query)])

    def _load_rows(self, rows: Sequence[Any]) -> list[KeptVerdict]:
        decisions: dict[int, list[AdjudicationDecisionRow]] = {row[0].id: [] for row in rows}
        for first in range(0, len(rows), 500):  # databases limit the values of one question
            keys = [row[0].id for row in rows[first : first + 500]]
            for found in self._session.scalars(
                select(AdjudicationDecisionRow)
                .where(AdjudicationDecisionRow.adjudication_id.in_(keys))
                .order_by(AdjudicationDecisionRow.id)
            ):
                decisions[found.adjudication_id].append(found)
        return [kept_verdict(row[0], decisions[row[0].id]) for row in rows]
