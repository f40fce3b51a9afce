"""The commands of `overread` that need torch; the command line finds them by entry point.

What one of them needs alone is imported by it: Label Studio waits for the server to come back.
"""

from typing import TYPE_CHECKING, Annotated

import typer

from backend.opened import open_store
from backend.settings import Settings
from backend.terminal import Steps, console, now, print_json, print_skipped

if TYPE_CHECKING:
    from ml_backend.score_pool import ScoreReport

AsJson = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]


class NoChampionError(LookupError):
    """There is no model to score with."""


def score(*, as_json: AsJson = False) -> None:
    """Pre-annotate and score the unread pool with the champion."""
    from backend.formats.image_cache import ImageCache  # noqa: PLC0415
    from ml_backend.open_detector import open_detector  # noqa: PLC0415
    from ml_backend.score_pool import score_pool  # noqa: PLC0415

    settings = Settings()
    store = open_store(settings)
    with store.snapshot() as unit:
        champion = unit.models.champion()
    if champion is None:
        raise NoChampionError("no model version is champion yet; train one: overread retrain")
    with Steps() as steps:
        report = score_pool(
            store,
            open_detector(settings, champion),
            clock=now,
            cache=ImageCache(settings.image_cache_dir, settings.image_cache_bytes),
            on_start=lambda total: steps.step(f"scoring with {champion.name}", total),
            on_images=steps.advance_by,
        )
    _show_score(report, as_json=as_json)


def retrain(
    *,
    force: Annotated[
        bool, typer.Option(help="Train even if nothing was read since the last run.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Cut a dataset version, train a challenger, and let it pass the gate or not."""
    from ml_backend.retrain import retrain as train_a_challenger  # noqa: PLC0415

    settings = Settings()
    with Steps() as steps:
        report = train_a_challenger(
            open_store(settings), settings, clock=now, progress=steps, force=force
        )
    print_skipped(report.skipped)
    if as_json:
        print_json(report.as_json())
    else:
        console.print(report.sentence(), markup=False)


def serve_ml() -> None:
    """Serve the detector to Label Studio (the ML backend)."""
    import uvicorn  # noqa: PLC0415

    from ml_backend.app import create_app  # noqa: PLC0415
    from ml_backend.champion_watch import ChampionWatch  # noqa: PLC0415
    from ml_backend.live_model import LiveModel  # noqa: PLC0415

    settings = Settings()
    store = open_store(settings)
    live_model = LiveModel()
    watch = ChampionWatch(settings, store, live_model)
    watch.start()
    try:
        uvicorn.run(
            create_app(settings, live_model, store=store),
            host=settings.ml_backend_host,
            port=settings.ml_backend_port,
            log_level=settings.log_level.lower(),
            access_log=False,
        )
    finally:
        watch.stop()


def _show_score(report: "ScoreReport", *, as_json: bool) -> None:
    print_skipped(report.failed)
    if as_json:
        print_json(
            {
                "model_version": report.model_version,
                "scored": report.scored,
                "failed": [{"what": item.what, "why": item.why} for item in report.failed],
            }
        )
    else:
        console.print(f"{report.scored} images scored with {report.model_version}")
