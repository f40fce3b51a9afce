"""What a sync did."""

from collections import Counter
from dataclasses import dataclass, field


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
    problems: list[str] = field(default_factory=list)
    notices: list[str] = field(default_factory=list)
