"""When the nightly job runs."""

import time
from collections.abc import Callable
from datetime import datetime, timedelta

from cronsim import CronSim, CronSimError

_LONGEST_NAP = timedelta(minutes=1)


class ScheduleError(ValueError):
    """A schedule is not in cron form."""


def wait_for_the_night(schedule: str, *, say: Callable[[str], None]) -> None:
    """Sleep until the next time of a schedule.

    Parameters
    ----------
    schedule : str
        Cron form, by the clock on the wall; when the clocks change, a night is neither lost nor
        doubled.
    say : callable
        Is told when that is.

    Raises
    ------
    ScheduleError
        If it is not in cron form.
    """
    try:
        due = next(CronSim(schedule, _wall_clock()))
    except CronSimError as error:
        raise ScheduleError(
            f'{schedule!r} is not a schedule ({error}); expected cron form, such as "0 2 * * *"'
        ) from error
    say(f"next run at {due:%Y-%m-%d %H:%M}")
    while (left := due - _wall_clock()) > timedelta():
        time.sleep(min(left, _LONGEST_NAP).total_seconds())


def _wall_clock() -> datetime:
    # Without a zone on purpose: an offset that is kept over a change of the clocks would make the
    # following nights come an hour early, and twice.
    return datetime.now().astimezone().replace(tzinfo=None)  # noqa: TID251 - a time of day
