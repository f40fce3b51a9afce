"""The API's own description, for those who may use it."""

from typing import Any

from fastapi import APIRouter, Request

from backend.api.credentials import AnyAccount

router = APIRouter(prefix="/api/v1", tags=["description"])


@router.get("/openapi.json")
def openapi(_: AnyAccount, request: Request) -> dict[str, Any]:
    """Return the description of every route.

    Parameters
    ----------
    _ : Account
        Who asks.
    request : Request
        Knows the server.

    Returns
    -------
    dict
        OpenAPI 3.1.
    """
    description: dict[str, Any] = request.app.openapi()
    return description
