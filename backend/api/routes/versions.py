"""Model versions and releases."""

from datetime import datetime

from fastapi import APIRouter
from pydantic import BaseModel

from backend.api.credentials import ManagerAccount
from backend.api.office import InOffice

router = APIRouter(prefix="/api/v1", tags=["versions"])


class Model(BaseModel):
    """A model version and its standing.

    Attributes
    ----------
    name, state : str
        For example "m3", "champion".
    weights_sha256 : str
        Hash of its weights.
    dataset_version : str or None
        What it was trained on.
    map40 : float or None
        mAP@0.4 on the test split.
    created_at, promoted_at : datetime
        When it was registered, and last promoted.
    """

    name: str
    state: str
    weights_sha256: str
    dataset_version: str | None
    map40: float | None
    created_at: datetime
    promoted_at: datetime | None


class Release(BaseModel):
    """A dataset version that was written out.

    Attributes
    ----------
    name, dataset_version, format : str
        For example "d3-yolo", "d3", "yolo".
    manifest_sha256 : str
        Hash of its manifest.
    created_at : datetime
        When.
    """

    name: str
    dataset_version: str
    format: str
    manifest_sha256: str
    created_at: datetime


@router.get("/models")
def models(_: ManagerAccount, office: InOffice) -> list[Model]:
    """Return every model version.

    Parameters
    ----------
    _ : Account
        Who asks.
    office : Office
        The server's parts.

    Returns
    -------
    list of Model
        Oldest first.
    """
    with office.store.snapshot() as unit:
        return [Model.model_validate(model, from_attributes=True) for model in unit.models.all()]


@router.get("/releases")
def releases(_: ManagerAccount, office: InOffice) -> list[Release]:
    """Return every release.

    Parameters
    ----------
    _ : Account
        Who asks.
    office : Office
        The server's parts.

    Returns
    -------
    list of Release
        Oldest first.
    """
    with office.store.snapshot() as unit:
        return [
            Release.model_validate(release, from_attributes=True)
            for release in unit.datasets.releases()
        ]
