"""Nights that are killed with SIGKILL, and nights that end by themselves."""

import os
import signal
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from benchmarks.night_stage import Stage
from benchmarks.night_watch import ProofFailedError, Watch

_LOOKS_EVERY_SECONDS = 0.02
_TOO_LONG_SECONDS = 600.0


@dataclass(slots=True)
class Killer:
    """Starts nights and kills them.

    Attributes
    ----------
    watch : Watch
        Looks on meanwhile.
    kills : Counter of str
        By step.
    """

    watch: Watch
    kills: Counter[str] = field(default_factory=Counter)

    @property
    def stage(self) -> Stage:
        """Where the nights are played."""
        return self.watch.stage

    def done(self) -> set[str]:
        """Return the steps that are done."""
        found = self.stage.ask("SELECT name FROM night_step WHERE state = 'done'")
        return {name for (name,) in found}

    def is_over(self) -> bool:
        """Return whether a night was killed after its end, or ended before it could be killed."""
        found = self.stage.ask("SELECT state FROM night_run")
        return any(state != "running" for (state,) in found)

    def kill(self, step: str, after: float = 0.0) -> None:
        """Start the chain, and kill it some seconds after a step was seen at work."""
        before, due = self._attempts(step), float("inf")

        def is_due() -> bool:
            nonlocal due
            if due == float("inf") and self._attempts(step) > before:
                due = time.monotonic() + after
            return time.monotonic() >= due

        if self._kill_when(is_due):
            self.kills[self._at_work(step)] += 1

    def kill_between_epochs(self) -> None:
        """Start the chain, and kill it after its first epoch."""
        kept = self.stage.settings.data_dir / "training" / "d1" / "run" / "resume.pt"
        if not self._kill_when(kept.exists):
            raise ProofFailedError("no epoch was kept")
        self.kills["train"] += 1

    def finish(self) -> None:
        """Start the chain and wait for its end, unless it has ended."""
        if not self.is_over() and self._kill_when(lambda: False):
            raise ProofFailedError(f"a night took longer than {_TOO_LONG_SECONDS:.0f} s")

    def _kill_when(self, is_due: Callable[[], bool]) -> bool:
        """Start the chain and look on; return whether it had to be killed."""
        child = self.stage.play_apart()
        give_up = time.monotonic() + _TOO_LONG_SECONDS
        while time.monotonic() < give_up and not is_due():
            self.watch.look()
            ended, status = os.waitpid(child, os.WNOHANG)
            if ended:
                self._expect_success(status)
                return False
            time.sleep(_LOOKS_EVERY_SECONDS)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        self.watch.look()
        return True

    def _expect_success(self, status: int) -> None:
        if status:
            log = (self.stage.settings.data_dir / "night.log").read_text()
            raise ProofFailedError(f"a night ended with {status}:\n{log[-4000:]}")

    def _attempts(self, step: str) -> int:
        question = f"SELECT attempts FROM night_step WHERE name = '{step}'"  # noqa: S608 - ours
        found = self.stage.ask(question)
        return int(found[0][0]) if found else 0

    def _at_work(self, step: str) -> str:
        """Return the step that was at work, or else the one that had been just before."""
        running = self.stage.ask("SELECT name FROM night_step WHERE state = 'running'")
        return str(running[-1][0]) if running else step
