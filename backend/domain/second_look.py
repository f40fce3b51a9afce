"""Where a reader and the model disagree so strongly that the reader should look once more.

Only the reader's own boxes and the model's are compared; what other readers marked plays no part,
so a second look tells nothing of them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from math import floor
from typing import TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

from backend.domain import boxes as geometry
from backend.domain.boxes import Box
from backend.domain.findings import Finding
from backend.domain.predictions import PredictedBox
from backend.domain.readings import ReadBox

CONFIDENT_FROM = 0.6
"""From this score on the model is confident enough to ask the reader again."""

SUPPORT_FROM = 0.1
"""From this score on a prediction supports a reader's box."""

SAME_PLACE_IOU = 0.4
"""Boxes of any finding that overlap this much are at one place."""

COVERED_SHARE = 0.25
"""Boxes of one finding mark the same thing if they share this much of the smaller one: how far a
finding extends is no strong disagreement."""

WEIGHTS = {
    Finding.PNEUMOTHORAX: 1.0,
    Finding.NODULE_MASS: 1.0,
    Finding.PLEURAL_EFFUSION: 0.9,
    Finding.CONSOLIDATION: 0.9,
    Finding.ATELECTASIS: 0.8,
    Finding.INFILTRATION: 0.7,
    Finding.LUNG_OPACITY: 0.7,
    Finding.ILD: 0.7,
    Finding.PULMONARY_FIBROSIS: 0.6,
    Finding.CARDIOMEGALY: 0.6,
    Finding.OTHER_LESION: 0.5,
    Finding.AORTIC_ENLARGEMENT: 0.5,
    Finding.PLEURAL_THICKENING: 0.3,
    Finding.CALCIFICATION: 0.2,
}
"""How much it matters for the patient that a finding was overlooked or misnamed, in (0, 1]."""

_STATED = 3


class Disagreement(StrEnum):
    """How reader and model disagree, the most telling first."""

    MISSED = "missed"
    OTHER_FINDING = "other-finding"
    UNSUPPORTED = "unsupported"


_STRENGTHS = {
    Disagreement.MISSED: 1.0,
    Disagreement.OTHER_FINDING: 0.75,
    Disagreement.UNSUPPORTED: 0.5,
}


@dataclass(frozen=True, slots=True)
class StrongDisagreement:
    """One reason to look again.

    Attributes
    ----------
    kind : Disagreement
        How they disagree.
    consequence : float
        How much it matters, in [0, 1]: weight of the finding times the model's certainty, less
        for a different name and for a box without support.
    predicted : PredictedBox or None
        The model's box; None for a reader's box without support.
    own : ReadBox or None
        The reader's box; None for one that the reader did not mark.
    """

    kind: Disagreement
    consequence: float
    predicted: PredictedBox | None = None
    own: ReadBox | None = None

    @property
    def sentence(self) -> str:
        """What the reader is told, without a full stop."""
        if self.predicted is None:
            name = self.own.finding.title if self.own else "a box"
            return f"the model sees nothing where you marked {name}"
        seen = f"the model sees {_with_article(self.predicted.finding)}"
        score = f"({self.predicted.score:.2f})"
        if self.own is None:
            return f"{seen} {score} that you did not mark"
        return f"{seen} {score} where you marked {self.own.finding.title}"


def strong_disagreements(
    own: Sequence[ReadBox],
    predicted: Sequence[PredictedBox],
    *,
    shown: Sequence[PredictedBox] = (),
) -> tuple[StrongDisagreement, ...]:
    """Return where a reading and the model's answer disagree strongly.

    Parameters
    ----------
    own : sequence of ReadBox
        The reader's boxes.
    predicted : sequence of PredictedBox
        All boxes of the champion, not only those that are shown.
    shown : sequence of PredictedBox
        The pre-annotation that the reader saw; none in the unassisted arm. What is on it was
        decided by the reader with open eyes: a box that was deleted, moved or renamed is not
        asked about again, and one that stands on it has support.

    Returns
    -------
    tuple of StrongDisagreement
        The most consequential first.

    Notes
    -----
    A confident box of the model is *missed* if no box of the reader under the same finding shares
    a quarter of the smaller one. If a box of the reader under another finding lies at the same
    place (IoU from 0.4 on), the two see *another finding* there. A reader's box is *unsupported*
    if no prediction from a score of 0.1 on lies at the same place, or touches it enough under the
    same finding.
    """
    confident = [box for box in predicted if box.score >= CONFIDENT_FROM]
    news = _without(confident, _same_thing(confident, shown))
    unmatched = _without(news, _same_thing(news, own))
    support = [*(box for box in predicted if box.score >= SUPPORT_FROM), *shown]
    unsupported = _without(own, _same_thing(own, support) | _same_place(own, support))
    found = [
        *(_about(box, own) for box in unmatched),
        *(_unsupported(box, predicted) for box in unsupported),
    ]
    return tuple(sorted(found, key=lambda one: -one.consequence))


def consequence(disagreements: Sequence[StrongDisagreement]) -> float:
    """Return how much it matters that a reader looks again.

    Parameters
    ----------
    disagreements : sequence of StrongDisagreement
        Of one image.

    Returns
    -------
    float
        That of the gravest one, in [0, 1]; 0 without any.
    """
    return max((one.consequence for one in disagreements), default=0.0)


def reason(disagreements: Sequence[StrongDisagreement]) -> str:
    """Return why the reader is asked to look again.

    Parameters
    ----------
    disagreements : sequence of StrongDisagreement
        Of one image, the gravest first; at least one.

    Returns
    -------
    str
        One sentence for people.
    """
    stated = [one.sentence for one in disagreements[:_STATED]]
    more = len(disagreements) - len(stated)
    told = "; ".join([*stated, *([f"and {more} more"] if more else [])])
    return f"{told[0].upper()}{told[1:]}."


def room_for_second_looks(
    *, share: float, readings: int, asked: int, worklist_size: int, waiting: int
) -> int:
    """Return how many second looks a reader may be asked for now.

    Parameters
    ----------
    share : float
        Largest share of second looks, in [0, 1]; 0 for none at all.
    readings : int
        Readings that were ever asked of the reader.
    asked : int
        Second looks that were ever asked of the reader.
    worklist_size : int
        Open entries kept on the worklist.
    waiting : int
        Second looks that wait there.

    Returns
    -------
    int
        So many that neither all that was asked nor what waits exceeds the share; where the share
        comes to less than one second look, one is allowed.

    Examples
    --------
    >>> room_for_second_looks(share=0.1, readings=60, asked=3, worklist_size=40, waiting=2)
    2
    >>> room_for_second_looks(share=0.1, readings=5, asked=0, worklist_size=40, waiting=0)
    1
    """
    if share == 0 or readings == 0:
        return 0
    ever = max(1, floor(share * readings)) - asked
    at_once = max(1, floor(share * worklist_size)) - waiting
    return max(0, min(ever, at_once))


def _about(box: PredictedBox, own: Sequence[ReadBox]) -> StrongDisagreement:
    weight = WEIGHTS[box.finding] * box.score
    overlaps = _ious([box], own)
    if overlaps.size and overlaps.max() >= SAME_PLACE_IOU:
        nearest = np.flatnonzero(overlaps.ravel() == overlaps.max()).tolist()
        rival = min((own[place] for place in nearest), key=lambda one: (one.finding, one.box))
        kind = Disagreement.OTHER_FINDING
        return StrongDisagreement(kind, weight * _STRENGTHS[kind], box, rival)
    return StrongDisagreement(Disagreement.MISSED, weight, box)


def _unsupported(box: ReadBox, predicted: Sequence[PredictedBox]) -> StrongDisagreement:
    near = [
        other.score
        for other, iou in zip(predicted, _ious([box], predicted).ravel(), strict=True)
        if iou >= SAME_PLACE_IOU
    ]
    kind = Disagreement.UNSUPPORTED
    strength = _STRENGTHS[kind] * (1 - max(near, default=0.0))
    return StrongDisagreement(kind, WEIGHTS[box.finding] * strength, own=box)


_Marks: TypeAlias = Sequence[ReadBox] | Sequence[PredictedBox]
_Mark = TypeVar("_Mark", ReadBox, PredictedBox)


def _same_thing(left: _Marks, right: _Marks) -> NDArray[np.bool_]:
    """Return for each left mark whether a right one of the same finding shares enough of it."""
    if not left or not right:
        return np.zeros(len(left), dtype=np.bool_)
    same_finding = np.equal.outer(
        [int(one.finding) for one in left], [int(one.finding) for one in right]
    )
    return np.asarray((same_finding & (_shares(left, right) >= COVERED_SHARE)).any(axis=1))


def _same_place(left: _Marks, right: _Marks) -> NDArray[np.bool_]:
    """Return for each left mark whether any right one lies at its place."""
    return np.asarray((_ious(left, right) >= SAME_PLACE_IOU).any(axis=1))


def _ious(left: _Marks, right: _Marks) -> NDArray[np.float64]:
    return geometry.pairwise_iou(_stacked(left), _stacked(right))


def _shares(left: _Marks, right: _Marks) -> NDArray[np.float64]:
    """Return the intersection over the smaller of the two, of shape (left, right)."""
    ious = _ious(left, right)
    areas = geometry.areas(_stacked(left))[:, None], geometry.areas(_stacked(right))[None, :]
    common = ious / (1 + ious) * (areas[0] + areas[1])
    return np.asarray(common / np.minimum(*areas), dtype=np.float64)


def _stacked(marks: _Marks) -> geometry.Boxes:
    return geometry.stack([Box(*one.box) for one in marks])


def _without(marks: Sequence[_Mark], is_out: NDArray[np.bool_]) -> list[_Mark]:
    return [mark for mark, out in zip(marks, is_out, strict=True) if not out]


def _with_article(finding: Finding) -> str:
    return f"{'an' if finding.title[0] in 'AEIOU' else 'a'} {finding.title}"
