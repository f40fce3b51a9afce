"""See where a night is, and stop it."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime

from backend.domain.nights import NightRecord, RunState, StepRecord, StepState
from backend.store.records import LeaseTakenError
from backend.store.unit_of_work import Store
from backend.workflow.chain import LEASE
from backend.workflow.job_lease import hold_lease, is_at_work


class NoNightError(LookupError):
    """There is no run to show or to stop."""


@dataclass(frozen=True, slots=True)
class NightStatus:
    """Where a run is.

    Attributes
    ----------
    record : NightRecord
        The run.
    is_at_work : bool
        Whether a process does it at the moment; one that counts as running and has none was cut
        off.
    """

    record: NightRecord
    is_at_work: bool

    def as_json(self) -> dict[str, object]:
        """Return the status as plain values.

        Returns
        -------
        dict
            For `--json`.
        """
        return {**asdict(self.record), "at_work": self.is_at_work}

    def sentences(self) -> list[str]:
        """Return the status for people.

        Returns
        -------
        list of str
            The run, its steps, and what it said last.
        """
        run = self.record
        standing: str = run.state
        if run.state is RunState.RUNNING and not self.is_at_work:
            standing = "cut off; overread nightly goes on with it"
        elif run.state is RunState.RUNNING and run.cancelled_by:
            standing = f"stopping, as {run.cancelled_by} asked"
        again = f", begun {run.attempts} times" if run.attempts > 1 else ""
        return [
            f"{run.kind} run {run.id}, {run.started_at:%Y-%m-%d %H:%M} UTC{again}: {standing}",
            *(_told(step) for step in run.steps),
            *(["last lines:"] if run.lines else []),
            *(f"  {line}" for line in run.lines),
        ]


@dataclass(frozen=True, slots=True)
class Stopped:
    """What came of asking a run to stop.

    Attributes
    ----------
    run : int
        Which.
    state : RunState
        "running" as long as it has not stopped.
    """

    run: int
    state: RunState

    def sentence(self) -> str:
        """Return it for people.

        Returns
        -------
        str
            One sentence.
        """
        if self.state is RunState.RUNNING:
            return (
                f"run {self.run} stops after its present step, epoch or batch; see: "
                "overread nightly status"
            )
        return f"run {self.run} had been cut off; it is cancelled and will not go on"


def night_status(store: Store, *, lines: int, now: datetime) -> NightStatus:
    """Return where the newest run is.

    Parameters
    ----------
    store : Store
        The database.
    lines : int
        How many of the last things that it said.
    now : datetime
        The time; aware.

    Returns
    -------
    NightStatus
        Also of a run that is over.

    Raises
    ------
    NoNightError
        If there was none.
    """
    with store.snapshot() as unit:
        record = unit.nights.latest(lines=lines)
        is_held = is_at_work(unit, LEASE, now=now)
    if record is None:
        raise NoNightError("no night has run yet; run: overread nightly")
    return NightStatus(record, is_at_work=is_held and record.state is RunState.RUNNING)


def stop_night(store: Store, *, who: str, clock: Callable[[], datetime]) -> Stopped:
    """Ask a run to stop at the next place from which it can go on; end one that was cut off.

    Parameters
    ----------
    store : Store
        The database.
    who : str
        Who asks.
    clock : callable
        Gives the time; aware.

    Returns
    -------
    Stopped
        Which run, and whether it is over.

    Raises
    ------
    NoNightError
        If none is running.
    """
    with store.transaction() as unit:
        running = unit.nights.running()
        if not running:
            raise NoNightError("no night is running; see: overread nightly status")
        run = running[-1]
        unit.nights.ask_to_stop(run.id, who=who, now=clock())
    try:
        with hold_lease(store, LEASE, clock=clock) as own, own.transaction() as unit:
            if run.id in {one.id for one in unit.nights.running()}:
                unit.nights.end(run.id, RunState.CANCELLED, now=clock(), report={})
    except LeaseTakenError:
        return Stopped(run.id, RunState.RUNNING)
    return Stopped(run.id, RunState.CANCELLED)


def _told(step: StepRecord) -> str:
    facts: Mapping[StepState, str] = {
        StepState.DONE: f"done in {step.duration_seconds or 0:.0f} s",
        StepState.NOTHING: f"nothing to do: {step.message}",
        StepState.FAILED: f"failed: {step.message}",
        StepState.STOPPED: f"stopped: {step.message}",
        StepState.RUNNING: _progress(step),
    }
    return f"  {step.name:<10} {facts[step.state]}"


def _progress(step: StepRecord) -> str:
    if not step.total:
        return "running"
    rate = f", {step.rate:.2g}/s" if step.rate else ""
    note = f", {step.message}" if step.message else ""
    return f"{step.part}: {step.done} of {step.total}{rate}{note}"
