"""The pages' addresses."""

from http import HTTPStatus
from pathlib import Path

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse
from starlette.staticfiles import StaticFiles

from backend.accounts import Role, role_of
from backend.dashboard.landing import landing_of
from backend.dashboard.lobby import Lobby
from backend.dashboard.quality import quality_of_all, quality_of_one
from backend.dashboard.sign_in import add_sign_in
from backend.label_studio import reading_form

_STATIC = Path(__file__).parent / "static"


def create_router(lobby: Lobby) -> APIRouter:
    """Return the pages.

    Parameters
    ----------
    lobby : Lobby
        What they may use.

    Returns
    -------
    APIRouter
        To be included at the root.
    """
    router = APIRouter(include_in_schema=False)
    add_sign_in(router, lobby)
    keys = reading_form.form_keys()

    @router.get("/worklist")
    def worklist(request: Request) -> Response:
        session = lobby.session_of(request)
        account = lobby.account_of(session)
        if session is None or account is None:
            return RedirectResponse("/", HTTPStatus.SEE_OTHER)
        csrf = lobby.sessions.csrf_token(session)
        if account.reader_id is None:
            return lobby.page("no_worklist.html", csrf=csrf, account=account)
        with lobby.store.snapshot() as unit:
            landing = landing_of(unit, account.reader_id, lobby.settings.label_studio_url)
        return lobby.page("worklist.html", csrf=csrf, landing=landing, keys=keys)

    @router.get("/quality")
    def quality(request: Request) -> Response:
        session = lobby.session_of(request)
        account = lobby.account_of(session)
        if session is None or account is None:
            return RedirectResponse("/", HTTPStatus.SEE_OTHER)
        csrf = lobby.sessions.csrf_token(session)
        if role_of(account) >= Role.MANAGER:
            return quality_of_all(lobby, csrf)
        if account.reader_id is None:
            return lobby.page("no_worklist.html", csrf=csrf, account=account)
        return quality_of_one(lobby, csrf, account.reader_id)

    return router


def static_files() -> StaticFiles:
    """Return the pages' style sheet and icon.

    Returns
    -------
    StaticFiles
        To be mounted at ``/static``.
    """
    return StaticFiles(directory=_STATIC)
