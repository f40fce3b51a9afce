"""What a sync did."""

import logging
import traceback
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from backend.label_studio.connection import (
    LabelStudioError,
    LabelStudioMissingError,
    LabelStudioRefusedError,
)
from backend.label_studio.tasks import MalformedTaskError
from backend.store.records import LeaseTakenError

_EXPECTED = (LabelStudioError, MalformedTaskError, LeaseTakenError)
"""What happens while servers and people are as they are; the message names the remedy."""

CLOSED = (LabelStudioMissingError, LabelStudioRefusedError)
"""How a project may answer for ever after its reader has left."""

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class SyncReport:
    """What a sync did, over all readers.

    Attributes
    ----------
    received : Counter
        `Received` to the number of tasks.
    verdicts : Counter
        The same for the tasks of the adjudicators.
    tasks_pushed, tasks_lost : int
        Tasks made, and tasks that somebody had deleted in Label Studio before they were read;
        those are made again.
    readings_kept : int
        Readings that Label Studio has lost since the last sync, with their task or in a restored
        backup; the store keeps them.
    readers_failed : list of str
        Readers whose project could not be synchronised as a whole; why is among the problems.
    problems : list of str
        What could not be done, with the remedy; the next sync tries again.
    notices : list of str
        What somebody should look at; everything else was done.
    """

    received: Counter[str] = field(default_factory=Counter)
    verdicts: Counter[str] = field(default_factory=Counter)
    tasks_pushed: int = 0
    tasks_lost: int = 0
    readings_kept: int = 0
    readers_failed: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    notices: list[str] = field(default_factory=list)


def told(error: Exception) -> str:
    """Return what is said of an error that ended one project's part of a sync.

    Parameters
    ----------
    error : Exception
        A caught one; of what nobody expects the class and the place are told and logged.

    Returns
    -------
    str
        For `SyncReport.problems`.
    """
    if isinstance(error, _EXPECTED):
        return str(error)
    # The message could name a reader or an image; the class and the place say enough.
    *_, (frame, line) = traceback.walk_tb(error.__traceback__)
    place = f"{type(error).__name__} in {Path(frame.f_code.co_filename).name}, line {line}"
    _log.warning("a project could not be synchronised (%s)", place)
    return (
        f"{place}. This is a fault of Overread, please report it. The other projects went on, "
        "nothing is lost, and the next sync tries again"
    )
