"""Who reads which image."""

from collections import Counter
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.domain.acquisition.assignment import (
    Assignment,
    MissingDemandError,
    assign_readers,
)
from backend.domain.acquisition.batch import Channel, Choice


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
) -> tuple[Assignment, ...]:
    chosen = choices(count)
    return assign_readers(
        chosen,
        open_slots=slots,
        already_read=already or {},
        readers_wanted={one.image_id: wanted for one in chosen},
    )


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

    def test_refuses_an_image_without_a_wanted_number(self) -> None:
        with pytest.raises(MissingDemandError, match="missing: i1, i2"):
            assign_readers(choices(2), open_slots={}, already_read={}, readers_wanted={})
