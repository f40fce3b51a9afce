"""`overread doctor`: what is configured, reachable, migrated, and how to mend the rest."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from typing import Annotated

import httpx2
import typer

from backend.desk import open_desk
from backend.label_studio.connection import LabelStudioError
from backend.local_services.processes import is_local
from backend.settings import Settings
from backend.store import schema
from backend.store.unit_of_work import Store, StoreUnavailableError
from backend.terminal import console, print_json

_TIMEOUT_SECONDS = 3.0


class NotWellError(RuntimeError):
    """Something needs mending."""


@dataclass(frozen=True, slots=True)
class Checkup:
    """What was looked at, and what is to be done about it.

    Attributes
    ----------
    what : str
        What was looked at.
    state : str
        How it is.
    remedy : str or None
        What to do; None when it is well.
    """

    what: str
    state: str
    remedy: str | None = None


def doctor(
    *, as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False
) -> None:
    """Say what is configured, reachable and migrated; end with 1 when something needs mending."""
    settings = Settings()
    checkups = list(_examine(settings))
    if as_json:
        print_json([asdict(checkup) for checkup in checkups])
    else:
        for checkup in checkups:
            mark = "[green]ok[/]  " if checkup.remedy is None else "[red]mend[/]"
            console.print(f"{mark} {checkup.what}: ", end="")
            console.print(checkup.state, markup=False)
            if checkup.remedy:
                console.print(f"     -> {checkup.remedy}", markup=False)
    ill = [checkup.what for checkup in checkups if checkup.remedy]
    if ill:
        raise NotWellError(f"to be mended: {', '.join(ill)}")


def _examine(settings: Settings) -> Iterator[Checkup]:
    yield from _database(settings)
    yield _server(
        "Label Studio",
        f"{settings.label_studio_url}/health",
        "start it: overread up; or set OVERREAD_LABEL_STUDIO_URL",
    )
    yield _server(
        "backend",
        f"{settings.backend_url}/health",
        "start it: overread up; or set OVERREAD_BACKEND_URL",
    )
    yield _ml_backend(settings)
    yield _label_studio_command(settings)
    yield Checkup(
        "training and scoring",
        "torch is installed" if find_spec("torch") else "torch is not installed on this machine",
    )


def _database(settings: Settings) -> Iterator[Checkup]:
    kind = settings.sqlalchemy_url.partition(":")[0]
    store = Store(settings.sqlalchemy_url)
    try:
        store.check()
        is_old = schema.pending(settings.sqlalchemy_url)
    except StoreUnavailableError as error:
        yield Checkup("database", f"{kind} does not answer", str(error))
        return
    yield Checkup(
        "database",
        f"{kind}, {'not migrated' if is_old else 'migrated'}",
        "migrate it: overread db upgrade" if is_old else None,
    )
    if not is_old:
        yield _champion(store)
        yield from _readers(settings, store)


def _champion(store: Store) -> Checkup:
    with store.snapshot() as unit:
        champion = unit.models.champion()
    if champion is None:
        return Checkup("model", "none yet; images are queued at random and read unassisted")
    return Checkup("model", f"{champion.name} is champion")


def _readers(settings: Settings, store: Store) -> Iterator[Checkup]:
    with store.snapshot() as unit:
        projects = unit.readers.projects()
    for project in projects:
        what = f"project of {project.reader_id}"
        try:
            with open_desk(settings).open_client(project.reader_id) as client:
                client.stream_url(project.project_id)
        except LabelStudioError as error:
            yield Checkup(what, str(error), f"mend it: overread readers add {project.reader_id}")
        else:
            yield Checkup(what, "reachable, in an organisation of its own: blinding is enforced")


def _label_studio_command(settings: Settings) -> Checkup:
    command = settings.label_studio_command
    if command.exists():
        return Checkup("label-studio command", str(command))
    if is_local(settings.label_studio_url):
        return Checkup(
            "label-studio command",
            f"{command} is not there",
            "`overread up` installs it; or set OVERREAD_LABEL_STUDIO_COMMAND",
        )
    return Checkup("label-studio command", "not on this machine; readers are added elsewhere")


def _ml_backend(settings: Settings) -> Checkup:
    url = f"{settings.ml_backend_url}/health"
    checkup = _server("ML backend", url, "start it: overread up; or set OVERREAD_ML_BACKEND_URL")
    if checkup.remedy:
        return checkup
    try:
        answer = httpx2.get(url, timeout=_TIMEOUT_SECONDS).json()
        serves = f"; {answer['model_version']} on {answer['runtime']}"
    except (httpx2.HTTPError, ValueError, KeyError, TypeError):
        serves = ", but not as an ML backend of this version does"
    return Checkup(checkup.what, checkup.state + serves)


def _server(name: str, url: str, remedy: str) -> Checkup:
    try:
        status = httpx2.get(url, timeout=_TIMEOUT_SECONDS).status_code
    except httpx2.HTTPError as error:
        return Checkup(name, f"{url} does not answer ({type(error).__name__})", remedy)
    if status != httpx2.codes.OK:
        return Checkup(name, f"{url} answers {status}", remedy)
    return Checkup(name, f"answers at {url}")
