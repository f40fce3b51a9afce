"""`overread nightly`: the chain once, when due, or for ever; where it is, and how to stop it."""

import getpass
import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

import typer

from backend.desk import open_desk, queue_rules, routing_rules
from backend.domain.nights import RunState
from backend.opened import open_store
from backend.settings import Settings
from backend.store.availability import StoreUnavailableError
from backend.store.unit_of_work import Store
from backend.terminal import Steps, console, now, print_json
from backend.workflow.chain_run import Watchers
from backend.workflow.night_report import NightReport
from backend.workflow.nightly import KIND, NightRules
from backend.workflow.nightly import nightly as work_through_the_night
from backend.workflow.oversee_night import NightStatus, night_status, stop_night
from ml_backend.schedule import Schedule, wait_for_next

app = typer.Typer(help="Sync, reconcile, retrain behind the gate, score, refill the worklists.")

_TRIED_AGAIN_AFTER_SECONDS = 600.0
_log = logging.getLogger(__name__)

AsJson = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]


class NightFailedError(RuntimeError):
    """A step of the night failed."""


@app.callback(invoke_without_command=True)
def nightly(
    context: typer.Context,
    *,
    schedule: Annotated[
        str | None,
        typer.Option(help='Run for ever at these times, cron form, e.g. "30 1 * * *".'),
    ] = None,
    if_due: Annotated[
        bool,
        typer.Option(
            "--if-due",
            help="Run only if the schedule was due since the last run began, or one was cut off.",
        ),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Do the night's work: once, when it is due, or every night.

    A night that was cut off goes on where it was. Without a new reading nothing is trained.
    """
    if context.invoked_subcommand is not None:
        return
    settings = Settings()
    store = open_store(settings)
    if schedule is None and not if_due:
        _expect_done(_run(store, settings, as_json=as_json))
        return
    times = Schedule.of(schedule or settings.nightly_schedule, settings.time_zone)
    if if_due:
        _run_if_due(store, settings, times, as_json=as_json)
    else:
        _run_for_ever(store, settings, times, as_json=as_json)


@app.command()
def status(
    *,
    lines: Annotated[int, typer.Option(min=0, help="How many of the last lines to show.")] = 10,
    as_json: AsJson = False,
) -> None:
    """Show the steps of the newest night, how far it is, and what it said last."""
    found = night_status(open_store(), lines=lines, now=now())
    if as_json:
        print_json(found.as_json())
    else:
        _show(found)


@app.command()
def cancel(*, as_json: AsJson = False) -> None:
    """Stop the night after the present step, epoch or batch; what is done is kept."""
    stopped = stop_night(open_store(), who=getpass.getuser(), clock=now)
    if as_json:
        print_json({"run": stopped.run, "state": stopped.state})
    else:
        console.print(stopped.sentence(), markup=False)


def _run(store: Store, settings: Settings, *, as_json: bool) -> NightReport:
    # Imported here, because torch takes seconds and `overread --help` loads this module.
    from ml_backend.night_shift import NightShift  # noqa: PLC0415

    with Steps() as steps:
        report = work_through_the_night(
            store,
            open_desk(settings),
            NightRules(queue_rules(settings), routing_rules(settings)),
            NightShift(settings),
            clock=now,
            watchers=Watchers(steps, lambda text: console.print(text, markup=False)),
        )
    for sentence in report.sentences():
        console.print(sentence, markup=False)
    if as_json:
        print_json(report.as_json())
    return report


def _expect_done(report: NightReport) -> None:
    if report.state is RunState.FAILED:
        raise NightFailedError(
            f"run {report.run}: a step failed, see the problems above; the others were done, and "
            "the next night tries again"
        )


def _run_if_due(store: Store, settings: Settings, times: Schedule, *, as_json: bool) -> None:
    moment = now()
    with store.snapshot() as unit:
        last = unit.nights.latest(KIND)
    is_over = last is not None and last.state is not RunState.RUNNING
    if last is not None and is_over and not times.is_due(last.started_at, moment):
        due = times.next_after(moment)
        console.print(
            f"not due: run {last.id} began at {times.told(last.started_at)}; next at "
            f"{times.told(due)}",
            markup=False,
        )
        if as_json:
            print_json({"due": False, "next": due})
        return
    _expect_done(_run(store, settings, as_json=as_json))


def _run_for_ever(store: Store, settings: Settings, times: Schedule, *, as_json: bool) -> None:
    last = now()
    goes_on = _was_cut_off(store)
    while True:
        if not goes_on:
            last = wait_for_next(times, last, clock=now, say=console.print)
        with _survived():
            _run(store, settings, as_json=as_json)
        goes_on = _was_cut_off(store)
        if goes_on:
            time.sleep(_TRIED_AGAIN_AFTER_SECONDS)


def _was_cut_off(store: Store) -> bool:
    """Return whether a night has to go on; also when the store does not say."""
    try:
        with store.snapshot() as unit:
            return any(run.kind == KIND for run in unit.nights.running())
    except StoreUnavailableError:
        return True


@contextmanager
def _survived() -> Iterator[None]:
    """Let one bad night not be the last one."""
    try:
        yield
    except Exception:  # noqa: BLE001 - the next night tries again
        _log.exception("this night failed; the next one tries again")


def _show(found: NightStatus) -> None:
    for sentence in found.sentences():
        console.print(sentence, markup=False)
