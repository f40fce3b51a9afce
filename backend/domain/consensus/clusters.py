"""What a consensus consists of."""

from dataclasses import dataclass
from enum import StrEnum

from backend.domain.boxes import Box
from backend.domain.findings import Finding


class ClusterState(StrEnum):
    """How the readers of an image stand to one lesion."""

    UNANIMOUS = "unanimous"
    MAJORITY = "majority"
    SINGLE_READER = "single-reader"
    CLASS_CONFLICT = "class-conflict"
    ADJUDICATED = "adjudicated"


@dataclass(frozen=True, slots=True)
class Supporter:
    """One reader's box that a cluster was fused from.

    Attributes
    ----------
    reader_id : str
        Whose box.
    read_box_id : int or None
        Key of the box in the store; None when the readings came from a file.
    """

    reader_id: str
    read_box_id: int | None = None


@dataclass(frozen=True, slots=True)
class Alternative:
    """Another finding that a lesion may be, which nobody has named.

    Attributes
    ----------
    finding : Finding
        What it may be.
    score : float
        Probability in [0, 1] that a further reader would mark that finding there.
    """

    finding: Finding
    score: float


@dataclass(frozen=True, slots=True)
class Cluster:
    """Boxes of several readers that mean one lesion, with the box fused from them.

    Attributes
    ----------
    finding : Finding
        What it is.
    box : Box, [px]
        The fused box, in pixels of the registered image.
    score : float
        Probability in [0, 1] that a further reader would mark this finding here.
    p_true : float
        Probability in [0, 1] that the finding is real; a release takes boxes from 0.5 on.
    state : ClusterState
        How the readers stand to it.
    supporters : tuple of Supporter
        One per reader that marked it, by reader id.
    place : int
        Number of the place within the image, from 0; clusters of one place mean one lesion, so
        different findings there are a conflict, or two findings in one.
    alternatives : tuple of Alternative
        What else it may be, by falling score; for training and the queue, never exported.
    """

    finding: Finding
    box: Box
    score: float
    p_true: float
    state: ClusterState
    supporters: tuple[Supporter, ...]
    place: int = 0
    alternatives: tuple[Alternative, ...] = ()


@dataclass(frozen=True, slots=True)
class Consensus:
    """The readers' common answer for one image.

    Attributes
    ----------
    image_id : str
        The image.
    method_version : str
        The method and what it knew of the readers, for example "overread-2-3f9a2c71".
    clusters : tuple of Cluster
        By falling score; nothing that a reader marked is missing.
    p_no_finding : float
        Probability in [0, 1] that the image shows none of the findings.
    reading_ids : tuple of int
        The readings that it was made of.
    verdict_version : str
        The adjudicators' verdicts that were laid over it, for example "1+3"; empty if none.
    """

    image_id: str
    method_version: str
    clusters: tuple[Cluster, ...]
    p_no_finding: float
    reading_ids: tuple[int, ...] = ()
    verdict_version: str = ""
