"""When a verdict stands: at once, or when a second adjudicator says the same."""

from collections.abc import Sequence
from dataclasses import dataclass

from backend.domain.adjudication.overlay import same_outcome
from backend.domain.adjudication.verdict import Act, Decision, Verdict
from backend.domain.boxes import Box
from backend.domain.findings import Finding


@dataclass(frozen=True, slots=True)
class Settlement:
    """What stands of the verdicts on one question, and what goes back.

    Attributes
    ----------
    verdict : Verdict or None
        What stands; None when nothing does yet.
    open : tuple of Decision
        Decisions of the last verdict that no other adjudicator has confirmed.
    is_settled : bool
        Whether nobody needs to look again.
    """

    verdict: Verdict | None
    open: tuple[Decision, ...]
    is_settled: bool


def settle(verdicts: Sequence[Verdict], *, adjudicators: int) -> Settlement:
    """Return what stands of successive verdicts on one question.

    Parameters
    ----------
    verdicts : sequence of Verdict
        Oldest first; each adjudicator saw the one before. One adjudicator each.
    adjudicators : int
        How many must agree, 1 or 2.

    Returns
    -------
    Settlement
        With one adjudicator the last verdict stands. With two, the last verdict is held against
        the one before by another adjudicator, cluster by cluster: what both decided alike
        stands, the rest goes back.

    Notes
    -----
    Two decisions on a cluster are alike when both leave nothing of it standing by the same act,
    or both leave one finding at an IoU of 0.5 or more. A drawn box needs a drawn box.
    """
    if not verdicts:
        return Settlement(None, (), is_settled=False)
    last = verdicts[-1]
    if adjudicators == 1:
        return Settlement(last, (), is_settled=True)
    before = next(
        (one for one in reversed(verdicts[:-1]) if one.adjudicators != last.adjudicators), None
    )
    if before is None:
        return Settlement(None, last.decisions, is_settled=False)
    agreed = tuple(one for one in last.decisions if _has_equal(one, before.decisions))
    back = tuple(one for one in last.decisions if one not in agreed)
    dropped = [one for one in before.decisions if not _has_equal(one, last.decisions)]
    alike = before.nothing_missing and last.nothing_missing
    is_settled = not (back or dropped) and before.nothing_missing == last.nothing_missing
    common = Verdict(
        image_id=last.image_id,
        decisions=agreed,
        nothing_missing=alike,
        is_complete=is_settled and before.is_complete and last.is_complete,
        versions=tuple(sorted({*before.versions, *last.versions})),
        adjudicators=tuple(sorted({*before.adjudicators, *last.adjudicators})),
    )
    return Settlement(common, back, is_settled)


def _has_equal(one: Decision, others: Sequence[Decision]) -> bool:
    return any(
        one.subject == other.subject
        and (one.act is Act.MERGE) == (other.act is Act.MERGE)
        and same_outcome(_outcome(one), _outcome(other))
        for other in others
    )


def _outcome(one: Decision) -> tuple[Finding, Box] | None:
    return None if one.finding is None or one.box is None else (one.finding, one.box)
