"""`overread doctor`: what is configured, reachable, migrated, and how to mend the rest."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from typing import Annotated

import httpx2
import typer

from backend.desk import open_desk
from backend.label_studio import blinding
from backend.label_studio.connection import LabelStudioError
from backend.local_services.processes import is_local
from backend.settings import Settings
from backend.store import schema
from backend.store.readers import ReaderProject
from backend.store.unit_of_work import Store, StoreUnavailableError
from backend.terminal import console, print_json

_TIMEOUT_SECONDS = 3.0
_BUILD_THE_WALL = (
    "start Label Studio with Overread's wall: overread up does; elsewhere set its environment "
    "as docs/operations.md says under `How readers are kept apart`"
)
_SHARED = (
    "to have it enforced, give Overread the server's shell (OVERREAD_LABEL_STUDIO_COMMAND), unset "
    "OVERREAD_LABEL_STUDIO_ADMIN_TOKEN and add the readers again"
)


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
    advice : str or None
        What could be better, where it works as it was set up.
    """

    what: str
    state: str
    remedy: str | None = None
    advice: str | None = None


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
            if checkup.advice:
                console.print(f"     {checkup.advice}", markup=False)
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
    yield _image_cache(settings)
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
        yield from blinding_of_readers(settings, store)


def _champion(store: Store) -> Checkup:
    with store.snapshot() as unit:
        champion = unit.models.champion()
    if champion is None:
        return Checkup("model", "none yet; images are queued at random and read unassisted")
    return Checkup("model", f"{champion.name} is champion")


def blinding_of_readers(settings: Settings, store: Store) -> Iterator[Checkup]:
    """Try, for every reader, what the reader could try to see of another one.

    Parameters
    ----------
    settings : Settings
        Where Label Studio is, and its secrets.
    store : Store
        Who reads.

    Yields
    ------
    Checkup
        One per reader.
    """
    with store.snapshot() as unit:
        projects = unit.readers.projects()
    for number, project in enumerate(projects):
        neighbour = projects[number - 1]
        others = [neighbour.project_id] if neighbour is not project else []
        try:
            yield _blinding(settings, project, others)
        except LabelStudioError as error:
            yield Checkup(
                f"project of {project.reader_id}",
                str(error),
                f"mend it: overread readers add {project.reader_id}",
            )


def _blinding(settings: Settings, project: ReaderProject, others: list[int]) -> Checkup:
    what = f"project of {project.reader_id}"
    with open_desk(settings).open_client(project.reader_id) as client:
        client.stream_url(project.project_id)
        if settings.label_studio_admin_token is not None:
            state = "reachable; blinding is procedural: readers share one organisation"
            return Checkup(what, state, advice=_SHARED)
        gaps = blinding.gaps(client.connection, others)
    if gaps:
        state = f"reachable; blinding is not enforced, only procedural: {'; '.join(gaps)}"
        return Checkup(what, state, _BUILD_THE_WALL)
    tried = "other readers' work was refused" if others else "there is no other reader to try yet"
    return Checkup(what, f"reachable; blinding is enforced: {tried}")


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


def _image_cache(settings: Settings) -> Checkup:
    # Imported here, because it takes a moment and is of no use elsewhere.
    from backend.formats.image_cache import ImageCache  # noqa: PLC0415

    cache = ImageCache(settings.image_cache_dir, settings.image_cache_bytes)
    state = f"{cache.kept_bytes / 1e9:.1f} GB of at most {settings.image_cache_gb:g} GB"
    if cache.has_room():
        return Checkup("image cache", state)
    more = "scoring reads what is left out from the originals; OVERREAD_IMAGE_CACHE_GB keeps more"
    return Checkup("image cache", f"{state}; full", advice=more)


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
