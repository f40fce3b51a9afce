"""Steps are done once and recorded, whatever cuts a run off."""

import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from backend.domain.nights import NightRecord, RunState, StepState
from backend.store import schema
from backend.store.records import AuditEvent, LeaseLostError, LeaseTakenError
from backend.store.unit_of_work import Store, UnitOfWork
from backend.terminal import now
from backend.workflow import chain_run
from backend.workflow.chain import LEASE, ChainEnd, run_chain
from backend.workflow.chain_run import Watchers
from backend.workflow.chain_step import AtWork, NothingToDoError, Outcomes, Step, StoppedError
from backend.workflow.oversee_night import NoNightError, night_status, stop_night
from tests.workflow.test_nightly import Silence

ROOT = Path(__file__).parents[2]
NAMES = ("first", "second", "third")


def note(unit: UnitOfWork, name: str) -> None:
    unit.records.note(AuditEvent(now(), "test", name, "chain", {}))


def adding(name: str, *, hurt: Callable[[str], None] = lambda _: None, **more: object) -> Step:
    """Return a step that adds something to the store once and for all."""

    def work(at: AtWork) -> dict[str, object]:
        hurt(f"{name} begins")
        at.progress.step("adding", 2)
        with at.store.transaction() as unit:
            note(unit, name)
            at.keep(unit, {"added": name})
            hurt(f"{name} is about to commit")
        hurt(f"{name} has committed")
        at.progress.advance(2)
        return {"added": name}

    return Step(name, f"doing {name}", work, **more)  # type: ignore[arg-type]


def steps(hurt: Callable[[str], None] = lambda _: None) -> list[Step]:
    return [adding(name, hurt=hurt) for name in NAMES]


def run(
    store: Store, chain: list[Step], *, kind: str = "test", clock: Callable[[], datetime] = now
) -> ChainEnd:
    return run_chain(store, chain, kind=kind, clock=clock, watchers=Watchers(Silence()))


def added(store: Store) -> list[str]:
    with store.snapshot() as unit:
        return [event.action for event in unit.records.events("chain")]


def states(record: NightRecord) -> dict[str, StepState]:
    return {step.name: step.state for step in record.steps}


def kill_at(url: str, moment: str) -> int:
    """Run the chain in a process that kills itself at a moment; return how it ended."""
    program = (
        "import os, signal, sys\n"
        "from backend.store.unit_of_work import Store\n"
        "from tests.workflow.test_chain import run, steps\n"
        "def hurt(moment):\n"
        "    if moment == sys.argv[2]:\n"
        "        os.kill(os.getpid(), signal.SIGKILL)\n"
        "run(Store(sys.argv[1]), steps(hurt))\n"
    )
    return subprocess.run(
        [sys.executable, "-c", program, url, moment], check=False, cwd=ROOT
    ).returncode


@pytest.fixture
def on_disk(tmp_path: Path, migrated_file: Path) -> str:
    url = f"sqlite:///{tmp_path / 'store.sqlite3'}"
    schema.upgrade(url)
    return url


class TestRunChain:
    def test_records_inputs_outcome_time_and_lines_of_every_step(self, store: Store) -> None:
        end = run(store, steps())

        with store.snapshot() as unit:
            kept = unit.nights.latest("test", lines=3)
        assert kept is not None
        assert end.record.state is RunState.FINISHED
        assert [step.name for step in kept.steps] == list(NAMES)
        assert all(step.state is StepState.DONE for step in kept.steps)
        assert kept.steps[1].outcome == {"added": "second"}
        assert all(step.ended_at and step.duration_seconds is not None for step in kept.steps)
        assert len(kept.steps[0].inputs_sha256) == 64
        assert [line.partition(" UTC ")[2] for line in kept.lines] == [
            "doing second", "doing third", f"test run {kept.id}: finished",
        ]  # fmt: skip

    @pytest.mark.parametrize("name", NAMES)
    @pytest.mark.parametrize("moment", ["begins", "is about to commit", "has committed"])
    def test_adds_everything_once_when_it_is_killed(
        self, on_disk: str, name: str, moment: str
    ) -> None:
        assert kill_at(on_disk, f"{name} {moment}") == -signal.SIGKILL

        store = Store(on_disk)
        end = run(store, steps())

        assert added(store) == list(NAMES)
        assert end.record.state is RunState.FINISHED
        assert end.record.attempts == 2
        store.close()

    def test_does_a_step_again_when_its_inputs_changed(self, store: Store) -> None:
        inputs: dict[str, object] = {"read": 1}

        def depends(_: UnitOfWork, outcomes: Outcomes) -> Mapping[str, object]:
            return inputs

        def cut_off(_: AtWork) -> dict[str, object]:
            raise KeyboardInterrupt

        first, last = adding("first", inputs=depends), adding("last", inputs=depends)
        with pytest.raises(KeyboardInterrupt):
            run(store, [first, Step("middle", "middle", cut_off)])
        inputs["read"] = 2
        run(store, [first, adding("middle"), last])

        assert added(store) == ["first", "first", "middle", "last"]

    def test_never_repeats_what_a_later_step_sealed(self, store: Store) -> None:
        inputs: dict[str, object] = {"champion": "m1"}

        def depends(_: UnitOfWork, __: Outcomes) -> Mapping[str, object]:
            return inputs

        def cut_off(_: AtWork) -> dict[str, object]:
            raise KeyboardInterrupt

        evaluate = adding("evaluate", inputs=depends)
        gate = adding("gate", needs=("evaluate",), seals=("evaluate",))
        with pytest.raises(KeyboardInterrupt):
            run(store, [evaluate, gate, Step("score", "scoring", cut_off)])
        inputs["champion"] = "m2"
        run(store, [evaluate, gate, adding("score")])

        assert added(store) == ["evaluate", "gate", "score"]

    def test_begins_anew_after_a_run_that_ended(self, store: Store) -> None:
        first, second = run(store, steps()), run(store, steps())

        assert second.record.id == first.record.id + 1
        assert added(store) == [*NAMES, *NAMES]

    @pytest.mark.parametrize("hours", [-30, 30])
    def test_begins_anew_when_the_last_one_was_cut_off_long_ago(
        self, store: Store, hours: int
    ) -> None:
        with store.transaction() as unit:
            old = unit.nights.begin("test", now=now() + timedelta(hours=hours))

        end = run(store, steps())

        assert end.record.id != old
        with store.snapshot() as unit:
            assert unit.nights.running() == []

    def test_goes_on_after_a_failure_where_nothing_is_missing(self, store: Store) -> None:
        def fail(_: AtWork) -> dict[str, object]:
            raise OSError("disk full")

        def idle(_: AtWork) -> dict[str, object]:
            raise NothingToDoError("nothing was read")

        chain = [
            Step("fails", "failing", fail),
            Step("needs it", "never", lambda _: pytest.fail("was done"), needs=("fails",)),
            Step("idle", "idling", idle),
            Step("needs that", "never", lambda _: pytest.fail("was done"), needs=("idle",)),
            adding("other"),
        ]

        end = run(store, chain)

        assert end.record.state is RunState.FAILED
        assert isinstance(end.failures["fails"], OSError)
        told = {step.name: step.message for step in end.record.steps}
        assert told["fails"] == "OSError: disk full"
        assert told["needs it"] == "it needs what fails would have left"
        assert told["idle"] == told["needs that"] == "nothing was read"
        assert added(store) == ["other"]

    def test_lets_nobody_else_run_meanwhile(self, store: Store) -> None:
        def another(_: AtWork) -> dict[str, object]:
            run(store, steps(), kind="retrain")
            return {}

        end = run(store, [Step("greedy", "running another", another)])

        assert isinstance(end.failures["greedy"], LeaseTakenError)

    def test_lasts_no_negative_time_when_the_clock_is_set_back(self, store: Store) -> None:
        moment = now()

        def clock() -> datetime:
            nonlocal moment
            moment -= timedelta(hours=3)
            return moment

        end = run(store, steps(), clock=clock)

        assert end.record.state is RunState.FINISHED
        assert all((step.duration_seconds or 0.0) >= 0.0 for step in end.record.steps)


class TestALostLease:
    def test_stops_the_old_holder_before_it_writes(self, store: Store) -> None:
        def oversleep(at: AtWork) -> dict[str, object]:
            with store.transaction() as unit:  # another machine, ten minutes later
                unit.records.take_lease(
                    LEASE, "other:1:1", now=now() + timedelta(minutes=11),
                    duration=timedelta(minutes=10),
                )  # fmt: skip
            with at.store.transaction() as unit:
                note(unit, "too late")
            return {}

        with pytest.raises(LeaseLostError, match="another process has taken over"):
            run(store, [Step("sleeper", "sleeping", oversleep), adding("next")])

        assert added(store) == []
        with store.snapshot() as unit:
            assert unit.records.lease_holder(LEASE) == "other:1:1"

    def test_does_not_come_back_when_the_other_one_is_done(self, store: Store) -> None:
        def oversleep(at: AtWork) -> dict[str, object]:
            with store.transaction() as unit:
                holder = unit.records.lease_holder(LEASE)
                assert holder is not None
                unit.records.end_lease(LEASE, holder)
            with at.store.transaction() as unit:
                note(unit, "too late")
            return {}

        with pytest.raises(LeaseLostError):
            run(store, [Step("sleeper", "sleeping", oversleep)])

        assert added(store) == []


class TestStopNight:
    @pytest.fixture(autouse=True)
    def looks_often(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(chain_run, "_LOOKS_EVERY_SECONDS", 0.0)

    def test_stops_between_steps(self, store: Store) -> None:
        def ask(_: AtWork) -> dict[str, object]:
            assert stop_night(store, who="me", clock=now).state is RunState.RUNNING
            return {}

        end = run(store, [adding("first"), Step("asks", "asking", ask), adding("last")])

        assert end.record.state is RunState.CANCELLED
        assert end.record.cancelled_by == "me"
        assert added(store) == ["first"]

    def test_stops_a_step_where_it_can_go_on(self, store: Store) -> None:
        def epochs(at: AtWork) -> dict[str, object]:
            for epoch in range(100):
                if epoch == 3:
                    stop_night(store, who="me", clock=now)
                if at.should_stop():
                    raise StoppedError(f"after epoch {epoch}")
            return {}

        end = run(store, [Step("train", "training", epochs), adding("last")])

        assert end.record.state is RunState.CANCELLED
        assert end.record.steps[0].state is StepState.STOPPED
        assert end.record.steps[0].message == "after epoch 3"
        assert added(store) == []

    def test_ends_a_run_that_was_cut_off(self, on_disk: str) -> None:
        kill_at(on_disk, "second begins")
        store = Store(on_disk)
        assert not night_status(store, lines=0, now=now()).is_at_work

        stopped = stop_night(store, who="me", clock=now)
        end = run(store, steps())

        assert stopped.state is RunState.CANCELLED
        assert end.record.id != stopped.run
        assert added(store) == ["first", *NAMES]
        store.close()

    def test_says_that_nothing_runs(self, store: Store) -> None:
        with pytest.raises(NoNightError, match="no night is running"):
            stop_night(store, who="me", clock=now)


class TestNightStatus:
    def test_says_that_there_was_none(self, store: Store) -> None:
        with pytest.raises(NoNightError, match="overread nightly"):
            night_status(store, lines=3, now=now())

    def test_shows_how_far_a_step_is_while_it_works(self, store: Store) -> None:
        seen: list[str] = []

        def train(at: AtWork) -> dict[str, object]:
            at.progress.step("training on 12 images", 60)
            found = night_status(store, lines=2, now=now())
            assert found.is_at_work
            seen.extend(found.sentences())
            return {}

        run(store, [adding("first"), Step("train", "training a challenger", train)])

        assert any(line.startswith("  first      done in") for line in seen)
        assert "  train      training on 12 images: 0 of 60" in seen
        assert seen[-1].endswith("UTC training a challenger")

    def test_tells_a_run_that_was_cut_off_from_one_at_work(self, on_disk: str) -> None:
        kill_at(on_disk, "second begins")
        store = Store(on_disk)

        found = night_status(store, lines=5, now=now())

        assert found.record.state is RunState.RUNNING
        assert "cut off; overread nightly goes on with it" in found.sentences()[0]
        assert found.as_json()["at_work"] is False
        store.close()
