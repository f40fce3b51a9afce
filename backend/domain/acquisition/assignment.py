"""Who reads which of the chosen images."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from backend.domain.acquisition.batch import Choice
from backend.domain.acquisition.roster import Case, Past, Roster

__all__ = ["Assignment", "Case", "MissingDemandError", "Past", "assign_readers"]

_UNKNOWN = Case()
_NO_CASES: Mapping[str, Case] = MappingProxyType({})
_NO_PAST = Past()


class MissingDemandError(ValueError):
    """Nobody said how many readers an image still wants."""


@dataclass(frozen=True, slots=True)
class Assignment:
    """One image for one reader.

    Attributes
    ----------
    image_id, reader_id : str
        Who reads what.
    rank : int
        Rank of the choice, from 1; a reader reads in this order.
    """

    image_id: str
    reader_id: str
    rank: int


def assign_readers(
    choices: Sequence[Choice],
    *,
    open_slots: Mapping[str, int],
    already_read: Mapping[str, Collection[str]],
    readers_wanted: Mapping[str, int],
    cases: Mapping[str, Case] = _NO_CASES,
    past: Past = _NO_PAST,
) -> tuple[Assignment, ...]:
    """Share the chosen images out among the readers.

    Parameters
    ----------
    choices : sequence of Choice
        The batch, in any order.
    open_slots : mapping of str to int
        Reader id to the number of images that fit on the worklist; 0 or less means full.
    already_read : mapping of str to collection of str
        Image id to the readers who read it or have it on their worklist; an image may be
        absent.
    readers_wanted : mapping of str to int
        Image id to how many further readers it wants, beside those in `already_read`.
    cases : mapping of str to Case
        What to expect on each image; an image may be absent.
    past : Past
        What the readers have read before, and their specialities.

    Returns
    -------
    tuple of Assignment
        By rank. No reader gets an image twice; an image gets fewer readers than it wants only
        when nobody else has room for it or could make room, and where there is too little room,
        those that rank first get theirs: no other way of dealing gives an image a reader more
        without taking one from an image that ranks before it.

    Raises
    ------
    MissingDemandError
        If a chosen image is not in `readers_wanted`.

    Notes
    -----
    Images are dealt like cards, those with most expected findings first, always to the readers
    with the fewest images so far. The t-th images of all readers are therefore much alike, and
    two readers' sums of expected findings differ by no more than the richest image has, as long
    as every reader may read every image. Whom of these readers an image goes to:
    `Roster.take`. At the end an image moves from a reader to another wherever that evens out
    their loads.
    """
    missing = sorted({choice.image_id for choice in choices} - set(readers_wanted))
    if missing:
        raise MissingDemandError(
            f"expected in readers_wanted how many readers each image wants; "
            f"missing: {', '.join(missing)}"
        )
    by_rank = sorted(choices, key=lambda choice: (choice.rank, choice.image_id))

    room = _share_room(by_rank, readers_wanted, Roster(open_slots, already_read, past))
    roster = Roster(open_slots, already_read, past)
    for choice in sorted(by_rank, key=lambda one: -_case(cases, one).expected_findings):
        roster.take(choice.image_id, room[choice.image_id], _case(cases, choice))
    for choice in by_rank:
        _give(choice, room[choice.image_id], roster, _case(cases, choice))
    roster.even_out()

    return tuple(
        Assignment(image_id=choice.image_id, reader_id=reader_id, rank=choice.rank)
        for choice in by_rank
        for reader_id in roster.taken[choice.image_id]
    )


def _case(cases: Mapping[str, Case], choice: Choice) -> Case:
    return cases.get(choice.image_id, _UNKNOWN)


def _give(choice: Choice, number: int, roster: Roster, case: Case) -> None:
    """Give an image to so many readers in all, or to all that can be had."""
    taken = roster.taken[choice.image_id]
    roster.take(choice.image_id, number - len(taken), case)
    while len(taken) < number and roster.make_room(choice.image_id):
        roster.take(choice.image_id, 1, case)


def _share_room(
    by_rank: Sequence[Choice], readers_wanted: Mapping[str, int], roster: Roster
) -> dict[str, int]:
    """Return how many readers each image may count on, when those that rank first choose first."""
    for choice in by_rank:
        _give(choice, readers_wanted[choice.image_id], roster, _UNKNOWN)
    return {choice.image_id: len(roster.taken[choice.image_id]) for choice in by_rank}
