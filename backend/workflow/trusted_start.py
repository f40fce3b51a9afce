"""From when on a project's changes are asked for."""

import logging
from datetime import datetime, timedelta

_ROUNDING = timedelta(seconds=5)  # Label Studio tells its time in whole seconds

_log = logging.getLogger(__name__)


def trusted_start(synced_until: datetime | None, asked_at: datetime | None) -> datetime | None:
    """Return from when on changes are asked for: from the beginning if the clock was set back.

    Parameters
    ----------
    synced_until : datetime or None
        Up to where changes have been pulled, by Label Studio's clock; aware.
    asked_at : datetime or None
        What that clock shows now; None when it does not tell.

    Returns
    -------
    datetime or None
        None for from the beginning.
    """
    if synced_until is None or asked_at is None or asked_at + _ROUNDING >= synced_until:
        return synced_until
    _log.warning("Label Studio's clock was set back; everything is pulled again")
    return None
