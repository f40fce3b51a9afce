"""Which error is which HTTP status, in one table; answers as in RFC 9457."""

import logging
import re
from http import HTTPStatus

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from backend.api.credentials import CsrfError, MissingCredentialError, RoleError
from backend.api.served_images import (
    ImageChangedError,
    ImageFileMissingError,
    UnknownImageError,
)
from backend.formats.radiographs import UnreadableImageError
from backend.image_links import ImageLinkError
from backend.label_studio.connection import LabelStudioError
from backend.label_studio.events import MalformedEventError
from backend.store.readers import UnknownReaderError
from backend.store.records import LeaseTakenError
from backend.store.unit_of_work import StoreUnavailableError

MEDIA_TYPE = "application/problem+json"

STATUS_OF: dict[type[Exception], HTTPStatus] = {
    MalformedEventError: HTTPStatus.BAD_REQUEST,
    MissingCredentialError: HTTPStatus.UNAUTHORIZED,
    CsrfError: HTTPStatus.FORBIDDEN,
    ImageLinkError: HTTPStatus.FORBIDDEN,
    RoleError: HTTPStatus.FORBIDDEN,
    ImageFileMissingError: HTTPStatus.NOT_FOUND,
    UnknownImageError: HTTPStatus.NOT_FOUND,
    UnknownReaderError: HTTPStatus.NOT_FOUND,
    ImageChangedError: HTTPStatus.CONFLICT,
    LeaseTakenError: HTTPStatus.CONFLICT,
    UnreadableImageError: HTTPStatus.CONFLICT,
    LabelStudioError: HTTPStatus.BAD_GATEWAY,
    StoreUnavailableError: HTTPStatus.SERVICE_UNAVAILABLE,
}
"""Every error that a request may end with; anything else is a fault of the server, 500."""

_log = logging.getLogger(__name__)


def add_problem_handlers(app: FastAPI) -> None:
    """Make an application answer errors as problems.

    Parameters
    ----------
    app : FastAPI
        The application.
    """
    for error_class in STATUS_OF:
        app.add_exception_handler(error_class, _known_error)
    app.add_exception_handler(HTTPException, _http_error)
    app.add_exception_handler(RequestValidationError, _invalid_request)


def problem(
    status: HTTPStatus, detail: str, headers: dict[str, str] | None = None
) -> JSONResponse:
    """Return an error as an answer.

    Parameters
    ----------
    status : HTTPStatus
        Its status.
    detail : str
        What was expected and how to mend it.
    headers : dict, optional
        Further headers.

    Returns
    -------
    JSONResponse
        Of the type `MEDIA_TYPE`.
    """
    body = {"type": "about:blank", "title": status.phrase, "status": status, "detail": detail}
    return JSONResponse(body, status_code=status, headers=headers, media_type=MEDIA_TYPE)


async def _known_error(_: Request, error: Exception) -> JSONResponse:
    status = next(STATUS_OF[one] for one in type(error).__mro__ if one in STATUS_OF)
    detail = str(error)
    if isinstance(error, StoreUnavailableError):
        _log.error("%s", detail)
        # What the database driver said stands in brackets and may name its host.
        detail = re.sub(r" \(.*\)", "", detail)
    if status is HTTPStatus.UNAUTHORIZED:
        return problem(status, detail, {"WWW-Authenticate": 'Bearer realm="overread"'})
    return problem(status, detail)


async def _http_error(_: Request, error: Exception) -> JSONResponse:
    if not isinstance(error, HTTPException):
        raise error
    headers = None if error.headers is None else dict(error.headers)
    return problem(HTTPStatus(error.status_code), str(error.detail), headers)


async def _invalid_request(_: Request, error: Exception) -> JSONResponse:
    if not isinstance(error, RequestValidationError):
        raise error
    wrong = [f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors()]
    return problem(HTTPStatus.UNPROCESSABLE_ENTITY, "; ".join(wrong))
