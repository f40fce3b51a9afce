"""When the nightly job is due, on the nights when the clocks change too."""

from datetime import UTC, datetime, timedelta

import pytest

from ml_backend.schedule import Schedule, ScheduleError, wait_for_next


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def due(cron: str, start: str, number: int) -> list[str]:
    """Return the first times after a moment in UTC, as a clock in Berlin shows them."""
    schedule, moment, found = Schedule.of(cron, "Europe/Berlin"), utc(start), []
    for _ in range(number):
        moment = schedule.next_after(moment)
        found.append(f"{moment.astimezone(schedule.zone):%d %H:%M %Z}")
    return found


class TestNextAfter:
    def test_is_once_a_night(self) -> None:
        assert due("30 1 * * *", "2026-07-01T12:00", 2) == ["02 01:30 CEST", "03 01:30 CEST"]

    @pytest.mark.parametrize(
        ("cron", "expected"),
        [
            ("30 1 * * *", ["29 01:30 CET", "30 01:30 CEST"]),
            ("30 2 * * *", ["29 03:00 CEST", "30 02:30 CEST"]),  # 02:30 does not exist
            ("0 3 * * *", ["29 03:00 CEST", "30 03:00 CEST"]),
        ],
    )
    def test_loses_no_night_when_clocks_go_forward(self, cron: str, expected: list[str]) -> None:
        assert due(cron, "2026-03-28T20:00", 2) == expected

    @pytest.mark.parametrize(
        ("cron", "expected"),
        [
            ("30 1 * * *", ["25 01:30 CEST", "26 01:30 CET"]),
            ("30 2 * * *", ["25 02:30 CEST", "26 02:30 CET"]),  # 02:30 comes twice
            ("0 3 * * *", ["25 03:00 CET", "26 03:00 CET"]),
        ],
    )
    def test_doubles_no_night_when_clocks_go_back(self, cron: str, expected: list[str]) -> None:
        assert due(cron, "2026-10-24T20:00", 2) == expected

    def test_is_not_due_again_after_a_night_that_ended_before_the_hour_came_twice(self) -> None:
        schedule = Schedule.of("30 2 * * *", "Europe/Berlin")

        assert schedule.next_after(utc("2026-10-25T00:31")) == utc("2026-10-26T01:30")


class TestLastUntil:
    @pytest.mark.parametrize(
        ("moment", "expected"),
        [
            ("2026-07-02T10:00", "2026-07-02T00:30"),
            ("2026-07-02T00:30", "2026-07-02T00:30"),
            ("2026-07-02T00:29", "2026-07-01T00:30"),
            ("2026-03-29T00:59", "2026-03-28T01:30"),
            ("2026-03-29T01:10", "2026-03-29T01:00"),  # 03:00, as 02:30 was left out
            ("2026-10-25T00:40", "2026-10-25T00:30"),
            ("2026-10-25T01:10", "2026-10-25T00:30"),  # 02:10 for the second time
            ("2026-10-25T01:40", "2026-10-25T00:30"),  # 02:40 for the second time
        ],
    )
    def test_finds_the_night_that_should_have_begun(self, moment: str, expected: str) -> None:
        schedule = Schedule.of("30 2 * * *", "Europe/Berlin")

        assert schedule.last_until(utc(moment)) == utc(expected)


class TestIsDue:
    @pytest.mark.parametrize(
        "last",
        [None, "2026-07-01T00:30", "2030-01-01T00:30"],
        ids=["never ran", "ran the night before", "the clock was years ahead"],
    )
    def test_is_so_when_no_run_began_since(self, last: str | None) -> None:
        schedule = Schedule.of("30 2 * * *", "Europe/Berlin")

        assert schedule.is_due(utc(last) if last else None, utc("2026-07-02T10:00"))

    @pytest.mark.parametrize(
        "last",
        ["2026-07-02T00:30", "2026-07-02T09:59", "2026-07-02T11:00"],
        ids=["on time", "late", "the clock was set back by hours"],
    )
    def test_is_not_so_when_a_run_did(self, last: str) -> None:
        schedule = Schedule.of("30 2 * * *", "Europe/Berlin")

        assert not schedule.is_due(utc(last), utc("2026-07-02T10:00"))


class TestOf:
    @pytest.mark.parametrize("wrong", ["", "at night", "99 2 * * *", "30 2 * *", "0 0 30 2 *"])
    def test_says_how_a_schedule_is_written(self, wrong: str) -> None:
        with pytest.raises(ScheduleError, match="expected cron form"):
            Schedule.of(wrong)

    @pytest.mark.parametrize("wrong", ["Berlin", "../etc/passwd", "Europe/"])
    def test_says_how_a_time_zone_is_written(self, wrong: str) -> None:
        with pytest.raises(ScheduleError, match="OVERREAD_TIME_ZONE"):
            Schedule.of("0 2 * * *", wrong)

    def test_takes_the_zone_of_the_machine(self) -> None:
        assert Schedule.of("0 2 * * *").zone.utcoffset(datetime(2026, 1, 1)) is not None  # noqa: DTZ001 - asks a zone


class Clock:
    """A clock that is set at some of the naps."""

    def __init__(self, start: str, jumps: dict[int, timedelta] | None = None) -> None:
        self.now = utc(start)
        self.naps = 0
        self._jumps = jumps or {}

    def read(self) -> datetime:
        """Return what it shows."""
        return self.now

    def sleep(self, seconds: float) -> None:
        """Let time go by."""
        self.naps += 1
        self.now += timedelta(seconds=seconds) + self._jumps.get(self.naps, timedelta())


def begun(clock: Clock, nights: int, last: str = "2026-01-01") -> list[str]:
    schedule, due, found = Schedule.of("30 2 * * *", "UTC"), utc(last), []
    for _ in range(nights):
        due = wait_for_next(schedule, due, clock=clock.read, sleep=clock.sleep)
        found.append(f"{clock.now:%d %H:%M}")
        clock.sleep(600)
    return found


class TestWaitForNext:
    def test_waits_for_every_night(self) -> None:
        assert begun(Clock("2026-07-01T12:00"), 3) == ["02 02:30", "03 02:30", "04 02:30"]

    def test_bears_a_clock_that_is_set_while_it_sleeps(self) -> None:
        jumps = {3: timedelta(hours=-1), 70: timedelta(minutes=30)}

        assert begun(Clock("2026-07-01T12:00", jumps), 2) == ["02 02:30", "03 02:30"]

    def test_does_not_repeat_a_night_when_the_clock_is_set_back(self) -> None:
        clock = Clock("2026-07-01T02:10", {21: timedelta(hours=-1)})  # right after the first

        assert begun(clock, 2) == ["01 02:30", "02 02:30"]

    def test_forgets_what_a_clock_said_that_was_years_ahead(self) -> None:
        ahead = Clock("2031-07-01T12:00", {5: timedelta(days=-5 * 365)})

        assert begun(ahead, 2, last="2031-07-01T02:30") == ["03 02:30", "04 02:30"]
