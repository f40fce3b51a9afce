"""Give readers an organisation and a log-in, or close it; runs in `label-studio shell`.

All or nothing; safe to repeat.
"""

import json
from typing import Any

from django.db import transaction
from organizations.models import Organization, OrganizationMember
from rest_framework.authtoken.models import Token
from users.models import User

_FOUNDER = "service@overread.invalid"


def answer(typed: str) -> None:
    """Do what is wanted and print, behind the marker, what came of it.

    Parameters
    ----------
    typed : str
        JSON: "marker", accounts to "open", e-mail addresses of service users whose reader's
        log-in to "close".
    """
    wanted = json.loads(typed)
    try:
        with transaction.atomic():
            _found_own_organisation()
            result: dict[str, Any] = {"readers": [_open(account) for account in wanted["open"]]}
            for service_email in wanted["close"]:
                _close(service_email)
    except Exception as error:  # noqa: BLE001 - told to who asked
        result = {"error": f"{type(error).__name__}: {error}"}
    print()  # noqa: T201 - behind the shell's prompt
    print(wanted["marker"] + json.dumps(result))  # noqa: T201


def _open(account: dict[str, Any]) -> dict[str, Any]:
    service = _known_user(account["service_email"], None, reset=False)
    shared = account["shared_organisation"]
    organisation = _organisation_of(account["service_email"])
    reader = _reader_of(None if shared else organisation, account)
    founder = service if shared else reader
    organisation = organisation or Organization.objects.filter(created_by=founder).first()
    organisation = organisation or Organization.create_organization(
        created_by=founder, title=shared or f"Reader {account['reader_id']}"
    )
    if organisation.created_by is None:  # the user was deleted by hand
        organisation.created_by = founder
        organisation.save()
    organisation.jwt.legacy_api_tokens_enabled = True
    organisation.jwt.save()
    _enter(reader, organisation)
    _enter(service, organisation)
    # Earlier versions gave everybody a revoked membership, and /api/users/ lists those.
    strangers = OrganizationMember.objects.filter(organization=organisation)
    strangers.exclude(user__in=[reader, service]).exclude(deleted_at=None).delete()
    Token.objects.filter(user=service).exclude(key=account["service_token"]).delete()
    Token.objects.get_or_create(user=service, key=account["service_token"])
    return {
        "reader_id": account["reader_id"],
        "organisation_id": organisation.pk,
        "user_id": reader.pk,
        "service_user_id": service.pk,
    }


def _close(service_email: str) -> None:
    organisation = _organisation_of(service_email)
    if organisation is not None and organisation.created_by is not None:
        reader = organisation.created_by
        reader.is_active = False
        reader.save()
        Token.objects.filter(user=reader).delete()


def _found_own_organisation() -> None:
    # Label Studio puts administrators into the first organisation: let that be no reader's.
    if not Organization.objects.exists():
        founder = _known_user(_FOUNDER, None, reset=False)
        Organization.create_organization(created_by=founder, title="Overread")


def _organisation_of(service_email: str) -> Any:  # noqa: ANN401 - a model of Label Studio's
    # By its service user: the reader's address may change, and their user be deleted by hand.
    member = OrganizationMember.objects.filter(user__email=service_email, deleted_at=None).first()
    return None if member is None else member.organization


def _reader_of(organisation: Any, account: dict[str, Any]) -> Any:  # noqa: ANN401
    email = account["email"].lower()  # Label Studio's log-in form writes it small
    reader = None if organisation is None else organisation.created_by
    if reader is not None and reader.email != email:
        if User.objects.filter(email=email).exists():
            raise ValueError(f"{email} belongs to another Label Studio organisation")
        reader.email = reader.username = email
        reader.save()
    reader = _known_user(email, account["password"], reset=account["reset_password"])
    if not reader.is_active:
        reader.is_active = True
        reader.save()
    Token.objects.get_or_create(user=reader)
    return reader


def _known_user(email: str, password: str | None, *, reset: bool) -> Any:  # noqa: ANN401
    user = User.objects.filter(email=email).first()
    if user is None:
        return User.objects.create_user(email=email, username=email, password=password)
    if reset and not user.check_password(password):
        user.set_password(password)
        user.save()
    return user


def _enter(user: Any, organisation: Any) -> None:  # noqa: ANN401
    others = OrganizationMember.objects.filter(user=user).exclude(organization=organisation)
    if others.filter(deleted_at=None).exists():
        raise ValueError(f"{user.email} belongs to another Label Studio organisation")
    others.delete()  # Label Studio logs a user in to the oldest membership, revoked or not
    organisation.add_user(user)
    user.active_organization = organisation
    user.save()
