"""`overread accounts`: people who sign in at the backend without being readers."""

import re
import secrets
from typing import Annotated

import typer

from backend.accounts import hash_password
from backend.cli.tokens import Role
from backend.opened import open_store
from backend.settings import Settings
from backend.store.accounts import Account
from backend.store.records import AuditEvent
from backend.terminal import console, now, print_json, print_table

app = typer.Typer(
    help="People who sign in at the backend without reading: managers and administrators.",
    no_args_is_help=True,
)

AsJson = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]
Email = Annotated[str, typer.Argument(help="E-mail address, to sign in with.")]

_FEWEST_CHARACTERS = 8


class AccountError(ValueError):
    """No such account can be made, or there is none."""


@app.command()
def add(
    email: Email,
    *,
    role: Annotated[Role, typer.Option(help="What the person may do.")] = Role.MANAGER,
    password: Annotated[
        str | None,
        typer.Option(envvar="OVERREAD_ACCOUNT_PASSWORD", help="Made up and shown if unset."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Let a person sign in, or give them a new password or role."""
    name = email.strip().lower()
    if not re.fullmatch(r"[^@\s]{1,64}@[^@\s]{1,63}", name):
        raise AccountError(f"{email!r} is no e-mail address; expected for example ada@example.org")
    chosen = password or secrets.token_urlsafe(9)
    if len(chosen) < _FEWEST_CHARACTERS:
        raise AccountError(f"expected a password of at least {_FEWEST_CHARACTERS} characters")
    with open_store().transaction() as unit:
        known = unit.accounts.get(name)
        if known is not None and known.reader_id is not None:
            raise AccountError(
                f"{name} is the reader {known.reader_id}; who manages readers must not be one of "
                "them under the same address: choose another"
            )
        unit.accounts.put(
            Account(name, role.value, password_hash=hash_password(chosen)), now=now()
        )
        unit.records.note(
            AuditEvent(now(), "command line", "add account", "account", {"role": role.value})
        )
    url = Settings().backend_url
    if as_json:
        shown = None if password else chosen
        print_json({"email": name, "role": role.value, "password": shown, "page": url})
        return
    if password is None:
        console.print(f"password, shown once: {chosen}", markup=False)
    console.print(f"{name} signs in at {url}", markup=False)


@app.command(name="list")
def list_accounts(*, as_json: AsJson = False) -> None:
    """List who can sign in."""
    with open_store().snapshot() as unit:
        people = [one for one in unit.accounts.all() if one.password_hash is not None]
    rows = [{"email": one.name, "role": one.role, "reader": one.reader_id} for one in people]
    if as_json:
        print_json(rows)
    else:
        columns = ("email", "role", "reader")
        print_table("Accounts", columns, [[row[name] or "" for name in columns] for row in rows])


@app.command()
def remove(email: Email) -> None:
    """Let a person sign in no more; an open session ends at once."""
    name = email.strip().lower()
    with open_store().transaction() as unit:
        known = unit.accounts.get(name)
        if known is None or known.password_hash is None or known.reader_id is not None:
            raise AccountError(
                f"no manager or administrator signs in as {name!r}; `overread accounts list` says "
                "who does, and readers leave by `overread readers deactivate`"
            )
        unit.accounts.remove(name)
        unit.records.note(AuditEvent(now(), "command line", "remove account", "account", {}))
    console.print(f"{name} cannot sign in any more", markup=False)
