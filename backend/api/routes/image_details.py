"""What is known of one image; a reader learns nothing of the others."""

from datetime import datetime

from fastapi import APIRouter
from pydantic import BaseModel

from backend.accounts import Role, role_of
from backend.api.credentials import AnyAccount
from backend.api.office import InOffice
from backend.api.served_images import UnknownImageError
from backend.domain.boxes import Box
from backend.domain.consensus.clusters import Consensus
from backend.domain.readings import ReadBox, Reading

router = APIRouter(prefix="/api/v1", tags=["images"])


class Marked(BaseModel):
    """A finding and where it is.

    Attributes
    ----------
    finding : str
        Its published name.
    x_min, y_min, x_max, y_max : float, [px]
        In pixels of the registered image.
    """

    finding: str
    x_min: float
    y_min: float
    x_max: float
    y_max: float


class ReadMark(Marked):
    """One box of a reading.

    Attributes
    ----------
    certainty : str or None
        How sure the reader is.
    origin : str
        Accepted, adjusted or drawn.
    made_from : str or None
        Whose box was accepted or adjusted: the "model"'s, or in a second look the "reader"'s
        own of the reading before; None when drawn.
    """

    certainty: str | None
    origin: str
    made_from: str | None


class ReadingAnswer(BaseModel):
    """One reader's answer.

    Attributes
    ----------
    reader : str
        Pseudonym.
    kind : str
        "reading", or "second-look": the answer after the model's strongest disagreements were
        shown, beside the reading that it never replaces.
    round, revision : int
        Which reading, and how often it was changed.
    arm : str
        Whether the pre-annotation was shown.
    model_version : str or None
        Whose.
    read_at : datetime
        When.
    boxes : list of ReadMark
        None means "No finding".
    """

    reader: str
    kind: str
    round: int
    revision: int
    arm: str
    model_version: str | None
    read_at: datetime
    boxes: list[ReadMark]


class OtherFinding(BaseModel):
    """What a cluster may be that nobody has called so.

    Attributes
    ----------
    finding : str
        Its published name.
    score : float
        Probability that a further reader marks it there.
    """

    finding: str
    score: float


class FusedMark(Marked):
    """One cluster of a consensus.

    Attributes
    ----------
    score, p_true : float
        Probabilities that a further reader marks it, and that it is real.
    state : str
        How the readers stand to it.
    supporters : list of str
        Who marked it.
    place : int
        Clusters with the same number mean one lesion.
    alternatives : list of OtherFinding
        What else it may be, by falling score.
    """

    score: float
    p_true: float
    state: str
    supporters: list[str]
    place: int
    alternatives: list[OtherFinding]


class ConsensusAnswer(BaseModel):
    """The readers' common answer.

    Attributes
    ----------
    method_version : str
        How it was reached.
    p_no_finding : float
        Probability that the image shows nothing.
    clusters : list of FusedMark
        By falling score.
    """

    method_version: str
    p_no_finding: float
    clusters: list[FusedMark]


class ImageAnswer(BaseModel):
    """An image with what was read on it.

    Attributes
    ----------
    id, source : str
        Which, and from where.
    width_px, height_px : int, [px]
        Its size.
    split : str or None
        Its part of the data; readers are not told.
    readings : list of ReadingAnswer
        The valid ones; a reader sees the own ones only.
    consensus : ConsensusAnswer or None
        None before it is reached, and for readers.
    """

    id: str
    source: str
    width_px: int
    height_px: int
    split: str | None
    readings: list[ReadingAnswer]
    consensus: ConsensusAnswer | None


@router.get("/images/{image_id}")
def image_details(image_id: str, account: AnyAccount, office: InOffice) -> ImageAnswer:
    """Return what is known of one image.

    Parameters
    ----------
    image_id : str
        Which.
    account : Account
        Who asks; readers must stay blind to what others marked.
    office : Office
        The server's parts.

    Returns
    -------
    ImageAnswer
        With the account's own readings only, unless it is a manager's.

    Raises
    ------
    UnknownImageError
        If there is no such image.
    """
    sees_all = role_of(account) >= Role.MANAGER
    with office.store.snapshot() as unit:
        image = unit.images.get(image_id)
        readings = unit.readings.valid([image_id])
        consensus = unit.consensus.current([image_id]).get(image_id) if sees_all else None
    visible = [one for one in readings if sees_all or one.reader_id == account.reader_id]
    if image is None or not (sees_all or visible):
        # A reader learns by nothing whether an image exists that is not on the own list.
        raise UnknownImageError("there is no such image, or you have not read it")
    return ImageAnswer(
        id=image.id,
        source=image.source,
        width_px=image.width_px,
        height_px=image.height_px,
        split=image.split if sees_all else None,
        readings=[_reading(one) for one in visible],
        consensus=None if consensus is None else _consensus(consensus[1]),
    )


def _reading(reading: Reading) -> ReadingAnswer:
    return ReadingAnswer(
        reader=reading.reader_id,
        kind=reading.kind,
        round=reading.round,
        revision=reading.revision,
        arm=reading.arm,
        model_version=reading.model_version,
        read_at=reading.read_at,
        boxes=[
            ReadMark(
                finding=one.finding.title,
                **_edges(one.box),
                certainty=one.certainty,
                origin=one.origin,
                made_from=_made_from(one),
            )
            for one in reading.boxes
        ],
    )


def _made_from(box: ReadBox) -> str | None:
    if box.own_box_id is not None:
        return "reader"
    return None if box.predicted_box_id is None else "model"


def _consensus(consensus: Consensus) -> ConsensusAnswer:
    return ConsensusAnswer(
        method_version=consensus.method_version,
        p_no_finding=consensus.p_no_finding,
        clusters=[
            FusedMark(
                finding=one.finding.title,
                **_edges(one.box),
                score=one.score,
                p_true=one.p_true,
                state=one.state,
                supporters=[supporter.reader_id for supporter in one.supporters],
                place=one.place,
                alternatives=[
                    OtherFinding(finding=other.finding.title, score=other.score)
                    for other in one.alternatives
                ],
            )
            for one in consensus.clusters
        ],
    )


def _edges(box: Box) -> dict[str, float]:
    return dict(box._asdict())
