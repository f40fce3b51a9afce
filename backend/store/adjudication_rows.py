"""Requests and verdicts, and the rows that hold them."""

from collections.abc import Sequence
from typing import Any

from backend.domain.adjudication.request import (
    CandidateBox,
    Choice,
    ProposedBox,
    Request,
    RequestState,
)
from backend.domain.adjudication.verdict import Act, Decision, Subject
from backend.domain.boxes import Box
from backend.domain.consensus.clusters import ClusterState
from backend.domain.findings import Finding
from backend.store.tables import AdjudicationDecisionRow, AdjudicationRequestRow


def request_columns(request: Request) -> dict[str, Any]:
    """Return the columns of a request.

    Parameters
    ----------
    request : Request
        What is asked.

    Returns
    -------
    dict
        For an insert.
    """
    return {
        "image_id": request.image_id,
        "question": request.question,
        "round": request.round,
        "state": request.state,
        "consequence": request.consequence,
        "is_test": request.is_test,
        "reasons": list(request.reasons),
        "proposal": [_proposed_json(one) for one in request.proposal],
        "candidates": [
            {"source": one.source, "finding": int(one.finding), "box": list(one.box)}
            for one in request.candidates
        ],
        "adjudicators": request.adjudicators,
        "not_for": request.not_for,
        "by_hand": request.by_hand,
        "task_id": request.task_id,
    }


def request_of(row: AdjudicationRequestRow) -> Request:
    """Return a request from its row.

    Parameters
    ----------
    row : AdjudicationRequestRow
        The row.

    Returns
    -------
    Request
        What is asked.
    """
    return Request(
        image_id=row.image_id,
        question=row.question,
        round=row.round,
        reasons=tuple(row.reasons),
        consequence=row.consequence,
        is_test=row.is_test,
        proposal=tuple(_proposed(one) for one in row.proposal),
        candidates=tuple(
            CandidateBox(one["source"], Finding(one["finding"]), Box(*one["box"]))
            for one in row.candidates
        ),
        adjudicators=row.adjudicators,
        not_for=row.not_for,
        by_hand=row.by_hand,
        state=RequestState(row.state),
        task_id=row.task_id,
        id=row.id,
    )


def decision_columns(decision: Decision, adjudication_id: int) -> dict[str, Any]:
    """Return the columns of a decision.

    Parameters
    ----------
    decision : Decision
        What was decided.
    adjudication_id : int
        Key of its verdict.

    Returns
    -------
    dict
        For an insert.
    """
    subject = decision.subject
    return {
        "adjudication_id": adjudication_id,
        "act": decision.act,
        "reason": decision.reason,
        "subject_finding": None if subject is None else int(subject.finding),
        **{
            f"subject_{edge}": None if subject is None else getattr(subject.box, edge)
            for edge in Box._fields
        },
        "read_box_ids": [] if subject is None else list(subject.read_box_ids),
        "finding": None if decision.finding is None else int(decision.finding),
        **{
            edge: None if decision.box is None else getattr(decision.box, edge)
            for edge in Box._fields
        },
    }


def decisions_of(rows: Sequence[AdjudicationDecisionRow]) -> tuple[Decision, ...]:
    """Return decisions from their rows.

    Parameters
    ----------
    rows : sequence of AdjudicationDecisionRow
        Of one verdict, in their order.

    Returns
    -------
    tuple of Decision
        In the same order.
    """
    return tuple(
        Decision(
            act=Act(row.act),
            subject=None
            if row.subject_finding is None
            else Subject(
                Finding(row.subject_finding),
                Box(*(getattr(row, f"subject_{edge}") for edge in Box._fields)),
                tuple(row.read_box_ids),
            ),
            finding=None if row.finding is None else Finding(row.finding),
            box=None if row.x_min is None else Box(*(getattr(row, edge) for edge in Box._fields)),
            reason=row.reason,
        )
        for row in rows
    )


def _proposed_json(one: ProposedBox) -> dict[str, Any]:
    subject = one.subject
    return {
        "subject": None
        if subject is None
        else {
            "finding": int(subject.finding),
            "box": list(subject.box),
            "read_box_ids": list(subject.read_box_ids),
        },
        "finding": int(one.finding),
        "box": list(one.box),
        "state": one.state,
        "p_true": one.p_true,
        "is_disputed": one.is_disputed,
        "sources": list(one.sources),
        "remark": one.remark,
        "preset": one.preset,
    }


def _proposed(kept: dict[str, Any]) -> ProposedBox:
    subject = kept["subject"]
    return ProposedBox(
        subject=None
        if subject is None
        else Subject(
            Finding(subject["finding"]), Box(*subject["box"]), tuple(subject["read_box_ids"])
        ),
        finding=Finding(kept["finding"]),
        box=Box(*kept["box"]),
        state=ClusterState(kept["state"]),
        p_true=kept["p_true"],
        is_disputed=kept["is_disputed"],
        sources=tuple(kept["sources"]),
        remark=kept["remark"],
        preset=None if kept["preset"] is None else Choice(kept["preset"]),
    )
