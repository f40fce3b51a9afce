"""The commands of `overread` that need torch; the command line finds them by entry point.

What one of them needs alone is imported by it: Label Studio waits for the server to come back.
"""

import logging
from typing import TYPE_CHECKING, Annotated

import typer

from backend.opened import open_store
from backend.settings import Settings
from backend.terminal import Steps, console, now, print_json, print_skipped

if TYPE_CHECKING:
    from ml_backend.score_pool import ScoreReport

_log = logging.getLogger(__name__)

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
    from ml_backend.retrain import Retrain  # noqa: PLC0415

    settings = Settings()
    with Steps() as steps:
        report = Retrain(open_store(settings), settings, now, steps).run(force=force)
    print_skipped(report.skipped)
    if as_json:
        print_json(report.as_json())
        return
    if report.model_version is None:
        console.print(f"nothing trained on {report.dataset_version}: {report.reason}")
        return
    standing = "is champion now" if report.promoted else "was turned away"
    console.print(
        f"{report.model_version}, trained on {report.dataset_version}, {standing}: {report.reason}"
    )


def nightly(
    *,
    schedule: Annotated[
        str | None,
        typer.Option(help='Run for ever at these times, cron form, e.g. "0 2 * * *".'),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Sync, reconcile, retrain, score, refill the worklists: once, or every night."""
    from backend.desk import open_desk, queue_rules, routing_rules  # noqa: PLC0415
    from backend.workflow.nightly import NightRules  # noqa: PLC0415
    from backend.workflow.nightly import nightly as work_through_the_night  # noqa: PLC0415
    from ml_backend.night_shift import NightShift  # noqa: PLC0415
    from ml_backend.schedule import wait_for_the_night  # noqa: PLC0415

    settings = Settings()
    store = open_store(settings)

    def work() -> None:
        with Steps() as steps:
            report = work_through_the_night(
                store,
                open_desk(settings),
                NightRules(queue_rules(settings), routing_rules(settings)),
                NightShift(store, settings, now, steps),
                clock=now,
                say=console.print,
            )
        for problem in report.problems:
            console.print(f"problem: {problem}", markup=False)
        if as_json:
            print_json(report.as_json())

    if schedule is None:
        work()
        return
    while True:
        wait_for_the_night(schedule, say=console.print)
        try:
            work()
        except Exception:  # noqa: BLE001 - see below
            # One bad night must not be the last one.
            _log.exception("this night failed; the next one tries again")


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
