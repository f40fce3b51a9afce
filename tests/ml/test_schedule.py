"""When the nightly job runs."""

from datetime import datetime, timedelta

import pytest

from ml_backend import schedule
from ml_backend.schedule import ScheduleError, wait_for_the_night


class WallClock:
    """A clock on the wall; sleeping moves it, and it may be set back once."""

    def __init__(self, start: str, *, set_back_at: str | None = None) -> None:
        self.now = datetime.fromisoformat(start)
        self._set_back_at = set_back_at and datetime.fromisoformat(set_back_at)

    def read(self) -> datetime:
        """Return what it shows."""
        return self.now

    def sleep(self, seconds: float) -> None:
        """Let time go by."""
        self.now += timedelta(seconds=seconds)
        if self._set_back_at and self.now >= self._set_back_at:
            self.now -= timedelta(hours=1)
            self._set_back_at = None


def nights(clock: WallClock, monkeypatch: pytest.MonkeyPatch, number: int) -> list[str]:
    monkeypatch.setattr(schedule, "_wall_clock", clock.read)
    monkeypatch.setattr("time.sleep", clock.sleep)
    begun = []
    for _ in range(number):
        wait_for_the_night("30 2 * * *", say=lambda _: None)
        begun.append(f"{clock.now:%d %H:%M}")
        clock.sleep(600)
    return begun


class TestWaitForTheNight:
    def test_waits_for_the_next_time(self, monkeypatch: pytest.MonkeyPatch) -> None:
        clock = WallClock("2026-07-01T12:00")

        assert nights(clock, monkeypatch, 3) == ["02 02:30", "03 02:30", "04 02:30"]

    def test_doubles_no_night_when_the_clock_is_set_back(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        clock = WallClock("2026-10-24T12:00", set_back_at="2026-10-25T03:00")

        assert nights(clock, monkeypatch, 3) == ["25 02:30", "26 02:30", "27 02:30"]

    @pytest.mark.parametrize("wrong", ["", "at night", "99 2 * * *", "30 2 * *"])
    def test_says_how_a_schedule_is_written(self, wrong: str) -> None:
        with pytest.raises(ScheduleError, match="expected cron form"):
            wait_for_the_night(wrong, say=lambda _: None)
