"""`overread tokens`: which programs may use the API."""

import re
from enum import StrEnum
from typing import Annotated

import typer

from backend.accounts import new_token
from backend.opened import open_store
from backend.store.accounts import Account
from backend.store.records import AuditEvent
from backend.terminal import console, now, print_json

app = typer.Typer(help="Tokens of programs that use the API.", no_args_is_help=True)

AsJson = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]
Name = Annotated[str, typer.Argument(help="Of the program, for example grafana.")]


class Role(StrEnum):
    """What a program may do."""

    MANAGER = "manager"
    ADMIN = "admin"


class TokenNameError(ValueError):
    """A token cannot have this name, or nobody has it."""


@app.command()
def add(
    name: Name,
    *,
    role: Annotated[Role, typer.Option(help="What it may do.")] = Role.MANAGER,
    as_json: AsJson = False,
) -> None:
    """Make a token and show it once; a token of the same name stops working."""
    if not re.fullmatch(r"[A-Za-z0-9._-]{1,64}", name):
        raise TokenNameError(f"{name!r} is no name for a token; expected letters, digits, . _ -")
    token, sha256 = new_token()
    with open_store().transaction() as unit:
        known = unit.accounts.get(name)
        if known is not None and known.password_hash is not None:
            raise TokenNameError(f"{name} is a person's account; choose another name")
        unit.accounts.put(Account(name, role.value, token_sha256=sha256), now=now())
        unit.records.note(
            AuditEvent(now(), "command line", "add token", f"account:{name}", {"role": role.value})
        )
    if as_json:
        print_json({"name": name, "role": role.value, "token": token})
    else:
        console.print(f"{token}", markup=False)
        console.print(f"shown once; send it as: Authorization: Bearer {token[:8]}…", markup=False)


@app.command()
def revoke(name: Name) -> None:
    """Make a token useless at once."""
    with open_store().transaction() as unit:
        known = unit.accounts.get(name)
        if known is None or known.token_sha256 is None:
            raise TokenNameError(f"no token is named {name!r}")
        unit.accounts.put(Account(name, known.role), now=now())
        unit.records.note(AuditEvent(now(), "command line", "revoke token", f"account:{name}", {}))
    console.print(f"{name} has no token any more")
