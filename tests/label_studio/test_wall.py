"""The wall: everything that Label Studio answers at, asked with another reader's credentials."""

import json
import re
import uuid
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field

import httpx2
import pytest

from backend.domain.readings import Arm
from backend.label_studio.client import LabelStudioClient
from backend.label_studio.connection import Connection, LabelStudioError
from backend.label_studio.projects import ReadingProject, ensure_reading_project
from backend.label_studio.regions import no_finding_item
from backend.label_studio.tasks import prediction_of_entry, task_data
from tests.label_studio.conftest import FORM, Organisation
from tests.label_studio.routes import Route, routes_of
from tests.label_studio_server import LabelStudioServer

pytestmark = [
    pytest.mark.label_studio,
    pytest.mark.enable_socket,
    pytest.mark.xdist_group("label_studio"),
    pytest.mark.timeout(600),
]

PLANTED = f"planted{uuid.uuid4().hex[:8]}"
WRITES = ("POST", "PUT", "PATCH", "DELETE")
# Label Studio's own files, the way out, and a page that fails on purpose.
ASIDE = re.compile(
    r"^/(static|react-app|dm|label-studio-frontend|sw|favicon|user/login|logout|trigger500"
    r"|data/avatars|__lsa|admin|django-rq|api-auth)\b"
)


@dataclass
class Victim:
    """A reader with one of everything, each of it recognisable."""

    organisation: Organisation
    ids: dict[str, int] = field(default_factory=dict)
    marks: list[str] = field(default_factory=list)

    @property
    def keys(self) -> list[int]:
        return sorted(set(self.ids.values()))

    @property
    def questions(self) -> list[str]:
        """Query strings with which lists are asked for what is the victim's."""
        project, task = self.ids["project"], self.ids["task"]
        return [
            "",
            f"project={project}&fields=all&id=next_task",
            f"project={project}&task={task}&view={self.ids['view']}&exportType=JSON",
        ]

    def found_in(self, text: str) -> list[str]:
        return [mark for mark in self.marks if mark in text]


@pytest.fixture(scope="module")
def victim(organisations: tuple[Organisation, Organisation]) -> Victim:
    """Give the first reader a project with task, prediction, annotation, draft and webhook."""
    one = organisations[0]
    project = ensure_reading_project(
        one.client,
        ReadingProject(f"Worklist {PLANTED}", FORM.read_text(), "http://127.0.0.1:9/", PLANTED),
    )
    data = [
        task_data(entry=n, image_id=f"{PLANTED}-{n}", image_url="http://127.0.0.1:9/", arm=arm)
        for n, arm in enumerate(Arm, start=1)
    ]
    tasks = one.client.import_tasks(project, data)
    shown = [
        prediction_of_entry(task_id=task, rank=rank, arm=Arm.UNASSISTED, result=[])
        for rank, task in enumerate(tasks)
    ]
    one.client.set_predictions(project, f"version-{PLANTED}", shown)
    opened = one.session.next_task(project)
    assert opened is not None
    annotation = one.session.submit(opened, [no_finding_item()], lead_time_seconds=1)
    drafting = one.session._connection
    draft = drafting.ask(
        "POST", f"/api/tasks/{tasks[1]}/drafts", body={"result": [no_finding_item()]}
    )
    service = one.client._connection
    views = service.ask("GET", "/api/dm/views", params={"project": project})
    webhooks = service.ask("GET", "/api/webhooks/", params={"project": project})
    token = str(drafting.ask("GET", "/api/current-user/token")["token"])
    return Victim(
        one,
        {
            "project": project,
            "task": tasks[0],
            "drafted": tasks[1],
            "annotation": annotation,
            "draft": int(draft["id"]),
            "prediction": opened.predictions[0].id,
            "view": views[0]["id"],
            "webhook": webhooks[0]["id"],
            "user": one.keys.user_id,
            "service": one.keys.service_user_id,
            "organisation": one.keys.organisation_id,
        },
        [
            PLANTED,
            one.account.email,
            one.account.service_email,
            one.account.service_token,
            f"Reader {one.account.reader_id}",
            token,
        ],
    )


@pytest.fixture(scope="module")
def routes(server: LabelStudioServer) -> list[Route]:
    """List what there is to ask, but for Label Studio's own files."""
    found = routes_of(server)
    assert len(found) > 300
    assert [route.path for route in found if not route.is_understood] == []
    return [route for route in found if not ASIDE.match(route.path)]


@pytest.fixture(scope="module")
def stranger(
    server: LabelStudioServer, organisations: tuple[Organisation, Organisation]
) -> Iterator[httpx2.Client]:
    """Return the second reader with an API token."""
    token = organisations[1].session._connection.token
    headers = {"Authorization": f"Token {token}"}
    with httpx2.Client(base_url=server.base_url, headers=headers, timeout=60) as client:
        yield client


@pytest.fixture(scope="module")
def stranger_in_a_browser(
    server: LabelStudioServer, organisations: tuple[Organisation, Organisation]
) -> Iterator[httpx2.Client]:
    """Return the second reader with the cookies of a log-in, and no token."""
    account = organisations[1].account
    form = Connection(server.base_url, "")
    with form.http:
        form.log_in(account.email, account.password)
        yield form.http


def addresses(routes: Sequence[Route], victim: Victim) -> list[str]:
    named: dict[str, Sequence[object]] = {
        "entity_name": ["task", "annotation", "project"],
        "action_id": ["next_task"],
        "filename": [PLANTED],
        "path": [PLANTED],
        "sub_path": ["general"],
        "job_id": ["1"],
        "key": ["1"],
        "token": ["1"],
        "annotation_id": [victim.ids["annotation"]],
        "user_pk": [victim.ids["user"], victim.ids["service"]],
    }
    return [path for route in routes for path in route.filled(named, victim.keys)]


def leaks(client: httpx2.Client, paths: Sequence[str], victim: Victim) -> dict[str, list[str]]:
    """Return which addresses tell something of the victim, and what."""

    def look(address: str) -> tuple[str, list[str]]:
        answer = client.get(address)
        # An answer may repeat the question.
        return address, victim.found_in(answer.text.replace(address, ""))

    # Lists are asked for what is the victim's; a single thing is named by its number already.
    asked = [
        f"{path}?{query}"
        for path in paths
        for query in (victim.questions[:1] if re.search(r"\d", path) else victim.questions)
    ]
    with ThreadPoolExecutor(4) as pool:
        return {address: found for address, found in pool.map(look, asked) if found}


def snapshot(victim: Victim) -> dict[str, str]:
    """Return everything of the victim as the service sees it, one line a value."""
    connection = victim.organisation.client._connection
    project = victim.ids["project"]
    seen = {
        path: connection.ask("GET", path)
        for path in (
            f"/api/projects/{project}/",
            f"/api/tasks/?project={project}&fields=all",
            f"/api/dm/views/?project={project}",
            "/api/webhooks/",
            "/api/users/",
            "/api/organizations/",
            "/api/invite",
            f"/api/predictions/?project={project}",
            f"/api/tasks/{victim.ids['drafted']}/drafts",
        )
    }
    return {
        place: value for place, value in lines(seen) if not re.search("last_activity|_ago", place)
    }


def lines(value: object, place: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from lines(inner, f"{place}.{name}")
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            yield from lines(inner, f"{place}[{number}]")
    else:
        yield place, json.dumps(value)


class TestWall:
    def test_lets_a_walk_find_what_is_there(self, routes: list[Route], victim: Victim) -> None:
        """So that finding nothing means something: the victim's own service sees it all."""
        connection = victim.organisation.client._connection
        found = leaks(connection.http, addresses(routes, victim), victim)

        marks = {mark for seen in found.values() for mark in seen}
        assert {PLANTED, victim.organisation.account.email} <= marks
        assert len({path.partition("?")[0] for path in found}) >= 20

    def test_shows_another_reader_nothing_by_token(
        self, routes: list[Route], victim: Victim, stranger: httpx2.Client
    ) -> None:
        assert leaks(stranger, addresses(routes, victim), victim) == {}

    def test_shows_another_reader_nothing_in_the_browser(
        self, routes: list[Route], victim: Victim, stranger_in_a_browser: httpx2.Client
    ) -> None:
        assert leaks(stranger_in_a_browser, addresses(routes, victim), victim) == {}

    def test_lets_another_reader_change_nothing(
        self,
        routes: list[Route],
        organisations: tuple[Organisation, Organisation],
        victim: Victim,
        stranger: httpx2.Client,
    ) -> None:
        before = snapshot(victim)
        home = stranger.get("/api/current-user/whoami").json()["active_organization"]
        bodies: list[dict[str, object]] = [
            {"active_organization": victim.ids["organisation"], "project": victim.ids["project"]},
        ]

        def press(asked: tuple[str, str, dict[str, object]]) -> tuple[str, str, int]:
            method, path, body = asked
            query = f"?project={victim.ids['project']}&id=delete_tasks"
            return method, path, stranger.request(method, path + query, json=body).status_code

        asked = [
            (method, path, body)
            for path in addresses(routes, victim)
            for method in WRITES
            for body in bodies
        ]
        with ThreadPoolExecutor(4) as pool:
            done = [path for _, path, status in pool.map(press, asked) if status < 300]

        # An own task may have the number of one of the victim's other things.
        assert [path for path in done if not re.search(r"/(annotations|drafts)\b", path)] == []
        assert snapshot(victim) == before
        assert stranger.get("/api/current-user/whoami").json()["active_organization"] == home
        assert home == organisations[1].keys.organisation_id

    def test_lets_another_reader_move_nothing_over(
        self, organisations: tuple[Organisation, Organisation], victim: Victim
    ) -> None:
        """Neither an own annotation nor an own draft can be turned into one of the victim's."""
        before = snapshot(victim)
        other = organisations[1]
        project = ensure_reading_project(
            other.client,
            ReadingProject(f"Elsewhere {PLANTED}", FORM.read_text(), "http://127.0.0.1:9/", "k"),
        )
        data = task_data(
            entry=9, image_id="im9", image_url="http://127.0.0.1:9/", arm=Arm.ASSISTED
        )
        (task,) = other.client.import_tasks(project, [data])
        opened = other.session.next_task(project)
        assert opened is not None
        made = other.session.submit(opened, [no_finding_item()], lead_time_seconds=1)
        theirs = victim.ids
        over = {"task": theirs["task"], "project": theirs["project"]}
        ask = other.session._connection.ask

        draft = ask("POST", f"/api/tasks/{task}/drafts", body={**over, "result": []})["id"]
        for method, path, body in (
            ("POST", f"/api/annotations/{theirs['annotation']}/convert-to-draft", {}),
            ("PATCH", f"/api/annotations/{made}/", over),
            ("PATCH", f"/api/annotations/{made}/", {"task": theirs["task"]}),
            ("PATCH", f"/api/annotations/{made}/", {"project": theirs["project"]}),
            ("PATCH", f"/api/drafts/{draft}/", {"task": theirs["task"]}),
            ("PATCH", f"/api/drafts/{draft}/", {"annotation": theirs["annotation"]}),
            ("POST", f"/api/tasks/{theirs['task']}/annotations/", {"result": []}),
            ("POST", f"/api/tasks/{task}/annotations/", {**over, "draft_id": theirs["draft"]}),
            ("POST", f"/api/tasks/{theirs['drafted']}/drafts", {"result": []}),
            ("POST", f"/api/tasks/{task}/annotations/{theirs['annotation']}/drafts", {}),
        ):
            with suppress(LabelStudioError):  # whether it is refused or left out
                ask(method, path, body=body)

        assert snapshot(victim) == before
        state = other.client.task_state(project, task)
        assert state is not None
        assert made in [one.id for one in state.annotations]

    @pytest.mark.parametrize("method", ["PATCH", "PUT"])
    @pytest.mark.parametrize("elsewhere", ["organisation", None])
    def test_keeps_an_account_where_it_belongs(
        self,
        organisations: tuple[Organisation, Organisation],
        victim: Victim,
        stranger: httpx2.Client,
        method: str,
        elsewhere: str | None,
    ) -> None:
        """Also not nowhere: Label Studio puts whoever is nowhere into the first organisation."""
        own = organisations[1].keys
        body = {"active_organization": None if elsewhere is None else victim.ids[elsewhere]}
        answer = stranger.request(method, f"/api/users/{own.user_id}/", json=body)
        assert answer.status_code == 403
        whoami = stranger.get("/api/current-user/whoami").json()
        assert whoami["active_organization"] == own.organisation_id

    @pytest.mark.parametrize(
        ("method", "path"),
        [
            ("GET", "/api/invite"),
            ("POST", "/api/invite/reset-token"),
            ("POST", "/api/users/"),
            ("POST", "/api/organizations/"),
            ("GET", "/api/webhooks/"),
            ("POST", "/api/webhooks/"),
            ("POST", "/api/ml/"),
            ("POST", "/api/storages/localfiles/"),
            ("POST", "/api/token/"),
            ("POST", "/api/projects/"),
            ("POST", "/api/projects/{project}/import"),
            ("GET", "/api/projects/{project}/export?exportType=JSON"),
            ("PATCH", "/api/projects/{project}/"),
            ("DELETE", "/api/projects/{project}/"),
            ("POST", "/api/dm/actions?id=delete_tasks&project={project}"),
            ("POST", "/api/dm/actions?id=next_task&id=delete_tasks&project={project}"),
        ],
    )
    def test_keeps_a_reader_from_ruining_the_own_worklist(
        self, server: LabelStudioServer, victim: Victim, method: str, path: str
    ) -> None:
        own = Connection(server.base_url, victim.organisation.session._connection.token)
        with own.http:
            answer = own.http.request(method, path.format(**victim.ids), json={})
        assert answer.status_code == 403
        assert "Readers may not ask" in answer.text

    def test_refuses_a_sign_up_with_an_invitation_of_a_readers_organisation(
        self, server: LabelStudioServer, victim: Victim
    ) -> None:
        invite = victim.organisation.client._connection.ask("GET", "/api/invite")["token"]
        with httpx2.Client(base_url=server.base_url, timeout=60) as nobody:
            page = f"/user/signup/?token={invite}"
            nobody.get(page)
            form = {
                "csrfmiddlewaretoken": nobody.cookies["csrftoken"],
                "email": "intruder@example.com",
                "password": "long enough",
            }
            answer = nobody.post(page, data=form, headers={"Referer": f"{server.base_url}{page}"})
        assert answer.status_code == 403

    def test_does_not_let_a_reader_pass_as_a_service(
        self, server: LabelStudioServer, victim: Victim
    ) -> None:
        own = victim.organisation.session._connection.token
        headers = {"Authorization": f"Token {own}", "X-Overread-Act-As": "service"}
        with httpx2.Client(base_url=server.base_url, headers=headers, timeout=60) as reader:
            assert reader.get("/api/webhooks/").status_code == 403
            assert reader.get("/api/webhooks/", headers={"X-Api-Key": own}).status_code == 403


class TestSession:
    def test_reads_revises_and_withdraws_behind_the_wall(
        self, client: LabelStudioClient, organisations: tuple[Organisation, Organisation]
    ) -> None:
        """What reading takes stays possible; the browser's tests say so of the pages."""
        session = organisations[0].session
        project = ensure_reading_project(
            client,
            ReadingProject(f"To be read {PLANTED}", FORM.read_text(), "http://127.0.0.1:9/", "k"),
        )
        data = task_data(
            entry=9, image_id="im9", image_url="http://127.0.0.1:9/", arm=Arm.ASSISTED
        )
        client.import_tasks(project, [data])
        task = session.next_task(project)
        assert task is not None
        made = session.submit(task, [no_finding_item()], lead_time_seconds=1)
        session.revise(made, [no_finding_item()])
        session.withdraw(made)
        skipped = session.submit(task, [], lead_time_seconds=1, was_cancelled=True)
        # What "Cancel skip" asks for.
        session._connection.ask("POST", f"/api/annotations/{skipped}/convert-to-draft", body={})
        state = client.task_state(project, task.task_id)
        assert state is not None
        assert state.annotations == ()
