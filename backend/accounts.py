"""Sign-in: roles, passwords, bearer tokens and sessions."""

import hashlib
import hmac
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import IntEnum
from functools import cache
from threading import BoundedSemaphore

from itsdangerous import BadData, URLSafeSerializer
from pwdlib import PasswordHash
from pwdlib.exceptions import UnknownHashError
from pwdlib.hashers.argon2 import Argon2Hasher

from backend.store.accounts import Account

SESSION_COOKIE = "overread_session"
SESSION_LIFE = timedelta(hours=12)

_HASH = PasswordHash((Argon2Hasher(),))
_HASHING = BoundedSemaphore(2)  # one hash takes 64 MiB, and anybody may try a password


class Role(IntEnum):
    """What an account may do; a higher role may do everything that a lower one may."""

    READER = 1
    MANAGER = 2
    ADMIN = 3


@dataclass(frozen=True, slots=True)
class Session:
    """A browser's visit, as its signed cookie tells it.

    Attributes
    ----------
    name : str
        Name of the account; empty before the sign-in.
    nonce : str
        What tells this visit from others.
    stamp : str
        Changes when the account's password does.
    """

    name: str
    nonce: str
    stamp: str


class Sessions:
    """Signed session cookies; the server keeps nothing.

    Parameters
    ----------
    secret : str
        Known to the backend only.
    """

    def __init__(self, secret: str) -> None:
        self._secret = secret.encode()
        self._serializer = URLSafeSerializer(secret, salt="overread.session")

    def issue(self, account: Account | None, *, now: datetime) -> str:
        """Return a cookie for a new visit.

        Parameters
        ----------
        account : Account or None
            Who signed in; None before that.
        now : datetime
            The time; aware.

        Returns
        -------
        str
            Good for `SESSION_LIFE`, as long as the account keeps its password.
        """
        return self._serializer.dumps(
            {
                "name": "" if account is None else account.name,
                "nonce": secrets.token_urlsafe(16),
                "stamp": "" if account is None else _stamp(account),
                "until": int((now + SESSION_LIFE).timestamp()),
            }
        )

    def read(self, cookie: str | None, *, now: datetime) -> Session | None:
        """Return the visit that a cookie stands for.

        Parameters
        ----------
        cookie : str or None
            As the browser sent it.
        now : datetime
            The time; aware.

        Returns
        -------
        Session or None
            None when there is no cookie, it was not made here, or its time is over.
        """
        try:
            told = self._serializer.loads(cookie or "")
        except BadData:
            return None
        if told["until"] < now.timestamp():
            return None
        return Session(told["name"], told["nonce"], told["stamp"])

    def csrf_token(self, session: Session) -> str:
        """Return what a form of this visit must send back.

        Parameters
        ----------
        session : Session
            The visit.

        Returns
        -------
        str
            Another site cannot know it.
        """
        return hmac.new(self._secret, f"csrf:{session.nonce}".encode(), hashlib.sha256).hexdigest()

    def is_csrf_token(self, session: Session, token: str) -> bool:
        """Return whether a form comes from a page of this visit.

        Parameters
        ----------
        session : Session
            The visit.
        token : str
            What the form sent.

        Returns
        -------
        bool
            Compared in constant time.
        """
        return hmac.compare_digest(self.csrf_token(session).encode(), token.encode())


def belongs_to(session: Session, account: Account | None) -> bool:
    """Return whether a visit is still this account's.

    Parameters
    ----------
    session : Session
        The visit.
    account : Account or None
        The account of the session's name, as it is now.

    Returns
    -------
    bool
        False before the sign-in, and after the account was removed or its password changed.
    """
    return (
        account is not None
        and account.name == session.name
        and hmac.compare_digest(_stamp(account), session.stamp)
    )


def role_of(account: Account) -> Role:
    """Return what an account may do.

    Parameters
    ----------
    account : Account
        The account.

    Returns
    -------
    Role
        Its role.
    """
    return Role[account.role.upper()]


def hash_password(password: str) -> str:
    """Return what to keep of a password.

    Parameters
    ----------
    password : str
        As the person types it.

    Returns
    -------
    str
        An Argon2id hash with its parameters and salt.
    """
    with _HASHING:
        return _HASH.hash(password)


def is_password(password: str, password_hash: str | None) -> bool:
    """Return whether a password is right; takes as long when there is none to compare with.

    Parameters
    ----------
    password : str
        As the person typed it.
    password_hash : str or None
        From `hash_password`; None for an unknown account or one without a password.

    Returns
    -------
    bool
        Whether the person may come in.
    """
    known = password_hash or _nobodys_hash()
    try:
        with _HASHING:
            fits = _HASH.verify(password, known)
    except UnknownHashError:
        return False
    return fits and password_hash is not None


def new_token() -> tuple[str, str]:
    """Make a bearer token.

    Returns
    -------
    tuple of (str, str)
        The token, to be shown once, and its hash, to be kept.
    """
    token = f"ovr_{secrets.token_urlsafe(32)}"
    return token, token_sha256(token)


def token_sha256(token: str) -> str:
    """Return what to keep of a bearer token.

    Parameters
    ----------
    token : str
        The token; random, so that a plain hash is enough.

    Returns
    -------
    str
        SHA-256, hexadecimal.
    """
    return hashlib.sha256(token.encode()).hexdigest()


def _stamp(account: Account) -> str:
    return hashlib.sha256((account.password_hash or "").encode()).hexdigest()[:16]


@cache
def _nobodys_hash() -> str:
    return _HASH.hash(secrets.token_urlsafe(16))
