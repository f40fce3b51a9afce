"""The sign-in page, and where a reader starts."""

from dataclasses import replace
from datetime import timedelta

import pytest
from fastapi import FastAPI
from pydantic import SecretStr
from starlette.testclient import TestClient

from backend import accounts
from backend.api.app import create_app
from backend.domain.findings import Finding
from backend.domain.readings import Reading
from backend.domain.worklists import EntryKind, EntryState, Skip, SkipReason
from backend.settings import Settings
from backend.store.accounts import Account
from backend.store.readings import Receipt
from backend.store.unit_of_work import Store
from tests.api.conftest import NOBODY_LISTENS, NOW, PASSWORD, Clock, csrf_of, entry, sign_in


def attempt(client: TestClient, email: str, password: str) -> int:
    form = {"email": email, "password": password, "csrf": csrf_of(client.get("/").text)}
    return client.post("/sign-in", data=form).status_code


class TestSignIn:
    def test_leads_to_the_worklist_from_then_on(self, client: TestClient) -> None:
        sign_in(client, "r8")
        assert "Hello, R8" in client.get("/worklist").text
        assert client.get("/").headers["location"] == "/worklist"

    def test_tells_nothing_about_which_accounts_exist(self, client: TestClient) -> None:
        told = []
        for email in ("r8@example.org", "nobody@example.org"):
            form = {"email": email, "password": "x", "csrf": csrf_of(client.get("/").text)}
            answer = client.post("/sign-in", data=form)
            assert answer.status_code == 401
            told.append(answer.text.replace(email, "").replace(csrf_of(answer.text), ""))
        assert told[0] == told[1]

    def test_refuses_a_form_of_another_site(self, client: TestClient) -> None:
        client.get("/")
        form = {"email": "r8@example.org", "password": PASSWORD, "csrf": "0" * 64}
        answer = client.post("/sign-in", data=form)
        assert answer.status_code == 403
        assert "had been open for too long" in answer.text

    def test_refuses_the_right_password_after_five_wrong_ones_for_five_minutes(
        self, client: TestClient, clock: Clock
    ) -> None:
        assert [attempt(client, "r8@example.org", "x") for _ in range(5)] == [401] * 5
        assert attempt(client, "R8@example.org", PASSWORD) == 429
        assert attempt(client, "r9@example.org", PASSWORD) == 303
        client.cookies.clear()
        clock.pass_by(timedelta(minutes=5))
        assert attempt(client, "r8@example.org", PASSWORD) == 303

    def test_is_noted(self, client: TestClient, furnished: Store) -> None:
        sign_in(client, "r8")
        with furnished.snapshot() as unit:
            (event,) = unit.records.events("account:R8")
        assert (event.actor, event.action) == ("R8", "sign in")


class TestSession:
    def test_ends_after_twelve_hours(self, client: TestClient, clock: Clock) -> None:
        sign_in(client, "r8")
        clock.pass_by(timedelta(hours=12, seconds=1))
        assert client.get("/worklist").headers["location"] == "/"

    def test_ends_with_the_password(self, client: TestClient, furnished: Store) -> None:
        sign_in(client, "r8")
        with furnished.transaction() as unit:
            new = accounts.hash_password("another one")
            unit.accounts.put(Account("r8@example.org", "reader", "R8", new), now=NOW)
        assert client.get("/worklist").headers["location"] == "/"

    def test_ends_with_sign_out(self, client: TestClient) -> None:
        csrf = sign_in(client, "r8")
        client.post("/sign-out", data={"csrf": "0" * 64})
        assert client.get("/worklist").status_code == 200, "another site cannot sign people out"
        client.post("/sign-out", data={"csrf": csrf})
        assert client.get("/worklist").headers["location"] == "/"

    @pytest.mark.parametrize(("scheme", "is_secure"), [("http", False), ("https", True)])
    def test_stays_out_of_reach_of_scripts_and_other_sites(
        self, settings: Settings, furnished: Store, clock: Clock, scheme: str, *, is_secure: bool
    ) -> None:
        changed = settings.model_copy(update={"backend_url": f"{scheme}://overread.example"})
        app = create_app(changed, clock=clock, start_workers=False)
        with TestClient(app) as client:
            answer = client.get("/")
        cookie = answer.headers["set-cookie"].lower()
        assert "httponly" in cookie
        assert "samesite=lax" in cookie
        assert ("secure" in cookie) is is_secure
        assert ("strict-transport-security" in answer.headers) is is_secure


class TestWorklistPage:
    def test_leads_straight_into_the_stream(self, client: TestClient, filled: Store) -> None:
        sign_in(client, "r8")
        page = client.get("/worklist").text
        assert f'href="{NOBODY_LISTENS}/projects/31/data?labeling=1"' in page
        assert "<strong>0 of 3</strong> read, about 3 minutes left" in page

    def test_counts_and_names_what_needs_another_look(
        self, client: TestClient, filled: Store
    ) -> None:
        with filled.transaction() as unit:
            first, second, _ = unit.worklists.all(reader_id="R8")
            for entry, state in ((first, "quarantined"), (second, "valid")):
                unit.readings.revise(
                    Reading(entry.image_id, "R8", (), NOW),
                    Receipt(NOW, 7 + entry.key, NOW, state, "boxes <and> No finding"),
                )
                unit.worklists.set_state(entry.key, EntryState.READ, now=NOW)
        sign_in(client, "r8")
        page = client.get("/worklist").text
        assert "<strong>2 of 3</strong> read, about a minute left" in page
        assert "1 reading needs" in page
        assert f"{NOBODY_LISTENS}/projects/31/data?task={first.task_id}" in page
        assert "boxes &lt;and&gt; No finding" in page
        assert f"task={second.task_id}" not in page

        client.cookies.clear()
        client.cookies.clear()
        sign_in(client, "r9")
        assert "another look" not in client.get("/worklist").text

    def test_tells_how_many_cases_come_back(self, client: TestClient, filled: Store) -> None:
        sign_in(client, "r8")
        assert "Second looks" not in client.get("/worklist").text
        first = Reading("a", "R8", (), NOW)
        with filled.transaction() as unit:
            unit.readings.add([first], Receipt(NOW))
            kept = unit.readings.current("a", "R8")
            assert kept is not None
            again = replace(
                entry("a", "R8", 9),
                round=2,
                kind=EntryKind.SECOND_LOOK,
                reading_id=kept.reading.id,
            )
            unit.worklists.add([again], now=NOW)

        assert "Second looks: 1." in client.get("/worklist").text

    def test_tells_what_was_skipped_and_why(self, client: TestClient, filled: Store) -> None:
        with filled.transaction() as unit:
            first, second, _ = unit.worklists.all(reader_id="R8")
            for one, skip in ((first, Skip(SkipReason.OTHER, "<b>cut</b>")), (second, Skip())):
                unit.worklists.set_state(one.key, EntryState.SKIPPED, now=NOW)
                unit.worklists.set_skip(one.key, skip)
        sign_in(client, "r8")
        page = client.get("/worklist").text
        assert "You skipped 2 images" in page
        assert "other, see note: &lt;b&gt;cut&lt;/b&gt;" in page
        assert "no reason given" in page
        assert f"{NOBODY_LISTENS}/projects/31/data?task={first.task_id}" in page

        client.cookies.clear()
        sign_in(client, "r9")
        assert "You skipped" not in client.get("/worklist").text

    def test_shows_the_keys_of_all_findings(self, client: TestClient) -> None:
        sign_in(client, "r8")
        page = client.get("/worklist").text
        assert all(f"<span>{finding.title}</span>" in page for finding in Finding)
        assert page.count("<svg") == len(Finding)

    def test_says_so_when_a_reader_is_simulated(
        self, client: TestClient, furnished: Store
    ) -> None:
        with furnished.transaction() as unit:
            unit.readers.ensure(["simulated-1"], now=NOW)
            hashed = accounts.hash_password(PASSWORD)
            unit.accounts.put(Account("sim@example.org", "reader", "simulated-1", hashed), now=NOW)
        sign_in(client, "sim")
        page = client.get("/worklist").text
        assert "Simulated data" in page
        assert "overread readers add simulated-1" in page, "the project is still missing"

    def test_sends_managers_elsewhere(self, client: TestClient) -> None:
        sign_in(client, "manager")
        assert "You have no worklist" in client.get("/worklist").text


class TestEveryPage:
    @pytest.mark.parametrize("path", ["/", "/worklist", "/static/pages.css", "/health", "/none"])
    def test_has_the_security_headers(self, client: TestClient, path: str) -> None:
        headers = client.get(path).headers
        assert headers["content-security-policy"].startswith("default-src 'self'; frame-ancestors")
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"

    def test_needs_nothing_that_the_policy_forbids(self, client: TestClient) -> None:
        pages = [client.get("/").text]
        sign_in(client, "r8")
        pages.append(client.get("/worklist").text)
        for page in pages:
            assert " style=" not in page
            assert "<script" not in page
            assert 'src="http' not in page
            assert '<link rel="stylesheet" href="/static/' in page


class TestDatabaseThatIsNotMigrated:
    def test_is_named_with_the_remedy(
        self, settings: Settings, app: FastAPI, clock: Clock
    ) -> None:
        empty = settings.model_copy(
            update={"database_url": SecretStr(f"sqlite:///{settings.data_dir / 'empty.sqlite3'}")}
        )
        with TestClient(create_app(empty, clock=clock, start_workers=False)) as client:
            answer = client.get("/ready", headers={"Authorization": "Bearer x"})
            assert answer.status_code == 503
            assert answer.json()["detail"].endswith("overread db upgrade")
            assert client.get("/health").json() == {"status": "up"}
