"""Run steps one after the other, recorded; a run that was cut off goes on where it was."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from backend.domain.nights import NightRecord, RunState, StepState
from backend.store.unit_of_work import Store
from backend.workflow.chain_run import ChainRun, Watchers
from backend.workflow.chain_step import Step, StoppedError
from backend.workflow.job_lease import hold_lease

LEASE = "nightly"
"""Held by whoever runs a chain, so that two never do."""

_GOES_ON_WITHIN = timedelta(hours=20)


@dataclass(frozen=True, slots=True)
class ChainEnd:
    """How a run of a chain ended.

    Attributes
    ----------
    record : NightRecord
        As it is kept.
    failures : dict of str to Exception
        Of the steps that failed, by name.
    """

    record: NightRecord
    failures: dict[str, Exception]


def run_chain(
    store: Store,
    steps: Sequence[Step],
    *,
    kind: str,
    clock: Callable[[], datetime],
    watchers: Watchers,
) -> ChainEnd:
    """Run steps one after the other.

    A step that fails does not keep those from running that do not need it. A run of the same
    kind that was cut off less than 20 hours ago goes on: what it had done is not repeated.

    Parameters
    ----------
    store : Store
        The database.
    steps : sequence of Step
        In their order.
    kind : str
        Which chain it is.
    clock : callable
        Gives the time; aware.
    watchers : Watchers
        Who is told.

    Returns
    -------
    ChainEnd
        What was done.

    Raises
    ------
    LeaseTakenError
        If another process runs a chain.
    LeaseLostError
        If another process took over, because this one slept.
    """
    with hold_lease(store, LEASE, clock=clock) as own:
        run = _begin(own, kind, clock, watchers)
        state = _work(run, steps)
        run.say(f"{kind} run {run.id}: {state}")
        with own.transaction() as unit:
            unit.nights.end(run.id, state, now=clock(), report=run.outcomes.get("report", {}))
            record = unit.nights.latest(kind)
    assert record is not None  # noqa: S101 - it was begun above
    return ChainEnd(record, run.failures)


def _begin(store: Store, kind: str, clock: Callable[[], datetime], watchers: Watchers) -> ChainRun:
    now = clock()
    with store.transaction() as unit:
        left = unit.nights.running()
        goes_on = next((run for run in reversed(left) if _may_go_on(run, kind, now)), None)
        for run in left:
            if run is not goes_on:
                state = RunState.CANCELLED if run.cancelled_by else RunState.FAILED
                unit.nights.end(run.id, state, now=now, report={"problems": ["it was cut off"]})
        if goes_on is None:
            return ChainRun(unit.nights.begin(kind, now=now), store, clock, watchers, {})
        unit.nights.begin_again(goes_on.id)
    before = {step.name: step for step in goes_on.steps}
    resumed = ChainRun(goes_on.id, store, clock, watchers, before)
    resumed.say(f"going on with run {resumed.id}, which was cut off")
    return resumed


def _may_go_on(run: NightRecord, kind: str, now: datetime) -> bool:
    is_recent = abs(now - run.started_at) < _GOES_ON_WITHIN  # the clock may have been set back
    return run.kind == kind and run.cancelled_by is None and is_recent


def _work(run: ChainRun, steps: Sequence[Step]) -> RunState:
    sealed = {
        name
        for step in steps
        if (known := run.before.get(step.name)) and known.state is StepState.DONE
        for name in step.seals
    }
    try:
        for step in steps:
            if run.should_stop():
                return RunState.CANCELLED
            run.do(step, is_sealed=step.name in sealed)
    except StoppedError:
        return RunState.CANCELLED
    return RunState.FAILED if run.failures else RunState.FINISHED
