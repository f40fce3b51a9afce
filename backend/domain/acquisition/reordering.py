"""What becomes of the open entries when the queue has changed since they were chosen."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

from backend.domain.acquisition.batch import Channel
from backend.domain.worklists import EntryKind, WorklistEntry

ENOUGH_READERS = "Enough readers have read the image, or have it further up on their worklists."

_FOLLOWS_THE_QUEUE = frozenset({Channel.QUOTA, Channel.UNCERTAIN, Channel.COLD_START})
_MAY_BE_WITHDRAWN = _FOLLOWS_THE_QUEUE | {Channel.MISSED, Channel.FOREGROUND, Channel.REREAD}


@dataclass(frozen=True, slots=True)
class Reordering:
    """What becomes of one reader's worklist.

    Attributes
    ----------
    order : tuple of int
        Keys of the entries that stay, as they should be read.
    unwanted : dict of int to str
        Keys of the entries to withdraw, with the reason.
    """

    order: tuple[int, ...]
    unwanted: dict[int, str]

    def changes(self, entries: Sequence[WorklistEntry]) -> bool:
        """Return whether anything is to be done.

        Parameters
        ----------
        entries : sequence of WorklistEntry
            The worklist as it stands, by rank.

        Returns
        -------
        bool
            False when every entry stays where it is.
        """
        return tuple(entry.key for entry in entries) != self.order


def follows_the_queue(entry: WorklistEntry) -> bool:
    """Return whether an entry stands where it does because of what it is worth.

    Parameters
    ----------
    entry : WorklistEntry
        Any.

    Returns
    -------
    bool
        False for gold cases, second looks and what was drawn at random: moving those would tell
        them from the others, or make the random sample less random. False for what may hide
        something and for what is read once more: their places were drawn, too.
    """
    return entry.kind is EntryKind.READING and entry.channel in _FOLLOWS_THE_QUEUE


def unneeded(
    entries: Sequence[WorklistEntry],
    readers: Mapping[str, Collection[str]],
    *,
    wanted: Callable[[str], int],
    overdue: Collection[int] = (),
    kept: Collection[int] = (),
) -> dict[int, str]:
    """Return the entries without which an image gets all the readings that are wanted.

    Parameters
    ----------
    entries : sequence of WorklistEntry
        The open ones of all readers, by rank.
    readers : mapping of str to collection of str
        Who has read what, by image id.
    wanted : callable
        Gives the number of independent readings that an image is to have, by its id.
    overdue : collection of int
        Keys of entries that have waited too long.
    kept : collection of int
        Keys of entries that stay in any case.

    Returns
    -------
    dict of int to str
        The reason by entry key; of the readers who wait, those who have let it wait too long,
        then those who would come to it last.
    """
    waiting: dict[str, list[WorklistEntry]] = {}
    for entry in sorted(entries, key=lambda one: one.key in overdue):
        if entry.kind is not EntryKind.SECOND_LOOK:
            waiting.setdefault(entry.image_id, []).append(entry)
    return {
        entry.key: ENOUGH_READERS
        for image_id, those in waiting.items()
        for entry in those[max(0, wanted(image_id) - len(readers.get(image_id, ()))) :]
        if entry.kind is EntryKind.READING
        and entry.channel in _MAY_BE_WITHDRAWN
        and entry.key not in kept
    }


def reorder(
    entries: Sequence[WorklistEntry],
    values: Mapping[str, float | None],
    unwanted: Mapping[int, str],
) -> Reordering:
    """Return how a worklist follows the queue.

    Parameters
    ----------
    entries : sequence of WorklistEntry
        The open ones of one reader, by rank.
    values : mapping of str to float or None
        What their images are worth now, by image id; None when no model has scored an image.
    unwanted : mapping of int to str
        From `unneeded`; keys of other readers' entries do no harm.

    Returns
    -------
    Reordering
        Entries that do not follow the queue keep their places among those that stay, and so does
        the first one that has a task, which its reader may have open. The others are ordered as
        in a batch: by falling worth, equal ones by image id, then images that no model has
        scored, as they stood.
    """
    begun = next((entry.key for entry in entries if entry.task_id is not None), None)
    staying = [entry for entry in entries if entry.key not in unwanted]
    is_free = [entry.key != begun and follows_the_queue(entry) for entry in staying]
    free = [entry for entry, moves in zip(staying, is_free, strict=True) if moves]
    ranked = iter(sorted(free, key=lambda entry: _place(entry.image_id, values)))
    return Reordering(
        order=tuple(
            next(ranked).key if moves else entry.key
            for entry, moves in zip(staying, is_free, strict=True)
        ),
        unwanted={entry.key: unwanted[entry.key] for entry in entries if entry.key in unwanted},
    )


def _place(image_id: str, values: Mapping[str, float | None]) -> tuple[bool, float, str]:
    value = values[image_id]
    return (True, 0.0, "") if value is None else (False, -value, image_id)
