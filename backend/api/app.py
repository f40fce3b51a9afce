"""The server, put together."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime

from fastapi import FastAPI

from backend import __doc__ as about
from backend.accounts import Sessions
from backend.api.front_door import FrontDoor
from backend.api.hint_worker import HintWorker
from backend.api.metrics import Metrics
from backend.api.office import Office
from backend.api.problems import add_problem_handlers
from backend.api.routes import (
    description,
    image_details,
    images,
    operations,
    progress,
    readers,
    syncs,
    versions,
    webhooks,
)
from backend.api.sync_worker import SyncWorker
from backend.dashboard import pages
from backend.dashboard.lobby import Lobby
from backend.desk import open_desk
from backend.settings import Settings
from backend.store.unit_of_work import Store
from backend.workflow.reader_reports import ReaderReports

_LARGEST_BODY_BYTES = 1024 * 1024
_ROUTERS = (
    operations.router,
    webhooks.router,
    images.router,
    progress.router,
    readers.router,
    versions.router,
    image_details.router,
    syncs.router,
    description.router,
)


def wall_clock() -> datetime:
    """Return the time.

    Returns
    -------
    datetime
        In UTC.
    """
    return datetime.now(UTC)  # noqa: TID251 - the server is where the clock is read


def create_app(
    settings: Settings,
    *,
    clock: Callable[[], datetime] = wall_clock,
    start_workers: bool = True,
) -> FastAPI:
    """Return the server.

    Parameters
    ----------
    settings : Settings
        Where everything is.
    clock : callable
        Gives the time; aware.
    start_workers : bool
        Whether hints are followed and syncs run by themselves while the server is up.

    Returns
    -------
    FastAPI
        The application; nothing is contacted before it starts.
    """
    store = Store(settings.sqlalchemy_url)
    office = _furnish(settings, store, clock)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        if start_workers:
            office.hints.start()
            office.syncs.start()
        yield
        office.hints.stop()
        office.syncs.stop()
        store.close()

    app = FastAPI(
        title="Overread",
        description=about or "",
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        max_body_size=_LARGEST_BODY_BYTES,
    )
    app.state.office = office
    app.add_middleware(FrontDoor, settings=settings, metrics=office.metrics)
    add_problem_handlers(app)
    for router in _ROUTERS:
        app.include_router(router)
    lobby = Lobby(settings, store, office.sessions, clock, office.reports)
    app.include_router(pages.create_router(lobby))
    app.mount("/static", pages.static_files(), name="static")
    return app


def _furnish(settings: Settings, store: Store, clock: Callable[[], datetime]) -> Office:
    desk, metrics = open_desk(settings), Metrics()
    return Office(
        settings=settings,
        store=store,
        sessions=Sessions(settings.derived_secret("session")),
        metrics=metrics,
        hints=HintWorker(store, desk, metrics, clock=clock),
        syncs=SyncWorker(
            store, desk, metrics, clock=clock, every_seconds=settings.sync_every_seconds
        ),
        clock=clock,
        reports=ReaderReports(store),
    )
