"""What is known of one image; a reader learns nothing of the others."""

from fastapi import APIRouter
from pydantic import BaseModel

from backend.accounts import Role, role_of
from backend.api.credentials import AnyAccount, own_id
from backend.api.office import InOffice
from backend.api.reading_answers import Marked, ReadingAnswer, edges, reading_answer
from backend.api.served_images import UnknownImageError
from backend.domain.consensus.clusters import Consensus
from backend.workflow.list_skipped import SkippedImage, list_skipped
from backend.workflow.trace_readings import trace_readings, valid_now

router = APIRouter(prefix="/api/v1", tags=["images"])


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
    skipped : list of SkippedImage
        Who set it aside, and why; a reader sees the own skip only.
    consensus : ConsensusAnswer or None
        None before it is reached, and for readers.
    """

    id: str
    source: str
    width_px: int
    height_px: int
    split: str | None
    readings: list[ReadingAnswer]
    skipped: list[SkippedImage]
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
        revisions = unit.readings.revisions(image_id, None if sees_all else own_id(account))
        readings = trace_readings(unit, valid_now(revisions))
        consensus = unit.consensus.current([image_id]).get(image_id) if sees_all else None
        skipped = [
            one
            for one in list_skipped(unit, image_id)
            if sees_all or one.reader == account.reader_id
        ]
    if image is None or not (sees_all or readings):
        # A reader learns by nothing whether an image exists that is not on the own list.
        raise UnknownImageError("there is no such image, or you have not read it")
    return ImageAnswer(
        id=image.id,
        source=image.source,
        width_px=image.width_px,
        height_px=image.height_px,
        split=image.split if sees_all else None,
        readings=[reading_answer(one) for one in readings],
        skipped=skipped,
        consensus=None if consensus is None else _consensus(consensus[1]),
    )


@router.get("/images/{image_id}/history")
def image_history(image_id: str, account: AnyAccount, office: InOffice) -> list[ReadingAnswer]:
    """Return every revision of the readings of one image: what was changed, when, and by whom.

    Parameters
    ----------
    image_id : str
        Which.
    account : Account
        Who asks; a reader is told the own revisions only.
    office : Office
        The server's parts.

    Returns
    -------
    list of ReadingAnswer
        By reader and round, oldest first; quarantined and withdrawn ones too.

    Raises
    ------
    UnknownImageError
        If there is none.
    """
    sees_all = role_of(account) >= Role.MANAGER
    with office.store.snapshot() as unit:
        revisions = unit.readings.revisions(image_id, None if sees_all else own_id(account))
        traced = trace_readings(unit, revisions)
    if not traced:
        raise UnknownImageError("there is no such image, or nobody whom you may see has read it")
    return [reading_answer(one) for one in traced]


def _consensus(consensus: Consensus) -> ConsensusAnswer:
    return ConsensusAnswer(
        method_version=consensus.method_version,
        p_no_finding=consensus.p_no_finding,
        clusters=[
            FusedMark(
                finding=one.finding.title,
                **edges(one.box),
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
