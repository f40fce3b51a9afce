"""Nothing but /health answers a stranger."""

from typing import NamedTuple

import pytest
from fastapi import FastAPI
from fastapi.routing import iter_route_contexts
from starlette.routing import Mount
from starlette.testclient import TestClient

from backend.store.accounts import Account
from backend.store.unit_of_work import Store
from tests.api.conftest import NOW, bearer, sign_in

OPEN = {"/health", "/", "/sign-in", "/static"}
"""The sign-in page, its form and its style are there for those who have no session yet."""

LEADS_TO_SIGN_IN = {"/worklist", "/quality", "/sign-out"}
READERS_MAY = {
    "/ready",
    "/api/v1/worklist",
    "/api/v1/images/{image_id}",
    "/api/v1/images/{image_id}/history",
    "/api/v1/openapi.json",
    "/api/v1/readers/quality",
}


FORGED_COOKIE = {"Cookie": "overread_session=x"}


class Route(NamedTuple):
    method: str
    path: str

    @property
    def url(self) -> str:
        return self.path.format(image_id="a")


def routes_of(app: FastAPI) -> list[Route]:
    found = []
    for context in iter_route_contexts(app.routes):
        if isinstance(context.original_route, Mount):
            found.append(Route("GET", context.original_route.path))
            continue
        methods = context.methods or set()
        found += [Route(method, str(context.path)) for method in sorted(methods)]
    return found


class TestEveryRoute:
    def test_is_known_to_this_test(self, app: FastAPI) -> None:
        paths = {route.path for route in routes_of(app)}
        assert paths == OPEN | LEADS_TO_SIGN_IN | READERS_MAY | {
            "/metrics",
            "/webhooks/label-studio",
            "/images/{image_id}.png",
            "/api/v1/status",
            "/api/v1/queue",
            "/api/v1/skipped",
            "/api/v1/models",
            "/api/v1/releases",
            "/api/v1/sync",
            "/api/v1/readers/agreement",
        }

    def test_refuses_strangers(self, app: FastAPI, client: TestClient) -> None:
        guarded = [one for one in routes_of(app) if one.path not in OPEN | LEADS_TO_SIGN_IN]
        for route in guarded:
            for headers in ({}, {"Authorization": "Bearer wrong"}, FORGED_COOKIE):
                answer = client.request(route.method, route.url, headers=headers)
                assert answer.status_code in {401, 403}, route
                if answer.status_code == 401:
                    assert answer.headers["www-authenticate"].startswith("Bearer"), route
                assert answer.headers["content-type"] == "application/problem+json", route

    def test_leads_strangers_to_the_sign_in_page(self, client: TestClient) -> None:
        assert client.get("/worklist").headers["location"] == "/"
        assert client.get("/quality").headers["location"] == "/"
        assert client.post("/sign-out").headers["location"] == "/"

    @pytest.mark.enable_socket  # a sync looks for Label Studio, and finds nobody
    def test_lets_only_managers_do_a_managers_work(self, app: FastAPI, client: TestClient) -> None:
        for route in routes_of(app):
            if not route.path.startswith(("/api", "/metrics")) or route.path in READERS_MAY:
                continue
            answer = client.request(route.method, route.url, headers=bearer("r8"))
            assert answer.status_code == 403, route
            for name in ("manager", "admin"):
                answer = client.request(route.method, route.url, headers=bearer(name))
                assert answer.status_code == 200, route


class TestBearerToken:
    @pytest.mark.parametrize(
        "authorization",
        ["", "Bearer", "Bearer ", "Basic cjg6eA==", "Token ovr_token-of-r8", "Bearer ovr_token"],
    )
    def test_is_refused_when_it_is_not_one(self, client: TestClient, authorization: str) -> None:
        answer = client.get("/api/v1/worklist", headers={"Authorization": authorization})
        assert answer.status_code == 401

    def test_ends_with_its_account(self, client: TestClient, furnished: Store) -> None:
        assert client.get("/ready", headers=bearer("manager")).status_code == 200
        with furnished.transaction() as unit:
            unit.accounts.put(Account("manager@example.org", "manager"), now=NOW)
        assert client.get("/ready", headers=bearer("manager")).status_code == 401


class TestSessionCookie:
    def test_opens_what_only_reads(self, client: TestClient) -> None:
        sign_in(client, "manager")
        assert client.get("/api/v1/status").status_code == 200

    @pytest.mark.enable_socket
    def test_changes_nothing_without_the_pages_token(self, client: TestClient) -> None:
        csrf = sign_in(client, "manager")
        assert client.post("/api/v1/sync").status_code == 403
        forged = client.post("/api/v1/sync", headers={"X-CSRF-Token": "0" * 64})
        assert forged.status_code == 403
        assert client.post("/api/v1/sync", headers={"X-CSRF-Token": csrf}).status_code == 200
