"""What the pages may use, and how they are rendered."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from http import HTTPStatus
from pathlib import Path

from fastapi import Request, Response
from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from backend.accounts import SESSION_COOKIE, SESSION_LIFE, Session, Sessions, belongs_to
from backend.settings import Settings
from backend.store.accounts import Account
from backend.store.unit_of_work import Store
from backend.workflow.reader_reports import ReaderReports

_TEMPLATES = Path(__file__).parent / "templates"


def _environment() -> Environment:
    return Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


@dataclass(frozen=True, slots=True)
class Lobby:
    """The parts of the server that the pages use.

    Attributes
    ----------
    settings : Settings
        Where everything is.
    store : Store
        The database.
    sessions : Sessions
        The cookies of browsers.
    clock : callable
        Gives the time; aware.
    reports : ReaderReports
        How well readers read.
    templates : Environment
        The pages' templates.
    """

    settings: Settings
    store: Store
    sessions: Sessions
    clock: Callable[[], datetime]
    reports: ReaderReports
    templates: Environment = field(default_factory=_environment, repr=False)

    def session_of(self, request: Request) -> Session | None:
        """Return the visit that a request belongs to.

        Parameters
        ----------
        request : Request
            With or without a cookie.

        Returns
        -------
        Session or None
            None when there is no valid cookie.
        """
        return self.sessions.read(request.cookies.get(SESSION_COOKIE), now=self.clock())

    def account_of(self, session: Session | None) -> Account | None:
        """Return who is signed in.

        Parameters
        ----------
        session : Session or None
            The visit.

        Returns
        -------
        Account or None
            None before the sign-in, and after the account's password changed.
        """
        if session is None or not session.name:
            return None
        with self.store.snapshot() as unit:
            account = unit.accounts.get(session.name)
        return account if belongs_to(session, account) else None

    def page(
        self, template: str, *, status: HTTPStatus = HTTPStatus.OK, **content: object
    ) -> HTMLResponse:
        """Return a page.

        Parameters
        ----------
        template : str
            Its file.
        status : HTTPStatus
            Of the answer.
        **content : object
            What the template shows.

        Returns
        -------
        HTMLResponse
            Kept by no cache.
        """
        html = self.templates.get_template(template).render(**content)
        return HTMLResponse(html, status_code=status, headers={"Cache-Control": "no-store"})

    def give_cookie(self, response: Response, cookie: str) -> None:
        """Add a session cookie to an answer.

        Parameters
        ----------
        response : Response
            The answer.
        cookie : str
            From `Sessions.issue`.
        """
        response.set_cookie(
            SESSION_COOKIE,
            cookie,
            max_age=int(SESSION_LIFE.total_seconds()),
            httponly=True,
            samesite="lax",
            secure=self.settings.backend_url.startswith("https:"),
        )
