"""The readers while a batch is dealt out: how loaded each is, and whom each has met."""

from collections import Counter, defaultdict, deque
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from itertools import combinations
from statistics import fmean

from backend.domain.findings import Finding

Pair = tuple[str, str]
"""Two readers, in the order of their ids."""

_WANTED, _FREE, _SAVED = range(3)


@dataclass(frozen=True, slots=True)
class Case:
    """What to expect on an image.

    Attributes
    ----------
    expected_findings : float
        How many boxes a reader will probably draw, from 0 on.
    finding : Finding or None
        What it is above all; None when nobody knows.
    """

    expected_findings: float = 0.0
    finding: Finding | None = None


@dataclass(frozen=True, slots=True)
class Past:
    """What the readers have read so far, which a new batch evens out, and what they prefer.

    Attributes
    ----------
    met : mapping of (str, str) to int
        Two readers, in the order of their ids, to the number of images that both have read or
        have before them.
    surplus : mapping of str to float
        By how many expected findings the images of each reader were above the usual; below 0
        for one who was given many normal images.
    specialities : mapping of str to collection of Finding
        What readers are to be preferred for; most have none.
    """

    met: Mapping[Pair, int] = field(default_factory=dict)
    surplus: Mapping[str, float] = field(default_factory=dict)
    specialities: Mapping[str, Collection[Finding]] = field(default_factory=dict)


def count_meetings(readers: Iterable[Collection[str]]) -> dict[Pair, int]:
    """Return how often readers met.

    Parameters
    ----------
    readers : iterable of collection of str
        The readers of each image.

    Returns
    -------
    dict of (str, str) to int
        For `Past.met`; pairs that never met are missing.

    Examples
    --------
    >>> count_meetings([{"R1", "R2"}, {"R2", "R1", "R3"}, {"R3"}])
    {('R1', 'R2'): 2, ('R1', 'R3'): 1, ('R2', 'R3'): 1}
    """
    panels = Counter(tuple(sorted(set(panel))) for panel in readers)
    met: Counter[Pair] = Counter()
    for panel, images in sorted(panels.items()):
        for pair in combinations(panel, 2):
            met[pair] += images
    return dict(met)


def measure_surplus(
    readers: Mapping[str, Collection[str]], findings: Mapping[str, float]
) -> dict[str, float]:
    """Return by how many findings the images of each reader were above the usual.

    Parameters
    ----------
    readers : mapping of str to collection of str
        Image id to its readers.
    findings : mapping of str to float
        Image id to the number of findings; other images are passed over.

    Returns
    -------
    dict of str to float
        For `Past.surplus`: the sum over a reader's images of how much each differs from the mean.

    Examples
    --------
    >>> measure_surplus({"a": ["R1"], "b": ["R2"], "c": ["R2"]}, {"a": 3.0, "b": 0.0, "c": 0.0})
    {'R1': 2.0, 'R2': -2.0}
    """
    known = {image_id: those for image_id, those in readers.items() if image_id in findings}
    usual = fmean(findings[image_id] for image_id in known) if known else 0.0
    surplus: dict[str, float] = {}
    for image_id, those in known.items():
        for reader in those:
            surplus[reader] = surplus.get(reader, 0.0) + findings[image_id] - usual
    return surplus


@dataclass(slots=True)
class Roster:
    """The readers while a batch is dealt out.

    Attributes
    ----------
    slots : mapping of str to int
        Reader id to the number of images that fit on the worklist.
    already : mapping of str to collection of str
        Image id to the readers whom it is not given to again.
    past : Past
        What they read before.
    taken : dict of str to list of str
        Image id to the readers that it was given to in this batch.
    load : Counter of str
        How many images each reader got.
    """

    slots: Mapping[str, int]
    already: Mapping[str, Collection[str]]
    past: Past
    taken: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    load: Counter[str] = field(default_factory=Counter)
    _met: Counter[Pair] = field(default_factory=Counter)
    _surplus: dict[str, float] = field(default_factory=lambda: defaultdict(float))
    _group: dict[str, str] = field(default_factory=dict)
    _stuck: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self._met.update(self.past.met)
        self._surplus.update(self.past.surplus)
        for pair, images in self.past.met.items():
            if images > 0:
                self._join(*pair)

    def who_may_read(self, image_id: str) -> set[str]:
        """Return the readers with room for an image that they know nothing of.

        Parameters
        ----------
        image_id : str
            Which.

        Returns
        -------
        set of str
            Reader ids.
        """
        company = self._company(image_id)
        return {
            reader
            for reader, slots in self.slots.items()
            if slots > self.load[reader] and reader not in company
        }

    def take(self, image_id: str, wanted: int, case: Case) -> None:
        """Give an image to readers.

        Parameters
        ----------
        image_id : str
            Which.
        wanted : int
            To how many; fewer when nobody else has room.
        case : Case
            What to expect on it.

        Notes
        -----
        Each time to the reader with the fewest images; among equals to one whose speciality it
        is, sparing those with another; then to the one who shares the fewest images with the
        readers that it has, preferring one whom no chain of common images links to them; then to
        the one whose images have had the fewest findings; then by reader id.
        """
        free = self.who_may_read(image_id)
        for _ in range(min(wanted, len(free))):
            company = self._company(image_id)
            reader = min(free, key=lambda one: self._preference(one, company, case))
            free.remove(reader)
            for other in company:
                self._met[_pair(reader, other)] += 1
                self._join(reader, other)
            self.load[reader] += 1
            self._surplus[reader] += case.expected_findings
            self.taken[image_id].append(reader)

    def make_room(self, image_id: str) -> bool:
        """Let readers who could read an image, but are full, hand on others until one has room.

        Parameters
        ----------
        image_id : str
            The image that lacks a reader.

        Returns
        -------
        bool
            Whether somebody can take it now.

        Notes
        -----
        An augmenting path in the bipartite graph of images and readers, found breadth first: no
        other image loses a reader. Where no path leads from readers to room, none ever will: they
        are full, and all whom they could hand an image on to are, too. They are remembered, so
        that no more searches fail than there are readers; one looks at every image of every
        reader once.
        """
        paths: dict[str, tuple[str, str] | None] = dict.fromkeys(self._unseen(image_id, ()))
        waiting = deque(paths)
        while waiting:
            reader = waiting.popleft()
            if self.slots[reader] > self.load[reader]:
                self._hand_on(reader, paths)
                return True
            for other in [one for one in sorted(self.taken) if reader in self.taken[one]]:
                found = self._unseen(other, paths)
                paths.update(dict.fromkeys(found, (reader, other)))
                waiting.extend(found)
        self._stuck.update(paths)
        return False

    def even_out(self) -> None:
        """Move images from readers with many to readers with few, while that is possible."""
        while move := self._next_move():
            self._move(*move)

    def _unseen(self, image_id: str, seen: Collection[str]) -> list[str]:
        """Return who could read an image, room or not, and may lead to room."""
        return sorted(set(self.slots).difference(self._company(image_id), seen, self._stuck))

    def _hand_on(self, reader: str, paths: Mapping[str, tuple[str, str] | None]) -> None:
        while step := paths[reader]:
            giver, image_id = step
            self._move(image_id, giver, reader)
            reader = giver

    def _move(self, image_id: str, giver: str, receiver: str) -> None:
        readers = self.taken[image_id]
        readers[readers.index(giver)] = receiver
        self.load[giver] -= 1
        self.load[receiver] += 1

    def _next_move(self) -> tuple[str, str, str] | None:
        by_load = sorted(self.slots, key=lambda reader: (self.load[reader], reader))
        for receiver in by_load:
            if self.slots[receiver] <= self.load[receiver]:
                continue
            for giver in reversed(by_load):
                if self.load[giver] < self.load[receiver] + 2:
                    break
                for image_id in sorted(self.taken):
                    if giver in self.taken[image_id] and receiver not in self._company(image_id):
                        return image_id, giver, receiver
        return None

    def _company(self, image_id: str) -> set[str]:
        return {*self.already.get(image_id, ()), *self.taken[image_id]}

    def _preference(
        self, reader: str, company: Collection[str], case: Case
    ) -> tuple[int, int, int, bool, float, str]:
        """Return the key by which the next reader is chosen; lowest first."""
        shared = sum(self._met[_pair(reader, other)] for other in company)
        is_linked = any(self._leader(reader) == self._leader(other) for other in company)
        suits = self._suitability(reader, case.finding)
        return self.load[reader], suits, shared, is_linked, self._surplus[reader], reader

    def _suitability(self, reader: str, finding: Finding | None) -> int:
        specialities = self.past.specialities.get(reader, ())
        if finding is not None and finding in specialities:
            return _WANTED
        return _SAVED if specialities else _FREE

    def _leader(self, reader: str) -> str:
        """Return the reader who stands for all that are linked by common images."""
        while (above := self._group.get(reader, reader)) != reader:
            reader = above
        return reader

    def _join(self, one: str, other: str) -> None:
        first, second = sorted((self._leader(one), self._leader(other)))
        if first != second:
            self._group[second] = first


def _pair(one: str, other: str) -> Pair:
    return (one, other) if one < other else (other, one)
