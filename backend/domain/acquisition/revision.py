"""A worklist whose order has changed, around what is being read."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from backend.domain.worklists import WorklistEntry


@dataclass(frozen=True, slots=True)
class Revision:
    """What becomes of a reader's open entries.

    Attributes
    ----------
    ranks : dict of int to int
        New rank by entry key, for the entries that get another one.
    withdrawn : tuple of int
        Keys of the entries that the reader is no longer asked for.
    left_alone : tuple of int
        Keys of the entries that should have been withdrawn and are being read.
    """

    ranks: dict[int, int]
    withdrawn: tuple[int, ...]
    left_alone: tuple[int, ...]


def revise(
    entries: Sequence[WorklistEntry],
    order: Sequence[int],
    unwanted: Collection[int],
    being_read: Collection[int],
) -> Revision:
    """Return how a worklist changes.

    What is being read keeps its place before everything else and stays. The wanted order
    follows, then what it does not name, as it stood.

    Parameters
    ----------
    entries : sequence of WorklistEntry
        The open ones of one reader, by rank.
    order : sequence of int
        Keys in the wanted order; keys that are not open any more are passed over.
    unwanted : collection of int
        Keys to withdraw.
    being_read : collection of int
        Keys that are not touched.

    Returns
    -------
    Revision
        The ranks are those that the remaining entries had, dealt out anew.
    """
    open_keys = [entry.key for entry in entries]
    withdrawn = tuple(key for key in open_keys if key in unwanted and key not in being_read)
    staying = [entry for entry in entries if entry.key not in withdrawn]
    first = [key for key in open_keys if key in being_read]
    wanted = [key for key in dict.fromkeys(order) if key in open_keys]
    queue = [key for key in dict.fromkeys([*first, *wanted, *open_keys]) if key not in withdrawn]
    before = {entry.key: entry.rank for entry in staying}
    dealt = dict(zip(queue, sorted(before.values()), strict=True))
    return Revision(
        ranks={key: rank for key, rank in dealt.items() if before[key] != rank},
        withdrawn=withdrawn,
        left_alone=tuple(key for key in first if key in unwanted),
    )
