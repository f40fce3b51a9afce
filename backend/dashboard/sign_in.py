"""Sign in and out."""

from datetime import timedelta
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Form, Request, Response
from fastapi.responses import RedirectResponse

from backend.accounts import SESSION_COOKIE, is_password
from backend.dashboard.lobby import Lobby
from backend.dashboard.throttle import Throttle
from backend.store.accounts import Account
from backend.store.records import AuditEvent

_WINDOW = timedelta(minutes=5)
_LONGEST_PASSWORD = 1024

_WRONG = "E-mail address or password is not right."
_TOO_MANY = "Too many attempts. Please wait five minutes and try again."
_STALE = "This page had been open for too long. Please sign in again."


class SignIn:
    """The door: checks a password and hands out a session.

    Parameters
    ----------
    lobby : Lobby
        What the pages may use.
    """

    def __init__(self, lobby: Lobby) -> None:
        self._lobby = lobby
        self._by_account = Throttle(5, _WINDOW)
        self._by_address = Throttle(50, _WINDOW)

    def show(
        self, *, email: str = "", problem: str = "", status: HTTPStatus = HTTPStatus.OK
    ) -> Response:
        """Return the sign-in page of a new visit.

        Parameters
        ----------
        email : str
            What was typed before.
        problem : str
            Why it did not work before.
        status : HTTPStatus
            Of the answer.

        Returns
        -------
        Response
            With the visit's cookie.
        """
        lobby = self._lobby
        cookie = lobby.sessions.issue(None, now=lobby.clock())
        session = lobby.sessions.read(cookie, now=lobby.clock())
        csrf = "" if session is None else lobby.sessions.csrf_token(session)
        page = lobby.page("sign_in.html", status=status, csrf=csrf, email=email, problem=problem)
        lobby.give_cookie(page, cookie)
        return page

    def sign_in(self, request: Request, email: str, password: str, csrf: str) -> Response:
        """Check a password.

        Parameters
        ----------
        request : Request
            From the sign-in page.
        email, password, csrf : str
            Its fields.

        Returns
        -------
        Response
            On to the worklist, or the page again with a reason that tells nothing.
        """
        lobby, now = self._lobby, self._lobby.clock()
        session = lobby.session_of(request)
        if session is None or not lobby.sessions.is_csrf_token(session, csrf):
            return self.show(email=email, problem=_STALE, status=HTTPStatus.FORBIDDEN)
        key, address = email.casefold(), request.client.host if request.client else ""
        admitted = self._by_address.admits(address, now=now) and self._by_account.admits(
            key, now=now
        )
        if not admitted:
            return self.show(email=email, problem=_TOO_MANY, status=HTTPStatus.TOO_MANY_REQUESTS)
        account = self._account(email, password)
        if account is None:
            return self.show(email=email, problem=_WRONG, status=HTTPStatus.UNAUTHORIZED)

        self._by_account.forget(key)
        self._note(account)
        answer = RedirectResponse("/worklist", HTTPStatus.SEE_OTHER)
        lobby.give_cookie(answer, lobby.sessions.issue(account, now=now))
        return answer

    def sign_out(self, request: Request, csrf: str) -> Response:
        """End a visit.

        Parameters
        ----------
        request : Request
            From a page.
        csrf : str
            Its field.

        Returns
        -------
        Response
            Back to the sign-in page.
        """
        session = self._lobby.session_of(request)
        answer = RedirectResponse("/", HTTPStatus.SEE_OTHER)
        if session is not None and self._lobby.sessions.is_csrf_token(session, csrf):
            answer.delete_cookie(SESSION_COOKIE, httponly=True, samesite="lax")
        return answer

    def _account(self, email: str, password: str) -> Account | None:
        with self._lobby.store.snapshot() as unit:
            account = unit.accounts.get(email) or unit.accounts.get(email.lower())
        password_hash = None if account is None else account.password_hash
        return account if is_password(password[:_LONGEST_PASSWORD], password_hash) else None

    def _note(self, account: Account) -> None:
        who = account.reader_id or account.name
        with self._lobby.store.transaction() as unit:
            unit.records.note(
                AuditEvent(self._lobby.clock(), who, "sign in", f"account:{who}", {})
            )


def add_sign_in(router: APIRouter, lobby: Lobby) -> None:
    """Add the sign-in page and its forms.

    Parameters
    ----------
    router : APIRouter
        Where.
    lobby : Lobby
        What the pages may use.
    """
    door = SignIn(lobby)

    @router.get("/")
    def start(request: Request) -> Response:
        if lobby.account_of(lobby.session_of(request)) is not None:
            return RedirectResponse("/worklist", HTTPStatus.SEE_OTHER)
        return door.show()

    @router.post("/sign-in")
    def sign_in(
        request: Request,
        email: Annotated[str, Form()] = "",
        password: Annotated[str, Form()] = "",
        csrf: Annotated[str, Form()] = "",
    ) -> Response:
        return door.sign_in(request, email.strip(), password, csrf)

    @router.post("/sign-out")
    def sign_out(request: Request, csrf: Annotated[str, Form()] = "") -> Response:
        return door.sign_out(request, csrf)
