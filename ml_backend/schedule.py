"""When the nightly job is due."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError

_LONGEST_NAP = timedelta(minutes=1)
_SET_BACK_AT_MOST = timedelta(days=1)
_MACHINE_ZONE = Path("/etc/localtime")


class ScheduleError(ValueError):
    """A schedule or a time zone is not written as one."""


@dataclass(frozen=True, slots=True)
class Schedule:
    """Times of day in cron form, by the clock on the wall of one place.

    When the clocks change, a time that is skipped is due right after the change, and one that
    comes twice is due the first time only.

    Attributes
    ----------
    cron : str
        For example "30 1 * * *".
    zone : tzinfo
        Whose clock.
    """

    cron: str
    zone: tzinfo

    @classmethod
    def of(cls, cron: str, zone: str | None = None) -> "Schedule":
        """Return a schedule as people write it.

        Parameters
        ----------
        cron : str
            Cron form.
        zone : str or None
            IANA name such as "Europe/Berlin"; the zone of the machine when None.

        Returns
        -------
        Schedule
            It is due some time.

        Raises
        ------
        ScheduleError
            If it is not, or either is not written as expected.
        """
        schedule = cls(cron, _zone(zone))
        schedule.next_after(datetime(2026, 1, 1, tzinfo=UTC))
        return schedule

    def next_after(self, moment: datetime) -> datetime:
        """Return the first time after a moment.

        Parameters
        ----------
        moment : datetime
            Aware.

        Returns
        -------
        datetime
            In UTC.
        """
        return self._step(moment, is_backward=False)

    def last_until(self, moment: datetime) -> datetime:
        """Return the last time up to a moment.

        Parameters
        ----------
        moment : datetime
            Aware.

        Returns
        -------
        datetime
            In UTC.
        """
        last = self._step(moment + timedelta(seconds=1), is_backward=True)
        # Looking back from within the hour that comes twice, its first round is overlooked.
        while (later := self.next_after(last)) <= moment:
            last = later
        return last

    def is_due(self, last: datetime | None, now: datetime) -> bool:
        """Tell whether no run began since it was due last.

        Parameters
        ----------
        last : datetime or None
            When the last run began; aware. More than a day ahead it is a clock's error, and
            counts for nothing.
        now : datetime
            The time; aware.

        Returns
        -------
        bool
            Whether to run now.
        """
        return last is None or not self.last_until(now) <= last < now + _SET_BACK_AT_MOST

    def told(self, moment: datetime) -> str:
        """Return a moment as the clock on the wall shows it.

        Parameters
        ----------
        moment : datetime
            Aware.

        Returns
        -------
        str
            With the zone's abbreviation.
        """
        return f"{moment.astimezone(self.zone):%Y-%m-%d %H:%M %Z}"

    def _step(self, moment: datetime, *, is_backward: bool) -> datetime:
        try:
            times = CronSim(self.cron, moment.astimezone(self.zone), reverse=is_backward)
            return next(times).astimezone(UTC)
        except (CronSimError, StopIteration) as error:
            raise ScheduleError(
                f"{self.cron!r} is not a schedule ({str(error) or 'it is never due'}); "
                'expected cron form, such as "0 2 * * *"'
            ) from error


def wait_for_next(
    schedule: Schedule,
    last: datetime,
    *,
    clock: Callable[[], datetime],
    sleep: Callable[[float], None] = time.sleep,
    say: Callable[[str], None] = lambda _: None,
) -> datetime:
    """Sleep until the next time of a schedule, by a clock that may be set meanwhile.

    Parameters
    ----------
    schedule : Schedule
        When it is due.
    last : datetime
        When it was due last; aware. It is not due again when the clock is set back by some hours.
    clock : callable
        Gives the time; aware.
    sleep : callable
        Lets seconds go by.
    say : callable
        Is told when it is due.

    Returns
    -------
    datetime
        When it was due.
    """
    began = clock()
    due = _next(schedule, last, began)
    say(f"next run at {schedule.told(due)}")
    while (now := clock()) < due:
        if now < began:  # what was reckoned by the clock before may be years ahead
            began = now
            due = _next(schedule, last, began)
            say(f"the clock was set back; next run at {schedule.told(due)}")
            continue
        sleep(min(due - now, _LONGEST_NAP).total_seconds())
    return due


def _next(schedule: Schedule, last: datetime, now: datetime) -> datetime:
    is_believable = last - now < _SET_BACK_AT_MOST
    return schedule.next_after(max(last, now) if is_believable else now)


def _zone(name: str | None) -> tzinfo:
    if name:
        try:
            return ZoneInfo(name)
        except (LookupError, ValueError, OSError) as error:
            raise ScheduleError(
                f'{name!r} is no time zone; expected a name such as "Europe/Berlin" or "UTC" '
                "(OVERREAD_TIME_ZONE)"
            ) from error
    try:
        with _MACHINE_ZONE.open("rb") as file:
            return ZoneInfo.from_file(file, key="")
    except (OSError, ValueError):
        return UTC
