"""Passwords, tokens, sessions."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from backend import accounts
from backend.accounts import SESSION_LIFE, Role, Sessions
from backend.store.accounts import Account

NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
ACCOUNT = Account("r8@example.org", "reader", "R8", "$argon2id$kept")


class TestPassword:
    def test_is_known_by_its_hash_alone(self) -> None:
        kept = accounts.hash_password("right")
        assert kept.startswith("$argon2id$")
        assert accounts.is_password("right", kept)
        assert not accounts.is_password("wrong", kept)

    @pytest.mark.parametrize("kept", [None, "", "not a hash"])
    def test_is_never_right_without_a_hash(self, kept: str | None) -> None:
        assert not accounts.is_password("", kept)


class TestToken:
    def test_is_new_every_time_and_known_by_its_hash(self) -> None:
        token, kept = accounts.new_token()
        assert accounts.token_sha256(token) == kept
        assert token not in kept
        assert accounts.new_token()[0] != token


class TestRole:
    def test_rises_from_reader_to_admin(self) -> None:
        roles = [accounts.role_of(replace(ACCOUNT, role=role.name.lower())) for role in Role]
        assert roles == sorted(roles) == [Role.READER, Role.MANAGER, Role.ADMIN]


class TestSessions:
    def test_reads_back_what_it_issued_until_it_is_over(self) -> None:
        sessions = Sessions("secret")
        cookie = sessions.issue(ACCOUNT, now=NOW)
        session = sessions.read(cookie, now=NOW + SESSION_LIFE)
        assert session is not None
        assert accounts.belongs_to(session, ACCOUNT)
        assert sessions.read(cookie, now=NOW + SESSION_LIFE + timedelta(seconds=1)) is None

    @pytest.mark.parametrize("cookie", [None, "", "x", "a.b", "\x00"])
    def test_reads_nothing_that_it_did_not_issue(self, cookie: str | None) -> None:
        assert Sessions("secret").read(cookie, now=NOW) is None
        foreign = Sessions("another").issue(ACCOUNT, now=NOW)
        assert Sessions("secret").read(foreign, now=NOW) is None

    def test_belongs_to_nobody_before_the_sign_in_or_after_a_change(self) -> None:
        sessions = Sessions("secret")
        visit = sessions.read(sessions.issue(None, now=NOW), now=NOW)
        signed_in = sessions.read(sessions.issue(ACCOUNT, now=NOW), now=NOW)
        assert visit is not None
        assert signed_in is not None
        assert not accounts.belongs_to(visit, Account("", "admin"))
        assert not accounts.belongs_to(signed_in, None)
        assert not accounts.belongs_to(signed_in, replace(ACCOUNT, password_hash="new"))  # noqa: S106
        assert not accounts.belongs_to(signed_in, replace(ACCOUNT, name="r9@example.org"))

    def test_gives_every_visit_its_own_csrf_token(self) -> None:
        sessions = Sessions("secret")
        visits = [sessions.read(sessions.issue(ACCOUNT, now=NOW), now=NOW) for _ in range(2)]
        first, second = (visit for visit in visits if visit is not None)
        assert sessions.is_csrf_token(first, sessions.csrf_token(first))
        assert not sessions.is_csrf_token(second, sessions.csrf_token(first))
