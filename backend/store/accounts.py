"""Save and find who may use the backend."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from backend.store.tables import AccountRow


@dataclass(frozen=True, slots=True)
class Account:
    """A person or program that may use the backend.

    Attributes
    ----------
    name : str
        E-mail address of a person, or name of a program.
    role : str
        "reader", "manager" or "admin".
    reader_id : str or None
        Which reader this is; None for other roles.
    password_hash : str or None
        Argon2 hash; None when nobody signs in with a password.
    token_sha256 : str or None
        Hash of the bearer token; None when there is none.
    """

    name: str
    role: str
    reader_id: str | None = None
    password_hash: str | None = None
    token_sha256: str | None = None


class Accounts:
    """The accounts kept in the store.

    Parameters
    ----------
    session : Session
        The transaction to read and write in.
    """

    def __init__(self, session: Session) -> None:
        self._session = session

    def put(self, account: Account, *, now: datetime) -> None:
        """Add an account, or replace the one of the same name or of the same reader.

        Parameters
        ----------
        account : Account
            The account.
        now : datetime
            The time; aware.
        """
        if account.reader_id is not None:
            self._session.execute(
                delete(AccountRow).where(
                    AccountRow.reader_id == account.reader_id, AccountRow.name != account.name
                )
            )
        self._session.merge(
            AccountRow(
                name=account.name,
                role=account.role,
                reader_id=account.reader_id,
                password_hash=account.password_hash,
                token_sha256=account.token_sha256,
                created_at=now,
            )
        )
        self._session.flush()

    def get(self, name: str) -> Account | None:
        """Return one account.

        Parameters
        ----------
        name : str
            Its name.

        Returns
        -------
        Account or None
            None when there is none.
        """
        row = self._session.get(AccountRow, name)
        return None if row is None else _account(row)

    def all(self) -> list[Account]:
        """Return every account.

        Returns
        -------
        list of Account
            By name.
        """
        rows = self._session.scalars(select(AccountRow).order_by(AccountRow.name))
        return [_account(row) for row in rows]

    def remove(self, name: str) -> None:
        """Take an account away; an open session ends with it.

        Parameters
        ----------
        name : str
            Its name; one that nobody has is fine.
        """
        self._session.execute(delete(AccountRow).where(AccountRow.name == name))

    def rename_reader(self, reader_id: str, name: str) -> None:
        """Let a reader sign in under another e-mail address, with the same password.

        Parameters
        ----------
        reader_id : str
            Whose account; one without is fine.
        name : str
            The new address.
        """
        self._session.execute(
            update(AccountRow).where(AccountRow.reader_id == reader_id).values(name=name)
        )

    def remove_reader(self, reader_id: str) -> None:
        """Take a reader's account away; an open session ends with it.

        Parameters
        ----------
        reader_id : str
            Whose; one without an account is fine.
        """
        self._session.execute(delete(AccountRow).where(AccountRow.reader_id == reader_id))

    def by_token(self, token_sha256: str) -> Account | None:
        """Return the account that a bearer token belongs to.

        Parameters
        ----------
        token_sha256 : str
            Hash of the token.

        Returns
        -------
        Account or None
            None when no account has it.
        """
        row = self._session.scalar(
            select(AccountRow).where(AccountRow.token_sha256 == token_sha256)
        )
        return None if row is None else _account(row)


def _account(row: AccountRow) -> Account:
    return Account(
        name=row.name,
        role=row.role,
        reader_id=row.reader_id,
        password_hash=row.password_hash,
        token_sha256=row.token_sha256,
    )
