"""`overread accounts` and `readers list`: who manages and who reads."""

from dataclasses import replace

import pytest
from starlette.testclient import TestClient

from backend.api.app import create_app
from backend.domain.readings import ReadingKind
from backend.domain.worklists import EntryKind, EntryState
from backend.settings import Settings
from backend.store.readings import Receipt
from backend.store.unit_of_work import Store
from tests.api.conftest import csrf_of
from tests.cli.conftest import CommandLine
from tests.store.samples import NOW, enrol, entry, image, keep, mark, reading, register

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


class TestReadersList:
    def test_tells_how_many_second_looks_changed_the_answer(self, migrated: CommandLine) -> None:
        store = Store(Settings(data_dir=migrated.data_dir).sqlalchemy_url)
        register(store, image("a"), readers=("R1",))
        keep(store, reading("a", "R1"))
        with store.transaction() as unit:
            first = unit.readings.current("a", "R1")
            assert first is not None
            again = replace(
                entry("a", "R1"),
                round=2,
                kind=EntryKind.SECOND_LOOK,
                state=EntryState.READ,
                reading_id=first.reading.id,
            )
            second = replace(
                first.reading, round=2, kind=ReadingKind.SECOND_LOOK, boxes=(mark(),), id=None
            )
            unit.worklists.add([again], now=NOW)
            unit.readings.add([second], Receipt(NOW))
        store.close()

        [row] = migrated("readers", "list", "--json").json

        assert (row["second_looks"], row["changed_answer"]) == (1, 1)
        assert "changed the answer" in migrated("readers", "list").output


class TestDuties:
    def test_are_set_shown_and_taken_back(self, migrated: CommandLine) -> None:
        store = Store(Settings(data_dir=migrated.data_dir).sqlalchemy_url)
        enrol(store, "R1", "R2")

        assert migrated("readers", "duty", "R1", "--speciality", "Pneumothorax").code == 0
        migrated("readers", "duty", "R2", "--away-until", "2999-01-31")

        assert migrated("readers", "duty", "--json").json == [
            {"reader": "R1", "specialities": ["Pneumothorax"], "away_until": None},
            {"reader": "R2", "specialities": [], "away_until": "2999-01-31 00:00:00+00:00"},
        ]
        migrated("readers", "duty", "R1", "--no-speciality")
        assert migrated("readers", "duty", "R2", "--back", "--json").json == [
            {"reader": "R2", "specialities": [], "away_until": None}
        ]
        assert migrated("readers", "duty", "R1", "--json").json[0]["specialities"] == []

    @pytest.mark.parametrize(
        ("words", "told"),
        [
            (("R9", "--back"), "'R9' reads nothing in Label Studio"),
            (("R1", "--speciality", "flu"), "not one of the 14 findings"),
            (("--back",), "expected names of readers"),
        ],
    )
    def test_are_refused_for_strangers(
        self, migrated: CommandLine, words: tuple[str, ...], told: str
    ) -> None:
        outcome = migrated("readers", "duty", *words)

        assert outcome.code != 0
        assert told in outcome.told
