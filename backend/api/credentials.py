"""Who asks, and whether they may."""

from collections.abc import Callable
from typing import Annotated

from fastapi import Depends, Request

from backend.accounts import SESSION_COOKIE, Role, belongs_to, role_of, token_sha256
from backend.api.office import InOffice, Office
from backend.store.accounts import Account

CSRF_HEADER = "X-CSRF-Token"

_CHANGES_NOTHING = frozenset({"GET", "HEAD", "OPTIONS"})


class MissingCredentialError(PermissionError):
    """Nobody is signed in, or the token is unknown."""


class RoleError(PermissionError):
    """The account may not do this."""


class CsrfError(PermissionError):
    """A request with a session cookie did not come from a page of that session."""


def visitor(request: Request, office: InOffice) -> Account:
    """Return the account that a request comes from.

    Parameters
    ----------
    request : Request
        With a bearer token or a session cookie; the token goes first.
    office : Office
        The server's parts.

    Returns
    -------
    Account
        As it is now.

    Raises
    ------
    MissingCredentialError
        If there is no valid credential.
    CsrfError
        If a session cookie alone asks for a change.
    """
    authorization = request.headers.get("authorization")
    if authorization is not None:
        return _bearer(authorization, office)
    return _signed_in(request, office)


def at_least(role: Role) -> Callable[[Account], Account]:
    """Return a dependency that lets accounts of a role or a higher one pass.

    Parameters
    ----------
    role : Role
        The lowest role.

    Returns
    -------
    callable
        Gives the account, or raises `RoleError`.
    """

    def check(account: Annotated[Account, Depends(visitor)]) -> Account:
        if role_of(account) < role:
            raise RoleError(
                f"this needs the role {role.name.lower()}; your account is a {account.role}"
            )
        return account

    return check


def own_id(account: Account) -> str:
    """Return the reader whose own an account may see.

    Parameters
    ----------
    account : Account
        Who asks.

    Returns
    -------
    str
        The reader's pseudonym; empty, which is nobody's, for an account that reads nothing.
    """
    return account.reader_id or ""


AnyAccount = Annotated[Account, Depends(at_least(Role.READER))]
ManagerAccount = Annotated[Account, Depends(at_least(Role.MANAGER))]


def _bearer(authorization: str, office: Office) -> Account:
    scheme, _, token = authorization.partition(" ")
    account = None
    if scheme.lower() == "bearer" and token.strip():
        with office.store.snapshot() as unit:
            account = unit.accounts.by_token(token_sha256(token.strip()))
    if account is None:
        raise MissingCredentialError(
            "the bearer token is unknown; expected the header Authorization: Bearer TOKEN"
        )
    return account


def _signed_in(request: Request, office: Office) -> Account:
    session = office.sessions.read(request.cookies.get(SESSION_COOKIE), now=office.clock())
    account = None
    if session is not None and session.name:
        with office.store.snapshot() as unit:
            account = unit.accounts.get(session.name)
    if session is None or account is None or not belongs_to(session, account):
        raise MissingCredentialError(
            "expected a bearer token (Authorization: Bearer TOKEN), or sign in first"
        )
    is_change = request.method not in _CHANGES_NOTHING
    token = request.headers.get(CSRF_HEADER, "")
    if is_change and not office.sessions.is_csrf_token(session, token):
        raise CsrfError(f"expected the page's CSRF token in {CSRF_HEADER}; reload the page")
    return account
