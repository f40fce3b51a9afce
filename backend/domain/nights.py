"""What is recorded of a night: its steps, and what became of each."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class RunState(StrEnum):
    """What became of a night."""

    RUNNING = "running"
    FINISHED = "finished"
    FAILED = "failed"
    CANCELLED = "cancelled"


class StepState(StrEnum):
    """What became of a step."""

    RUNNING = "running"
    DONE = "done"
    NOTHING = "nothing to do"
    FAILED = "failed"
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True)
class StepRecord:
    """One step of a night.

    Attributes
    ----------
    name : str
        For example "train".
    state : StepState
        What became of it.
    inputs_sha256 : str
        Hash of what its outcome depends on; with the same inputs a finished step is not repeated.
    outcome : mapping
        What it left.
    started_at : datetime
        When it was last begun; aware.
    ended_at : datetime or None
        When it ended.
    duration_seconds : float or None, [s]
        How long it took, by a clock that nobody sets.
    attempts : int
        How often it was begun.
    message : str
        Why it failed, or why there was nothing to do.
    part : str
        What it does at the moment.
    done, total : int
        Parts of that which are done, and all.
    rate : float or None, [1/s]
        Parts in a second.
    """

    name: str
    state: StepState
    inputs_sha256: str
    outcome: Mapping[str, object]
    started_at: datetime
    ended_at: datetime | None = None
    duration_seconds: float | None = None
    attempts: int = 1
    message: str = ""
    part: str = ""
    done: int = 0
    total: int = 0
    rate: float | None = None


@dataclass(frozen=True, slots=True)
class NightRecord:
    """One run of the chain.

    Attributes
    ----------
    id : int
        Key in the store.
    kind : str
        Which chain: "nightly" or "retrain".
    state : RunState
        What became of it.
    started_at : datetime
        When it was first begun; aware.
    ended_at : datetime or None
        When it ended.
    attempts : int
        How often it was begun: once, and once more whenever it had been cut off.
    cancelled_by : str or None
        Who asked it to stop.
    report : mapping
        What it did; empty before its end.
    steps : tuple of StepRecord
        In the order in which they were first begun.
    lines : tuple of str
        The last things it said, with their times.
    """

    id: int
    kind: str
    state: RunState
    started_at: datetime
    ended_at: datetime | None
    attempts: int
    cancelled_by: str | None
    report: Mapping[str, object]
    steps: tuple[StepRecord, ...]
    lines: tuple[str, ...] = ()
