"""HTTP server of Label Studio's ML protocol."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from http import HTTPStatus

import httpx2
from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse
from prometheus_client import CONTENT_TYPE_LATEST

from backend.formats.image_cache import ImageCache
from backend.settings import Settings
from backend.store.unit_of_work import Store
from ml_backend import protocol
from ml_backend.admission import Admission, BusyError
from ml_backend.body_limit import BodyLimit
from ml_backend.front_door import FrontDoor, password
from ml_backend.image_source import ImageSource
from ml_backend.inference_queue import InferenceQueue
from ml_backend.live_model import LiveModel
from ml_backend.metrics import Metrics
from ml_backend.pre_annotate import PreAnnotator
from ml_backend.task_images import TaskImages

_LARGEST_EVENT_BYTES = 1024 * 1024
_REQUESTS_AT_A_TIME = 64
_RETRY_AFTER_SECONDS = "10"


def create_app(
    settings: Settings,
    live_model: LiveModel,
    *,
    store: Store | None = None,
    transport: httpx2.BaseTransport | None = None,
) -> FastAPI:
    """Return the server.

    `/predict` works in threads of its own, so `/health` and `/setup`, which Label Studio asks
    on every page load and waits one and three seconds for, answer meanwhile.

    Parameters
    ----------
    settings : Settings
        Secrets, and where images may come from.
    live_model : LiveModel
        What serves.
    store : Store or None
        The database, when images that are registered in it are read from this machine.
    transport : httpx2.BaseTransport or None
        How images are fetched; the network when None.

    Returns
    -------
    FastAPI
        The application.
    """
    metrics = Metrics(live_model)
    queue = InferenceQueue(metrics)
    source = ImageSource((settings.backend_url, settings.label_studio_url), transport=transport)
    cache = ImageCache(settings.image_cache_dir, settings.image_cache_bytes)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        with queue:
            yield
        source.close()

    app = FastAPI(title="Overread ML backend", lifespan=lifespan, docs_url=None, redoc_url=None)
    app.add_middleware(
        BodyLimit,
        limit_bytes=int(settings.predict_request_mb * 1e6),
        lower_bytes={"/webhook": _LARGEST_EVENT_BYTES, "/health": 0},  # anybody may knock there
    )
    app.add_middleware(FrontDoor, secret=password(settings), metrics=metrics)
    _answer_small_questions(app, live_model, metrics, cache)
    images = TaskImages(source, settings, store=store, cache=cache)
    annotator = PreAnnotator(images, queue, metrics)
    admission = Admission(settings.waiting_images)
    metrics.watch(lambda: admission.waiting)
    _answer_predict(app, live_model, annotator, admission)
    _answer_events(app)
    return app


def _answer_small_questions(
    app: FastAPI, live_model: LiveModel, metrics: Metrics, cache: ImageCache
) -> None:
    @app.get("/health")
    async def health() -> protocol.HealthAnswer:
        return protocol.HealthAnswer(
            model_version=live_model.model_version, runtime=live_model.runtime
        )

    @app.post("/setup")
    async def setup() -> protocol.SetupAnswer:
        return protocol.SetupAnswer(model_version=live_model.model_version)

    @app.get("/versions")
    async def versions() -> protocol.VersionsAnswer:
        return protocol.VersionsAnswer(versions=[live_model.model_version])

    @app.get("/metrics")
    def figures() -> Response:  # in a thread: the first time, it looks through the cache
        text = metrics.as_text(cache)
        return Response(text, media_type=CONTENT_TYPE_LATEST)


def _answer_predict(
    app: FastAPI, live_model: LiveModel, annotator: PreAnnotator, admission: Admission
) -> None:
    threads = ThreadPoolExecutor(_REQUESTS_AT_A_TIME, "predict")

    @app.post("/predict")
    async def predict(asked: protocol.PredictRequest) -> Response:
        if asked.is_interactive:
            empty = protocol.nothing_to_suggest(live_model.model_version)
            return JSONResponse({"results": [empty for _ in asked.tasks]})
        came, detector, findings = time.monotonic(), live_model.current(), asked.findings

        def answer() -> bytes:  # encoded here, so that /health need not wait for it
            results = annotator.answer(asked.tasks, detector, findings=findings, asked_at=came)
            return json.dumps({"results": results}).encode()

        with admission.admitted(len(asked.tasks)):
            loop = asyncio.get_running_loop()
            body = await loop.run_in_executor(threads, answer)
        return Response(body, media_type="application/json")

    @app.exception_handler(BusyError)
    async def come_again(_: Request, problem: Exception) -> Response:
        return JSONResponse(
            {"detail": str(problem)},
            status_code=HTTPStatus.SERVICE_UNAVAILABLE,
            headers={"Retry-After": _RETRY_AFTER_SECONDS},
        )

    @app.exception_handler(protocol.UnknownFormError)
    async def not_on_this_form(_: Request, problem: Exception) -> Response:
        return JSONResponse({"detail": str(problem)}, status_code=HTTPStatus.UNPROCESSABLE_ENTITY)


def _answer_events(app: FastAPI) -> None:
    @app.post("/webhook")
    async def webhook(request: Request) -> Response:
        if await _action(request) == "START_TRAINING":
            return JSONResponse(protocol.TrainingAnswer().model_dump())
        return Response(status_code=HTTPStatus.NO_CONTENT)


async def _action(request: Request) -> str | None:
    try:
        event = json.loads(await request.body())
    except (ValueError, RecursionError):  # the latter of brackets in brackets
        return None
    return event.get("action") if isinstance(event, dict) else None
