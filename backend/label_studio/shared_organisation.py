"""Readers in one shared organisation, where Label Studio's shell is out of reach.

Every reader still has a project of their own, but Label Studio Community shows every project of
an organisation to each of its users: blinding is then a matter of procedure.
"""

from collections.abc import Sequence

import httpx2

from backend.label_studio.connection import Connection, error_of_silence
from backend.label_studio.provision import ProvisionedReader, ProvisioningError, ReaderAccount


def provision_readers(
    base_url: str, admin_token: str, accounts: Sequence[ReaderAccount]
) -> tuple[ProvisionedReader, ...]:
    """Sign readers up with the organisation's invitation, or find them.

    Parameters
    ----------
    base_url : str
        Where Label Studio is.
    admin_token : str
        API token of a user of the first organisation, which is the one that people sign up for.
    accounts : sequence of ReaderAccount
        Whom; their service tokens are not used.

    Returns
    -------
    tuple of ProvisionedReader
        In the order of `accounts`, all with the organisation and the user of the token.

    Raises
    ------
    ProvisioningError
        If Label Studio takes no account of that address or password, or if the password of a
        user who is there already should change.
    LabelStudioError
        If it does not answer, or not to this token.
    """
    admin = Connection(base_url, admin_token)
    with admin.http:
        me = admin.ask("GET", "/api/current-user/whoami")
        for account in accounts:
            _ensure(admin, account)
        known = _users(admin)
    return tuple(
        ProvisionedReader(
            account.reader_id,
            int(me["active_organization"]),
            known[account.email.casefold()],
            int(me["id"]),
        )
        for account in accounts
    )


def _users(admin: Connection) -> dict[str, int]:
    rows = admin.ask("GET", "/api/users/")
    return {str(row["email"]).casefold(): int(row["id"]) for row in rows}


def _ensure(admin: Connection, account: ReaderAccount) -> None:
    is_known = account.email.casefold() in _users(admin)
    if is_known and account.reset_password:
        raise ProvisioningError(
            f"the password of {account.email} can only be changed by Label Studio's own shell, "
            "which is out of reach here; ask whoever runs the server"
        )
    if not is_known:
        _sign_up(admin.base_url, admin.ask("GET", "/api/invite")["token"], account)
        if account.email.casefold() not in _users(admin):
            raise ProvisioningError(
                f"{account.email} signed up, but not in the organisation of the token in "
                "OVERREAD_LABEL_STUDIO_ADMIN_TOKEN; use the token of a user of the server's first "
                "organisation"
            )


def _sign_up(base_url: str, invitation: str, account: ReaderAccount) -> None:
    page = f"/user/signup/?token={invitation}"
    nobody = Connection(base_url, "")
    try:
        with nobody.http as http:
            http.get(page).raise_for_status()
            form = {
                "csrfmiddlewaretoken": http.cookies["csrftoken"],
                "email": account.email,
                "password": account.password,
            }
            answer = http.post(page, data=form, headers={"Referer": f"{nobody.base_url}{page}"})
    except (httpx2.HTTPError, KeyError) as error:
        raise error_of_silence("a sign-up", base_url, error) from error
    if not answer.is_redirect:
        raise ProvisioningError(
            f"expected Label Studio to sign {account.email} up, it answered {answer.status_code}; "
            "is this an e-mail address that nobody has, and the password at least 8 characters "
            "long and unlike it?"
        )
