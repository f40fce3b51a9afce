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
        Cron form, local time; at a change of the clocks a night is neither lost nor doubled.
    say : callable
        Is told when that is.

    Raises
    ------
    ScheduleError
        If it is not in cron form.
    """
    started = datetime.now().astimezone()  # noqa: TID251 - waiting for a time of day needs one
    try:
        due = next(CronSim(schedule, started))
    except CronSimError as error:
        raise ScheduleError(
            f'{schedule!r} is not a schedule ({error}); expected cron form, such as "0 2 * * *"'
        ) from error
    say(f"next run at {due:%Y-%m-%d %H:%M}")
    while (left := due - datetime.now().astimezone()) > timedelta():  # noqa: TID251 - see above
        time.sleep(min(left, _LONGEST_NAP).total_seconds())
