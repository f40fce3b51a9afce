"""Small requests and verdicts to keep in a store."""

from dataclasses import replace

from backend.domain.adjudication.request import CandidateBox, Choice, ProposedBox, Request
from backend.domain.adjudication.verdict import Act, Decision, Subject, Verdict
from backend.domain.consensus.clusters import ClusterState
from backend.domain.findings import Finding
from backend.store.adjudications import VerdictReceipt
from tests.store.samples import HERE, LATER, NOW, THERE

DISPUTED = Subject(Finding.CARDIOMEGALY, HERE, (1, 2))
QUIET = Subject(Finding.ILD, THERE, (3,))
ACCEPTED = Decision(Act.ACCEPT, DISPUTED, Finding.CARDIOMEGALY, HERE, "clear enough")
REJECTED = Decision(Act.REJECT, DISPUTED, reason="an artefact")
DRAWN = Decision(Act.DRAW, None, Finding.NODULE_MASS, THERE)


def request(image_id: str = "a", *, question: int = 1, round_number: int = 1) -> Request:
    return Request(
        image_id=image_id,
        question=question,
        round=round_number,
        reasons=("One place, two names.",),
        consequence=2.5,
        is_test=False,
        proposal=(
            ProposedBox(
                DISPUTED, DISPUTED.finding, HERE, ClusterState.CLASS_CONFLICT, 0.5, True,
                ("Reader A", "Reader B"),
            ),
            ProposedBox(
                QUIET, QUIET.finding, THERE, ClusterState.MAJORITY, 0.9, False, ("Reader B",),
                preset=Choice.LEAVE,
            ),
        ),
        candidates=(CandidateBox("Reader A", Finding.CARDIOMEGALY, HERE),),
    )  # fmt: skip


def verdict(*decisions: Decision, image_id: str = "a", who: str | None = "A1") -> Verdict:
    return Verdict(
        image_id=image_id,
        decisions=decisions or (ACCEPTED,),
        nothing_missing=True,
        is_complete=True,
        adjudicators=() if who is None else (who,),
    )


def verdict_receipt(request_id: int, *, state: str = "valid") -> VerdictReceipt:
    receipt = VerdictReceipt(request_id, decided_at=NOW, received_at=LATER, annotation_id=7)
    return receipt if state == "valid" else replace(receipt, state=state, reason="so it was")
