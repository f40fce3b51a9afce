"""A submitted adjudication as decisions, cluster by cluster."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from backend.domain import boxes as geometry
from backend.domain.adjudication.request import Choice, ProposedBox
from backend.domain.adjudication.verdict import Act, Decision, Subject
from backend.domain.boxes import Box
from backend.domain.findings import Finding
from backend.label_studio.adjudication_form import (
    ACT_TAG,
    CANDIDATE_TAG,
    NOTHING_MISSING,
    REASON_TAG,
    proposal_id,
)
from backend.label_studio.labelled_boxes import (
    MalformedRegionError,
    UnknownLabelError,
    UnusableResultError,
    labelled_box,
)
from backend.label_studio.regions import FINDING_TAG, STUDY_TAG, Region

_SAME_BOX_IOU = 0.999
_LONGEST_REASON = 2000

Standing = tuple[Finding, Box]


class MergedIntoNothingError(UnusableResultError):
    """A box is to be part of another one, and no other one stands."""


@dataclass(frozen=True, slots=True)
class ReadVerdict:
    """What a submitted adjudication says.

    Attributes
    ----------
    decisions : tuple of Decision
        In the order of the proposal, then the drawn boxes.
    nothing_missing : bool
        Whether "Nothing is missing" is ticked.
    undecided : int
        Disputed boxes that were left as they are.
    """

    decisions: tuple[Decision, ...]
    nothing_missing: bool
    undecided: int


@dataclass(slots=True)
class _Submitted:
    boxes: dict[str, Standing] = field(default_factory=dict)
    acts: dict[str, Choice] = field(default_factory=dict)
    reasons: dict[str, str] = field(default_factory=dict)
    nothing_missing: bool = False


def read_verdict(
    result: Sequence[Region],
    proposal: Sequence[ProposedBox],
    width_px: int,
    height_px: int,
) -> ReadVerdict:
    """Return what a submitted adjudication decides.

    Parameters
    ----------
    result : sequence of dict
        The annotation's items.
    proposal : sequence of ProposedBox
        What was shown.
    width_px, height_px : int, [px]
        Size of the registered image.

    Returns
    -------
    ReadVerdict
        A box that stands unmoved keeps its exact coordinates.

    Raises
    ------
    UnusableResultError
        If a region is odd, a choice is not on the form, or a box is merged into nothing.

    Notes
    -----
    A box that was accepted, moved or renamed stands; one that was rejected or deleted does not;
    one that was merged belongs to the standing box that it overlaps most, or that is nearest.
    A box that is left untouched stays as the readers have it, and is no decision.
    """
    try:
        submitted = _collect(result, width_px, height_px)
    except (KeyError, TypeError, IndexError, AttributeError) as error:
        raise MalformedRegionError(f"a part of a region is missing or odd: {error!r}") from error
    shown = {proposal_id(row): one for row, one in enumerate(proposal)}
    standing = {
        key: _exact(box, shown.get(key))
        for key, box in submitted.boxes.items()
        if _stands(key, box, submitted, shown.get(key))
    }
    decisions, undecided = [], 0
    for key, one in shown.items():
        if key in submitted.boxes and _is_left(key, submitted, one):
            undecided += one.is_disputed
        elif one.subject is not None or key in standing:
            decisions.append(_decision(key, one.subject, standing, submitted))
    decisions += [
        Decision(Act.DRAW, None, *box, submitted.reasons.get(key))
        for key, box in standing.items()
        if key not in shown
    ]
    return ReadVerdict(tuple(decisions), submitted.nothing_missing, undecided)


def _collect(result: Sequence[Region], width_px: int, height_px: int) -> _Submitted:
    found = _Submitted()
    for item in result:
        key, tag = item["id"], item["from_name"]
        if tag == FINDING_TAG and key not in found.boxes:
            found.boxes[key] = labelled_box(item, width_px, height_px)
        elif tag == FINDING_TAG:
            raise MalformedRegionError(f"two boxes share the id {key!r}")
        elif tag == ACT_TAG:
            found.acts[key] = _choice(item)
        elif tag == REASON_TAG:
            found.reasons[key] = " ".join(map(str, item["value"]["text"]))[:_LONGEST_REASON]
        elif tag == STUDY_TAG and item["value"]["choices"] == [NOTHING_MISSING]:
            found.nothing_missing = True
        elif tag != CANDIDATE_TAG:
            raise UnknownLabelError(f"{tag!r} with {item['value']!r} is not on the form")
    return found


def _choice(item: Region) -> Choice:
    [chosen] = item["value"]["choices"]
    try:
        return Choice(chosen)
    except ValueError as error:
        raise UnknownLabelError(f"{chosen!r} is not a choice of the form") from error


def _stands(key: str, box: Standing, submitted: _Submitted, shown: ProposedBox | None) -> bool:
    act = submitted.acts.get(key)
    if act in {Choice.REJECT, Choice.MERGE}:
        return False
    return act is Choice.ACCEPT or shown is None or not _is_same(box, (shown.finding, shown.box))


def _is_left(key: str, submitted: _Submitted, shown: ProposedBox) -> bool:
    return submitted.acts.get(key) in {None, Choice.LEAVE} and _is_same(
        submitted.boxes[key], (shown.finding, shown.box)
    )


def _exact(box: Standing, shown: ProposedBox | None) -> Standing:
    if shown is None or _iou(box[1], shown.box) < _SAME_BOX_IOU:
        return box
    return box[0], shown.box


def _decision(
    key: str,
    subject: Subject | None,
    standing: Mapping[str, Standing],
    submitted: _Submitted,
) -> Decision:
    reason = submitted.reasons.get(key)
    if key in standing:
        finding, box = standing[key]
        if subject is None:
            act = Act.DRAW
        elif finding is not subject.finding:
            act = Act.RELABEL
        else:
            act = Act.ACCEPT if _iou(box, subject.box) >= _SAME_BOX_IOU else Act.ADJUST
        return Decision(act, subject, finding, box, reason)
    if submitted.acts.get(key) is Choice.MERGE and key in submitted.boxes:
        return Decision(Act.MERGE, subject, *_target(submitted.boxes[key][1], standing), reason)
    return Decision(Act.REJECT, subject, reason=reason)


def _target(box: Box, standing: Mapping[str, Standing]) -> Standing:
    if not standing:
        raise MergedIntoNothingError(
            "a box was merged, and no other box was accepted that it could be part of"
        )
    return max(
        standing.values(), key=lambda other: (_iou(box, other[1]), -_distance(box, other[1]))
    )


def _is_same(left: Standing, right: Standing) -> bool:
    return left[0] is right[0] and _iou(left[1], right[1]) >= _SAME_BOX_IOU


def _iou(left: Box, right: Box) -> float:
    return float(geometry.pairwise_iou(geometry.stack([left]), geometry.stack([right])).item())


def _distance(left: Box, right: Box) -> float:
    across = (left.x_min + left.x_max - right.x_min - right.x_max) / 2
    down = (left.y_min + left.y_max - right.y_min - right.y_max) / 2
    return float((across**2 + down**2) ** 0.5)
