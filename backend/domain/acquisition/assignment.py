"""Who reads which of the chosen images."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from backend.domain.acquisition.batch import Choice


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

    Returns
    -------
    tuple of Assignment
        By rank. No reader gets an image twice; an image gets fewer readers than it wants only
        when nobody else has room for it.

    Raises
    ------
    MissingDemandError
        If a chosen image is not in `readers_wanted`.

    Notes
    -----
    Images are handled by rank. The next reader of an image is the one with the fewest images
    so far, among equals the one who shares the fewest images with the readers that the image
    already has: so loads stay equal and every reader is compared with every other. What is
    still equal goes by reader id.
    """
    missing = sorted({choice.image_id for choice in choices} - set(readers_wanted))
    if missing:
        raise MissingDemandError(
            f"expected in readers_wanted how many readers each image wants; "
            f"missing: {', '.join(missing)}"
        )
    roster = _Roster(open_slots)
    return tuple(
        Assignment(image_id=choice.image_id, reader_id=reader_id, rank=choice.rank)
        for choice in sorted(choices, key=lambda choice: (choice.rank, choice.image_id))
        for reader_id in roster.take(
            readers_wanted[choice.image_id], already_read.get(choice.image_id, ())
        )
    )


@dataclass(slots=True)
class _Roster:
    """How loaded the readers are while a batch is shared out."""

    open_slots: Mapping[str, int]
    images: Counter[str] = field(default_factory=Counter)
    shared_images: Counter[tuple[str, str]] = field(default_factory=Counter)

    def take(self, wanted: int, already: Collection[str]) -> list[str]:
        """Choose readers for one image and count it as theirs."""
        taken: list[str] = []
        company = sorted(set(already))
        free = {
            reader_id
            for reader_id, slots in self.open_slots.items()
            if slots > self.images[reader_id] and reader_id not in company
        }
        while free and len(taken) < wanted:
            reader_id = min(free, key=lambda one: self._preference(one, company))
            for other in company:
                self.shared_images[reader_id, other] += 1
                self.shared_images[other, reader_id] += 1
            self.images[reader_id] += 1
            free.remove(reader_id)
            company.append(reader_id)
            taken.append(reader_id)
        return taken

    def _preference(self, reader_id: str, company: Sequence[str]) -> tuple[int, int, str]:
        """Return the key by which the next reader is chosen; lowest first."""
        shared = sum(self.shared_images[reader_id, other] for other in company)
        return self.images[reader_id], shared, reader_id
