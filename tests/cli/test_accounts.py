"""`overread accounts`: people who manage, from the command to the page."""

import pytest
from starlette.testclient import TestClient

from backend.api.app import create_app
from backend.settings import Settings
from tests.api.conftest import csrf_of
from tests.cli.conftest import CommandLine

EMAIL = "ada@example.org"
CHOSEN = "a pass phrase"


def enter(overread: CommandLine, email: str, password: str) -> int:
    """Sign in as a browser does, and ask for the readers' page; return its status."""
    settings = Settings(data_dir=overread.data_dir)
    with TestClient(create_app(settings, start_workers=False), follow_redirects=False) as client:
        form = {"email": email, "password": password, "csrf": csrf_of(client.get("/").text)}
        client.post("/sign-in", data=form)
        return client.get("/quality").status_code


@pytest.fixture
def migrated(overread: CommandLine) -> CommandLine:
    assert overread("db", "upgrade").code == 0
    return overread


class TestAccounts:
    def test_let_a_manager_see_the_page_of_all_readers(self, migrated: CommandLine) -> None:
        made = migrated("accounts", "add", "Ada@Example.org", "--json").json

        assert (made["email"], made["role"]) == (EMAIL, "manager")
        assert enter(migrated, "Ada@example.org", made["password"]) == 200
        assert enter(migrated, EMAIL, "a wrong pass phrase") == 303

    def test_are_listed_without_programs_and_can_be_removed(self, migrated: CommandLine) -> None:
        made = migrated("accounts", "add", EMAIL, "--role", "admin", "--json").json
        migrated("tokens", "add", "grafana")

        assert migrated("accounts", "list", "--json").json == [
            {"email": EMAIL, "role": "admin", "reader": None}
        ]
        assert migrated("accounts", "remove", EMAIL).code == 0
        assert enter(migrated, EMAIL, made["password"]) == 303
        assert migrated("accounts", "remove", "grafana").code == 1

    def test_take_a_password_from_the_environment_and_do_not_show_it(
        self, migrated: CommandLine
    ) -> None:
        outcome = migrated("accounts", "add", EMAIL, OVERREAD_ACCOUNT_PASSWORD=CHOSEN)

        assert CHOSEN not in outcome.output + outcome.told
        assert enter(migrated, EMAIL, CHOSEN) == 200

    @pytest.mark.parametrize(
        ("email", "password", "told"),
        [("ada", "a pass phrase", "no e-mail address"), (EMAIL, "short", "at least 8")],
    )
    def test_are_refused_with_the_remedy(
        self, migrated: CommandLine, email: str, password: str, told: str
    ) -> None:
        outcome = migrated("accounts", "add", email, "--password", password)

        assert outcome.code == 1
        assert told in outcome.told
