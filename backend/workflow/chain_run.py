"""A run of a chain while it lasts: each step done once, and recorded."""

import hashlib
import json
import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from backend.domain.nights import StepRecord, StepState
from backend.store.availability import StoreUnavailableError
from backend.store.records import LeaseLostError
from backend.store.unit_of_work import Store
from backend.workflow.chain_step import AtWork, NothingToDoError, Progress, Step, StoppedError
from backend.workflow.step_watch import StepWatch

_LOOKS_EVERY_SECONDS = 1.0
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Watchers:
    """Who is told while a chain runs.

    Attributes
    ----------
    progress : Progress
        How far a step is.
    say : callable
        In a sentence, what begins or ended.
    """

    progress: Progress
    say: Callable[[str], None] = lambda _: None


@dataclass(slots=True)
class ChainRun:
    """A run of a chain while it lasts.

    Attributes
    ----------
    id : int
        Key in the store.
    store : Store
        The database, for the holder of the lease only.
    clock : callable
        Gives the time; aware.
    watchers : Watchers
        Who is told.
    before : dict of str to StepRecord
        Steps that this run began before it was cut off.
    outcomes : dict
        Of the steps that are done, by name.
    failures : dict of str to Exception
        Of the steps that failed, by name.
    idle : dict of str to str
        Why steps had nothing to do, by name.
    """

    id: int
    store: Store
    clock: Callable[[], datetime]
    watchers: Watchers
    before: dict[str, StepRecord]
    outcomes: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    failures: dict[str, Exception] = field(default_factory=dict)
    idle: dict[str, str] = field(default_factory=dict)
    _looked: float = float("-inf")
    _asked: bool = False

    def do(self, step: Step, *, is_sealed: bool) -> None:
        """Do a step, unless this run has done it with the same inputs already.

        Parameters
        ----------
        step : Step
            Which.
        is_sealed : bool
            Whether a later step that is done rests on it.
        """
        known = self.before.get(step.name)
        missing = self._missing(step)
        inputs: dict[str, Any] = {}
        if missing is None and not is_sealed:
            with self.store.snapshot() as unit:
                inputs = _plain(step.inputs(unit, self.outcomes))
        sha256 = known.inputs_sha256 if known and is_sealed else _sha256(inputs)
        if known and known.state is StepState.DONE and known.inputs_sha256 == sha256:
            self.outcomes[step.name] = known.outcome
            self.say(f"{step.name}: done before, at {known.ended_at:%Y-%m-%d %H:%M} UTC")
            return
        attempts = known.attempts + 1 if known else 1
        record = StepRecord(
            step.name, StepState.RUNNING, sha256, {}, self.clock(), attempts=attempts
        )
        self._attempt(step, record, inputs, missing)

    def say(self, text: str) -> None:
        """Tell it to people, and keep it.

        Parameters
        ----------
        text : str
            What; no personal data.
        """
        self.watchers.say(text)
        with self.store.transaction() as unit:
            unit.nights.say(self.id, text, now=self.clock())

    def _attempt(
        self, step: Step, record: StepRecord, inputs: Mapping[str, object], missing: str | None
    ) -> None:
        watch = StepWatch(self.store, self.id, record, inputs, self.clock, self.watchers.progress)
        try:
            if missing is not None:
                raise NothingToDoError(missing)  # noqa: TRY301 - told like any other
            self.say(step.says)
            watch.keep_now()
            outcome = step.work(
                AtWork(
                    self.store, self.clock, self.outcomes, watch, self.should_stop, watch.keep_done
                )
            )
        except NothingToDoError as reason:
            self.idle[step.name] = str(reason)
            self.say(f"{step.name}: {reason}")
            watch.end(StepState.NOTHING, str(reason))
        except StoppedError as stop:
            watch.end(StepState.STOPPED, str(stop))
            raise
        except (LeaseLostError, StoreUnavailableError):
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is, it is reported
            _log.exception("step %s failed", step.name)
            self.failures[step.name] = error
            watch.end(StepState.FAILED, told(error))
            self.say(f"{step.name} failed: {told(error)}")
        else:
            self.outcomes[step.name] = watch.end(StepState.DONE, "", outcome)

    def should_stop(self) -> bool:
        """Return whether somebody asked the run to stop; looked up at most once a second.

        Returns
        -------
        bool
            True for good once it was asked to.
        """
        now = time.monotonic()
        if not self._asked and now - self._looked >= _LOOKS_EVERY_SECONDS:
            self._looked = now
            with self.store.snapshot() as unit:
                self._asked = unit.nights.is_asked_to_stop(self.id)
        return self._asked

    def _missing(self, step: Step) -> str | None:
        """Return why a step has nothing to work on, if that is so."""
        for name in step.needs:
            if name in self.idle:
                return self.idle[name]
            if name not in self.outcomes:
                return f"it needs what {name} would have left"
        return None


def told(error: Exception) -> str:
    """Return what is said of an error that ended a step.

    Parameters
    ----------
    error : Exception
        A caught one.

    Returns
    -------
    str
        Our own errors name the remedy; of others the class is told as well.
    """
    if type(error).__module__.partition(".")[0] in {"backend", "ml_backend"}:
        return str(error)
    return f"{type(error).__name__}: {error}"


def _plain(values: Mapping[str, object]) -> dict[str, Any]:
    """Return values as they come back from the store."""
    plain: dict[str, Any] = json.loads(json.dumps(values, default=str))
    return plain


def _sha256(inputs: Mapping[str, object]) -> str:
    return hashlib.sha256(json.dumps(inputs, sort_keys=True).encode()).hexdigest()
