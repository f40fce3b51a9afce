"""How well readers read: everything for managers, to readers only their own."""

import re
from datetime import timedelta
from html.parser import HTMLParser

import pytest
from starlette.testclient import TestClient
from typing_extensions import override

from backend import accounts
from backend.domain.readings import Reading
from backend.store.accounts import Account
from backend.store.readings import Receipt
from backend.store.unit_of_work import Store
from backend.workflow.adjudicated_images import adjudicated_images
from tests.api.conftest import NOW, PASSWORD_HASH, TOKENS, Clock, bearer, sign_in
from tests.store.reading_crowd import read_here

OWN, OTHERS = "reader-01", ("reader-02", "reader-03", "reader-04", "reader-05", "reader-06")
TOKENS["own"] = "ovr_token-of-own"


@pytest.fixture
def crowd(furnished: Store) -> Store:
    """Let six simulated readers read in the furnished store; the first has an account."""
    read_here(furnished, images=240, adjudicated=60, unassisted_share=0.3, slower_from=0.5)
    with furnished.transaction() as unit:
        token = accounts.token_sha256(TOKENS["own"])
        account = Account("own@example.org", "reader", OWN, PASSWORD_HASH, token)
        unit.accounts.put(account, now=NOW)
    return furnished


class _Links(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: set[str] = set()

    @override
    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found |= {value for name, value in attrs if name == "href" and value}


def walk(client: TestClient) -> dict[str, str]:
    """Open every page that is linked from the first one."""
    pages: dict[str, str] = {}
    waiting = ["/worklist"]
    while waiting:
        path = waiting.pop()
        answer = client.get(path, follow_redirects=True)
        pages[path] = answer.text
        links = _Links()
        links.feed(answer.text if "html" in answer.headers["content-type"] else "")
        waiting += [one for one in links.found if one.startswith("/") and one not in pages]
    return pages


@pytest.mark.usefixtures("crowd")
class TestManager:
    def test_sees_every_reader_on_the_page(self, client: TestClient) -> None:
        sign_in(client, "manager")
        page = client.get("/quality").text

        assert "By 60 adjudicated images" in page
        assert all(f'<th scope="row">{reader}</th>' in page for reader in (OWN, *OTHERS))
        assert page.count("<svg") > 40
        assert "Wrong boxes of the model marked" in page
        assert "since 2026-" in page, "the first reader became slower"
        assert "Krippendorff" in page
        assert " style=" not in page
        assert "<script" not in page

    def test_sees_every_reader_through_the_api(self, client: TestClient) -> None:
        answer = client.get("/api/v1/readers/quality", headers=bearer("manager")).json()

        assert answer["adjudicated_images"] == 60
        assert {row["reader_id"] for row in answer["readers"]} == {OWN, *OTHERS}
        first = answer["readers"][0]
        assert first["f1"] > answer["readers"][-1]["f1"]
        overall = first["overall"]["sensitivity"]
        assert overall["low"] < overall["value"] < overall["high"]
        assert [table["reference"] for table in answer["automation_bias"]] == [
            "adjudicated images",
            "the other readers",
        ]

    def test_may_ask_about_one_reader(self, client: TestClient) -> None:
        path = f"/api/v1/readers/quality?reader={OTHERS[0]}"
        answer = client.get(path, headers=bearer("manager")).json()

        assert [row["reader_id"] for row in answer["readers"]] == [OTHERS[0]]

    def test_sees_the_agreement(self, client: TestClient) -> None:
        answer = client.get("/api/v1/readers/agreement", headers=bearer("manager")).json()

        assert answer["matrix"]["readers"] == [OWN, *OTHERS]
        assert answer["findings"]["Cardiomegaly"]["on_images"]["alpha"]["estimate"] is not None


@pytest.mark.usefixtures("crowd")
class TestReader:
    def test_walks_everywhere_and_finds_nobody_else(self, client: TestClient) -> None:
        sign_in(client, "own")
        pages = walk(client)

        assert "/quality" in pages
        assert f"How you read, {OWN}" in pages["/quality"]
        for path, page in pages.items():
            assert not [one for one in (*OTHERS, "R8", "R9") if one in page], path

    def test_finds_no_figure_of_another(self, client: TestClient) -> None:
        sign_in(client, "own")
        page = client.get("/quality").text
        told = client.get("/api/v1/readers/quality", headers=bearer("own")).json()
        everybody = client.get("/api/v1/readers/quality", headers=bearer("manager")).json()

        assert [row["reader_id"] for row in told["readers"]] == [OWN]
        assert told["automation_bias"] is None
        shown = set(re.findall(r"(\d+ of \d+)</td>", page))
        for row in everybody["readers"]:
            counts = {
                f"{one['found']} of {one['lesions']}"
                for one in row["by_finding"]
                if one["lesions"] > 3
            }
            assert (counts <= shown) == (row["reader_id"] == OWN)

    def test_is_refused_the_figures_of_another(self, client: TestClient) -> None:
        for path in (
            f"/api/v1/readers/quality?reader={OTHERS[0]}",
            "/api/v1/readers/quality?reader=nobody",
            "/api/v1/readers/agreement",
        ):
            assert client.get(path, headers=bearer("own")).status_code == 403, path

    def test_is_compared_with_nobody_in_particular(self, client: TestClient) -> None:
        told = client.get("/api/v1/readers/quality", headers=bearer("own")).json()

        assert told["others"]["readers"] == 5
        assert 0 < told["others"]["sensitivity"] < 1
        sign_in(client, "own")
        assert "Median of 5 others" in client.get("/quality").text

    def test_without_a_reading_is_told_so(self, client: TestClient) -> None:
        sign_in(client, "r8")

        assert "Nothing is known yet" in client.get("/quality").text
        told = client.get("/api/v1/readers/quality", headers=bearer("r8")).json()
        assert told["readers"] == []


@pytest.mark.usefixtures("crowd")
class TestReaderOfToday:
    def test_learns_nothing_from_figures_that_move(
        self, client: TestClient, crowd: Store, clock: Clock
    ) -> None:
        sign_in(client, "own")
        pages, told = [], []
        with crowd.snapshot() as unit:
            settled = sorted(adjudicated_images(unit))
            read = unit.images.readers_by_image()
        fresh = next(one for one in settled if OWN not in read[one])

        for _ in range(2):
            pages.append(client.get("/quality").text)
            told.append(client.get("/api/v1/readers/quality", headers=bearer("own")).json())
            with crowd.transaction() as unit:
                if unit.readings.current(fresh, OWN) is None:
                    unit.readings.add([Reading(fresh, OWN, (), NOW)], Receipt(NOW))
        assert pages[0] == pages[1]
        assert told[0] == told[1]

        clock.pass_by(timedelta(days=1))
        after = client.get("/api/v1/readers/quality", headers=bearer("own")).json()
        counts = [one["readers"][0]["judged_readings"] for one in (told[1], after)]
        assert counts[1] == counts[0] + 1


class TestBeforeAnythingIsRead:
    @pytest.mark.parametrize("who", ["r8", "manager"])
    def test_the_page_says_so(self, client: TestClient, who: str) -> None:
        sign_in(client, who)

        assert "Nothing is known yet" in client.get("/quality").text
        told = client.get("/api/v1/readers/quality", headers=bearer(who)).json()
        assert told["readers"] == []
