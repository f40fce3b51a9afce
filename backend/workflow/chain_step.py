"""A step of the chain, and what it may ask and say while it works."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol, TypeAlias

from backend.store.unit_of_work import Store, UnitOfWork

Outcomes: TypeAlias = Mapping[str, Mapping[str, Any]]
"""What the steps before left, by their names: plain values."""


class NothingToDoError(Exception):
    """A step has nothing to do, and neither have those that need it; this is no failure."""


class StoppedError(RuntimeError):
    """A step was asked to stop, and did so at a place from which it can go on."""


class Progress(Protocol):
    """Shows people how far a job has come."""

    def step(self, what: str, total: int) -> None:
        """Begin a part of the job.

        Parameters
        ----------
        what : str
            What is done.
        total : int
            Its parts.
        """

    def advance(self, done: int, note: str = "") -> None:
        """Say how many parts are done.

        Parameters
        ----------
        done : int
            From the beginning of this part of the job.
        note : str
            Shown beside it.
        """


@dataclass(frozen=True, slots=True)
class AtWork:
    """What a step works with.

    Attributes
    ----------
    store : Store
        The database; it stops letting this process write once another one has taken over.
    clock : callable
        Gives the time; aware.
    outcomes : Outcomes
        Of the steps before that are done.
    progress : Progress
        Is told how far the step is.
    should_stop : callable
        Whether the step is to raise `StoppedError` where it can go on later.
    keep : callable
        Records the outcome in the transaction that it is given: a step that adds to the store
        once and for all is either done and recorded, or neither.
    """

    store: Store
    clock: Callable[[], datetime]
    outcomes: Outcomes
    progress: Progress
    should_stop: Callable[[], bool]
    keep: Callable[[UnitOfWork, Mapping[str, object]], None]


def _nothing_else(_unit: UnitOfWork, _outcomes: Outcomes) -> Mapping[str, object]:
    """Return that a step depends on nothing but its run: it is done once in it."""
    return {}


@dataclass(frozen=True, slots=True)
class Step:
    """A step of the chain.

    Attributes
    ----------
    name : str
        For example "train".
    says : str
        What it does, for people.
    work : callable
        Does it; returns its outcome as plain values, which may hold a list of ``problems``.
    inputs : callable
        What the outcome depends on, as plain values: a run that goes on after it was cut off
        does not repeat a step that is done with the same inputs.
    needs : tuple of str
        Steps without whose outcome it has nothing to do.
    seals : tuple of str
        Steps that are never done again in the same run once this one is done.
    """

    name: str
    says: str
    work: Callable[[AtWork], Mapping[str, object]]
    inputs: Callable[[UnitOfWork, Outcomes], Mapping[str, object]] = _nothing_else
    needs: tuple[str, ...] = ()
    seals: tuple[str, ...] = ()
