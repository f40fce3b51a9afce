"""What an adjudicator is asked, and what is shown."""

from dataclasses import dataclass
from enum import StrEnum

from backend.domain.adjudication.verdict import Subject
from backend.domain.boxes import Box
from backend.domain.consensus.clusters import ClusterState
from backend.domain.findings import Finding


class RequestState(StrEnum):
    """How far a request has come."""

    OPEN = "open"
    DECIDED = "decided"
    SKIPPED = "skipped"
    WITHDRAWN = "withdrawn"
    REOPENED = "reopened"


PENDING = (RequestState.OPEN, RequestState.SKIPPED)
"""Still to be answered."""


class Choice(StrEnum):
    """What can be chosen for a box; the words of the form."""

    ACCEPT = "Accept"
    MERGE = "Merge"
    REJECT = "Reject"
    LEAVE = "Leave"


@dataclass(frozen=True, slots=True)
class ProposedBox:
    """One cluster, or one box drawn by another adjudicator, as it is shown.

    Attributes
    ----------
    subject : Subject or None
        The cluster; None for a box that another adjudicator drew.
    finding, box : Finding, Box
        What is shown: the cluster's own, or what another adjudicator made of it.
    state : ClusterState
        How the readers stand to it.
    p_true : float
        Probability in [0, 1] that it is real, as the readers have it.
    is_disputed : bool
        Whether somebody must decide on it; else it stays as it is unless it is changed.
    sources : tuple of str
        Who marked it, by pseudonym of this image: "Reader A".
    remark : str
        What another adjudicator decided, and why; empty in a first round.
    preset : Choice or None
        What is chosen already; None where the adjudicator must choose.
    """

    subject: Subject | None
    finding: Finding
    box: Box
    state: ClusterState
    p_true: float
    is_disputed: bool
    sources: tuple[str, ...] = ()
    remark: str = ""
    preset: Choice | None = None


@dataclass(frozen=True, slots=True)
class CandidateBox:
    """What one reader, or the model, drew.

    Attributes
    ----------
    source : str
        "Reader A", "Reader B" and so on, or "Model".
    finding, box : Finding, Box
        What and where, in pixels of the registered image.
    """

    source: str
    finding: Finding
    box: Box


@dataclass(frozen=True, slots=True)
class Request:
    """One image that an adjudicator is asked to settle.

    Attributes
    ----------
    image_id : str
        Which.
    question : int
        Counts up when an image comes back with new conflicts, or is reopened.
    round : int
        1 for the first adjudicator; counts up until two agree.
    reasons : tuple of str
        Why, one sentence each; they name no reader.
    consequence : float
        How much depends on it.
    is_test : bool
        Whether the image is in the frozen test split.
    proposal : tuple of ProposedBox
        What is to be settled, in the order of its numbers.
    candidates : tuple of CandidateBox
        What it was made of.
    adjudicators : int
        How many must agree, 1 or 2.
    not_for : str or None
        The adjudicator whose verdict is to be confirmed by another one.
    by_hand : bool
        Whether a person reopened the image; it is then not withdrawn without a conflict.
    state : RequestState
        How far it has come.
    task_id : int or None
        Task in Label Studio; None until it is pushed.
    id : int or None
        Key in the store; None before it is saved.
    """

    image_id: str
    question: int
    round: int
    reasons: tuple[str, ...]
    consequence: float
    is_test: bool
    proposal: tuple[ProposedBox, ...]
    candidates: tuple[CandidateBox, ...]
    adjudicators: int = 1
    not_for: str | None = None
    by_hand: bool = False
    state: RequestState = RequestState.OPEN
    task_id: int | None = None
    id: int | None = None

    @property
    def key(self) -> int:
        """The key in the store of a saved request.

        Raises
        ------
        ValueError
            If the request is not saved yet.
        """
        if self.id is None:
            raise ValueError(f"the request for {self.image_id} is not saved yet")
        return self.id
