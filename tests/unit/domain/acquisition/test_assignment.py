"""Who reads which image."""

from collections import Counter
from itertools import combinations, product
from random import Random
from unittest.mock import MagicMock

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.domain.acquisition.assignment import (
    Assignment,
    Case,
    MissingDemandError,
    Past,
    assign_readers,
)
from backend.domain.acquisition.batch import Channel, Choice
from backend.domain.acquisition.roster import Roster, count_meetings
from backend.domain.findings import Finding


def choices(count: int) -> list[Choice]:
    return [
        Choice(f"i{rank}", rank=rank, score=0.0, channel=Channel.COLD_START, reason="")
        for rank in range(1, count + 1)
    ]


def assign(
    count: int,
    slots: dict[str, int],
    *,
    wanted: int,
    already: dict[str, set[str]] | None = None,
    expected: list[float] | None = None,
    past: Past | None = None,
) -> tuple[Assignment, ...]:
    chosen = choices(count)
    return assign_readers(
        chosen,
        open_slots=slots,
        already_read=already or {},
        readers_wanted={one.image_id: wanted for one in chosen},
        cases={f"i{rank}": Case(number) for rank, number in enumerate(expected or [], start=1)},
        past=past or Past(),
    )


def panels_of(assigned: tuple[Assignment, ...]) -> list[set[str]]:
    """Return the readers of each image."""
    panels: dict[str, set[str]] = {}
    for one in assigned:
        panels.setdefault(one.image_id, set()).add(one.reader_id)
    return list(panels.values())


def are_linked(readers: str, panels: list[set[str]]) -> bool:
    """Whether common images link all readers, directly or through others."""
    reached = {readers[0]}
    while grown := [panel for panel in panels if panel & reached and panel - reached]:
        reached |= set().union(*grown)
    return reached >= set(readers)


def most_by_rank(could_read: list[list[str]], slots: dict[str, int], wanted: int) -> list[int]:
    """Return how many readers images can have at most, the first ones first; tries everything."""
    numbers: list[int] = []
    for _ in could_read:
        numbers.append(
            next(
                number
                for number in range(wanted, -1, -1)
                if can_be_dealt([*numbers, number], could_read, slots)
            )
        )
    return numbers


def can_be_dealt(numbers: list[int], could_read: list[list[str]], slots: dict[str, int]) -> bool:
    if not numbers:
        return True
    return any(
        can_be_dealt(
            numbers[1:],
            could_read[1:],
            {one: room - (one in panel) for one, room in slots.items()},
        )
        for panel in combinations(could_read[0], numbers[0])
        if all(slots[one] > 0 for one in panel)
    )


def readers(number: int) -> str:
    return "ABCDEFGHIJKLMNOPQRST"[:number]


class TestAssignReaders:
    def test_gives_everybody_the_same_load(self) -> None:
        assigned = assign(10, dict.fromkeys("ABCD", 100), wanted=2)

        assert Counter(one.reader_id for one in assigned) == dict.fromkeys("ABCD", 5)

    def test_lets_every_pair_of_readers_meet(self) -> None:
        assigned = assign(12, dict.fromkeys("ABCD", 100), wanted=2)

        pairs = Counter(
            frozenset(one.reader_id for one in assigned if one.image_id == image_id)
            for image_id in {one.image_id for one in assigned}
        )
        assert pairs == {frozenset(pair): 2 for pair in combinations("ABCD", 2)}

    def test_never_gives_a_reader_an_image_again(self) -> None:
        assigned = assign(1, {"A": 5, "B": 5}, wanted=2, already={"i1": {"A", "Z"}})

        assert [one.reader_id for one in assigned] == ["B"]

    def test_fills_no_worklist_beyond_its_slots(self) -> None:
        assigned = assign(5, {"A": 2, "B": 0, "C": -1}, wanted=3)

        assert [(one.reader_id, one.image_id) for one in assigned] == [("A", "i1"), ("A", "i2")]

    @given(
        st.integers(0, 12),
        st.dictionaries(st.sampled_from("ABCDE"), st.integers(-1, 9)),
        st.integers(0, 4),
        st.dictionaries(
            st.integers(1, 12).map("i{}".format), st.sets(st.sampled_from("ABCDE"), max_size=3)
        ),
    )
    def test_keeps_its_promises_on_any_input(
        self, count: int, slots: dict[str, int], wanted: int, already: dict[str, set[str]]
    ) -> None:
        assigned = assign(count, slots, wanted=wanted, already=already)

        pairs = [(one.image_id, one.reader_id) for one in assigned]
        assert len(pairs) == len(set(pairs))
        assert all(reader not in already.get(image, set()) for image, reader in pairs)
        assert [one.rank for one in assigned] == sorted(one.rank for one in assigned)
        load = Counter(reader for _, reader in pairs)
        assert all(load[reader] <= max(0, slots[reader]) for reader in load)
        readers = Counter(image for image, _ in pairs)
        assert all(number <= wanted for number in readers.values())
        for image_id in (f"i{rank}" for rank in range(1, count + 1)):
            idle = [
                reader
                for reader, room in slots.items()
                if room > load[reader]
                and reader not in already.get(image_id, set())
                and (image_id, reader) not in pairs
            ]
            assert readers[image_id] == wanted or not idle

    @given(st.integers(1, 9), st.integers(1, 4), st.integers(0, 40), st.randoms())
    def test_gives_loads_within_one(
        self, number: int, wanted: int, count: int, random: Random
    ) -> None:
        expected = [random.expovariate(1.0) for _ in range(count)]

        assigned = assign(
            count, dict.fromkeys(readers(number), 99), wanted=wanted, expected=expected
        )

        load = Counter(one.reader_id for one in assigned)
        loads = [load[reader] for reader in readers(number)]
        assert max(loads) - min(loads) <= 1

    @given(
        st.integers(1, 10),
        st.dictionaries(st.sampled_from("ABCD"), st.integers(0, 9), min_size=1),
        st.integers(1, 3),
        st.dictionaries(
            st.integers(1, 10).map("i{}".format), st.sets(st.sampled_from("ABCD"), max_size=3)
        ),
    )
    def test_leaves_no_image_that_could_move_to_a_reader_with_fewer(
        self, count: int, slots: dict[str, int], wanted: int, already: dict[str, set[str]]
    ) -> None:
        assigned = assign(count, slots, wanted=wanted, already=already)

        load = Counter(one.reader_id for one in assigned)
        has = {(one.image_id, one.reader_id) for one in assigned}
        for one, receiver in product(assigned, slots):
            could = (
                slots[receiver] > load[receiver]
                and receiver not in already.get(one.image_id, ())
                and (one.image_id, receiver) not in has
            )
            assert not could or load[one.reader_id] <= load[receiver] + 1

    @given(st.integers(1, 9), st.integers(1, 4), st.lists(st.floats(0.0, 8.0), max_size=40))
    def test_gives_nobody_more_findings_than_one_image_makes(
        self, number: int, wanted: int, expected: list[float]
    ) -> None:
        slots = dict.fromkeys(readers(number), 99)

        assigned = assign(len(expected), slots, wanted=wanted, expected=expected)

        sums = dict.fromkeys(slots, 0.0)
        for one in assigned:
            sums[one.reader_id] += expected[int(one.image_id[1:]) - 1]
        assert max(sums.values()) - min(sums.values()) <= max(expected, default=0.0) + 1e-9

    @given(st.integers(2, 12), st.integers(2, 4), st.integers(0, 20), st.randoms())
    def test_links_all_readers_by_common_images(
        self, number: int, wanted: int, more: int, random: Random
    ) -> None:
        count = number + more  # two images each suffice
        expected = [random.random() for _ in range(count)]

        assigned = assign(
            count, dict.fromkeys(readers(number), 99), wanted=wanted, expected=expected
        )

        assert are_linked(readers(number), panels_of(assigned))

    def test_links_groups_that_never_met(self) -> None:
        past = Past(met={("A", "B"): 40, ("A", "C"): 40, ("B", "C"): 40, ("D", "E"): 9})

        assigned = assign(4, dict.fromkeys("ABCDE", 99), wanted=2, past=past)

        assert are_linked("ABCDE", [*panels_of(assigned), {"A", "B", "C"}, {"D", "E"}])

    @pytest.mark.parametrize(("number", "wanted"), [(3, 2), (5, 2), (6, 3), (8, 2), (20, 3)])
    def test_lets_pairs_meet_equally_often(self, number: int, wanted: int) -> None:
        count = 6 * number * (number - 1) // (wanted * (wanted - 1))  # six for every pair
        expected = np.random.default_rng(3).exponential(size=count).tolist()

        assigned = assign(
            count, dict.fromkeys(readers(number), 999), wanted=wanted, expected=expected
        )

        met = count_meetings(panels_of(assigned))
        meetings = [met.get(pair, 0) for pair in combinations(readers(number), 2)]
        assert np.mean(meetings) == pytest.approx(6.0, rel=0.05)
        assert min(meetings) >= 3
        assert max(meetings) <= 10

    def test_makes_up_for_pairs_that_met_seldom(self) -> None:
        past = Past(met={("A", "B"): 5, ("A", "C"): 5, ("B", "D"): 5, ("C", "D"): 5})

        assigned = assign(2, dict.fromkeys("ABCD", 9), wanted=2, past=past)

        assert panels_of(assigned) == [{"A", "D"}, {"B", "C"}]

    def test_gives_richer_images_to_readers_who_saw_little(self) -> None:
        past = Past(surplus={"A": 3.0, "B": -3.0})

        assigned = assign(2, {"A": 9, "B": 9}, wanted=1, expected=[0.1, 2.0], past=past)

        assert [(one.image_id, one.reader_id) for one in assigned] == [("i1", "A"), ("i2", "B")]

    def test_prefers_readers_for_their_speciality_and_spares_them_for_it(self) -> None:
        chosen = choices(4)
        cases = {one.image_id: Case(1.0) for one in chosen}
        cases["i4"] = Case(0.5, Finding.ILD)

        assigned = assign_readers(
            chosen,
            open_slots=dict.fromkeys("ABCD", 9),
            already_read={},
            readers_wanted=dict.fromkeys(cases, 1),
            cases=cases,
            past=Past(specialities={"A": {Finding.ILD}}),
        )

        assert [one.reader_id for one in assigned] == ["B", "C", "D", "A"]

    def test_keeps_scarce_room_for_what_ranks_first(self) -> None:
        assigned = assign(3, {"A": 2}, wanted=1, expected=[0.0, 0.0, 9.0])

        assert [one.image_id for one in assigned] == ["i1", "i2"]

    def test_keeps_each_readers_room_for_what_ranks_first(self) -> None:
        known = {f"i{rank}": {"A"} for rank in range(1, 5)}

        assigned = assign(
            6, {"A": 1, "B": 2}, wanted=1, already=known, expected=[0.0, 0.0, 9.0, 9.0, 0.0, 9.0]
        )

        assert [(one.image_id, one.reader_id) for one in assigned] == [
            ("i1", "B"),
            ("i2", "B"),
            ("i5", "A"),
        ]

    @given(
        st.dictionaries(st.sampled_from("ABCDE"), st.integers(0, 6), min_size=1),
        st.integers(1, 3),
        st.dictionaries(
            st.integers(1, 12).map("i{}".format), st.sets(st.sampled_from("ABCDE"), max_size=4)
        ),
        st.lists(st.sampled_from([0.0, 1.0, 2.0, 9.0]), min_size=12, max_size=12),
    )
    def test_gives_nothing_a_reader_whom_what_ranks_before_it_lacks(
        self,
        slots: dict[str, int],
        wanted: int,
        already: dict[str, set[str]],
        expected: list[float],
    ) -> None:
        assigned = assign(12, slots, wanted=wanted, already=already, expected=expected)

        has = {f"i{rank}": set[str]() for rank in range(1, 13)}
        for one in assigned:
            has[one.image_id].add(one.reader_id)
        for first, later in combinations(has, 2):
            could_read_it = has[later] - has[first] - already.get(first, set())
            assert len(has[first]) == wanted or not could_read_it

    @given(
        st.dictionaries(st.sampled_from("ABC"), st.integers(0, 4), min_size=1),
        st.integers(1, 3),
        st.dictionaries(
            st.integers(1, 5).map("i{}".format), st.sets(st.sampled_from("ABC"), max_size=2)
        ),
        st.lists(st.sampled_from([0.0, 1.0, 9.0]), min_size=5, max_size=5),
    )
    def test_gives_each_image_all_that_those_before_it_leave(
        self,
        slots: dict[str, int],
        wanted: int,
        already: dict[str, set[str]],
        expected: list[float],
    ) -> None:
        assigned = assign(5, slots, wanted=wanted, already=already, expected=expected)

        given_out = Counter(one.image_id for one in assigned)
        could_read = [sorted(set(slots) - already.get(f"i{rank}", set())) for rank in range(1, 6)]
        assert [given_out[f"i{rank}"] for rank in range(1, 6)] == most_by_rank(
            could_read, slots, wanted
        )

    def test_spares_readers_with_little_room_for_what_comes_next(self) -> None:
        assigned = assign(5, {"A": 1, "B": 1, "C": 3}, wanted=2)

        assert Counter(one.image_id for one in assigned) == {"i1": 2, "i2": 2, "i3": 1}

    @given(st.permutations(range(8)), st.permutations("ABCDE"))
    def test_does_not_depend_on_the_order_of_what_it_is_given(
        self, order: list[int], names: list[str]
    ) -> None:
        chosen = choices(8)
        cases = {one.image_id: Case(one.rank % 3) for one in chosen}
        already = {"i2": ["B", "Z"], "i5": ["A"]}
        wanted = {one.image_id: 2 for one in chosen}
        met = {("A", "B"): 2, ("C", "E"): 1}
        first = assign_readers(
            chosen,
            open_slots=dict.fromkeys("ABCDE", 4),
            already_read=already,
            readers_wanted=wanted,
            cases=cases,
            past=Past(met=met),
        )

        again = assign_readers(
            [chosen[place] for place in order],
            open_slots=dict.fromkeys(names, 4),
            already_read={key: already[key][::-1] for key in reversed(already)},
            readers_wanted=dict(reversed(wanted.items())),
            cases=dict(reversed(cases.items())),
            past=Past(met=dict(reversed(met.items()))),
        )

        assert again == first

    def test_refuses_an_image_without_a_wanted_number(self) -> None:
        with pytest.raises(MissingDemandError, match="missing: i1, i2"):
            assign_readers(choices(2), open_slots={}, already_read={}, readers_wanted={})


class TestRoster:
    def test_looks_for_room_that_nobody_can_make_only_once(self) -> None:
        names = [f"i{number}" for number in range(400)]
        known = {name: {"Z"} for name in names}
        looked_up = MagicMock(spec=dict, wraps=known)
        roster = Roster({**dict.fromkeys(readers(8), 20), "Z": 999}, looked_up, Past())
        for name in names[:160]:
            roster.take(name, 1, Case())
        looked_up.reset_mock()

        assert not any(roster.make_room(name) for name in names[160:])

        assert looked_up.get.call_count == 240 + 160
