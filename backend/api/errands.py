"""Where the webhook leaves word of what is to be pulled."""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from threading import Condition

from backend.label_studio.events import Hint


@dataclass(frozen=True, slots=True)
class Errand:
    """Something to look at in Label Studio.

    Attributes
    ----------
    project_id : int
        In which project.
    task_ids : tuple of int
        The tasks; empty when only annotations were named.
    annotation_ids : tuple of int
        Deleted annotations whose tasks have to be found.
    """

    project_id: int
    task_ids: tuple[int, ...] = ()
    annotation_ids: tuple[int, ...] = ()


def errands_of(hint: Hint) -> Iterator[Errand]:
    """Yield what a hint asks to be looked at.

    Parameters
    ----------
    hint : Hint
        From a delivery.

    Yields
    ------
    Errand
        One per task, so that several hints at one task become one errand.
    """
    for task_id in hint.task_ids:
        yield Errand(hint.project_id, task_ids=(task_id,))
    if hint.annotation_ids and not hint.task_ids:
        yield Errand(hint.project_id, annotation_ids=hint.annotation_ids)


class ErrandQueue:
    """First in, first out; an errand that still waits is not added a second time.

    Parameters
    ----------
    capacity : int
        How many wait at most; the reconciling sync finds what did not fit.
    """

    def __init__(self, capacity: int = 10_000) -> None:
        self._capacity = capacity
        self._waiting: deque[Errand] = deque()
        self._known: set[Errand] = set()
        self._is_closed = False
        self._changed = Condition()

    def offer(self, errand: Errand) -> bool:
        """Add an errand; never waits for room.

        Parameters
        ----------
        errand : Errand
            What is to be done.

        Returns
        -------
        bool
            False when there was no room for it.
        """
        with self._changed:
            if errand in self._known:
                return True
            if len(self._waiting) >= self._capacity or self._is_closed:
                return False
            self._waiting.append(errand)
            self._known.add(errand)
            self._changed.notify()
            return True

    def take(self) -> Errand | None:
        """Wait for an errand and remove it; the same one may then be added again.

        Returns
        -------
        Errand or None
            None once the queue is closed.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._is_closed)
            if self._is_closed:
                return None
            errand = self._waiting.popleft()
            self._known.remove(errand)
            return errand

    def close(self) -> None:
        """Let whoever waits in `take` go; what still waits is left to the reconciling sync."""
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()
