"""Is it up, is it ready, what has it done."""

from http import HTTPStatus
from typing import Literal

from fastapi import APIRouter, Response
from fastapi.responses import JSONResponse
from prometheus_client import CONTENT_TYPE_LATEST
from pydantic import BaseModel

from backend.api.credentials import AnyAccount, ManagerAccount
from backend.api.office import InOffice
from backend.api.problems import problem
from backend.store import schema

router = APIRouter(tags=["operations"])


class Up(BaseModel):
    """The server answers.

    Attributes
    ----------
    status : str
        "up".
    """

    status: Literal["up"] = "up"


@router.get("/health")
async def health() -> Up:
    """Say that the server answers; needs no credential and no database.

    Returns
    -------
    Up
        Always.
    """
    return Up()


@router.get("/ready")
def ready(_: AnyAccount, office: InOffice) -> Response:
    """Say whether the server can do its work.

    Parameters
    ----------
    _ : Account
        Who asks.
    office : Office
        The server's parts.

    Returns
    -------
    Response
        200, or 503 with the remedy.
    """
    office.store.check()
    if schema.pending(office.settings.sqlalchemy_url):
        return problem(
            HTTPStatus.SERVICE_UNAVAILABLE,
            "the database is older than this program; run: overread db upgrade",
        )
    return JSONResponse({"status": "ready"})


@router.get("/metrics")
def metrics(_: ManagerAccount, office: InOffice) -> Response:
    """Return the figures for Prometheus.

    Parameters
    ----------
    _ : Account
        Who asks.
    office : Office
        The server's parts.

    Returns
    -------
    Response
        Prometheus' text format.
    """
    with office.store.snapshot() as unit:
        readings = unit.readings.counts()
    return Response(office.metrics.as_text(readings), media_type=CONTENT_TYPE_LATEST)
