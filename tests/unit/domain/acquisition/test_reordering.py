"""Open entries follow the queue, but for those whose place means something else."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.domain.acquisition.batch import Channel
from backend.domain.acquisition.reordering import ENOUGH_READERS, reorder, unneeded
from backend.domain.worklists import EntryKind, WorklistEntry
from tests.store.samples import entry


def asked(
    key: int,
    image_id: str | None = None,
    reader_id: str = "R1",
    *,
    channel: str = Channel.UNCERTAIN,
    kind: EntryKind = EntryKind.READING,
    task_id: int | None = None,
) -> WorklistEntry:
    plain = entry(image_id or f"n{key}", reader_id, rank=key)
    return replace(plain, id=key, channel=channel, kind=kind, task_id=task_id)


class TestReorder:
    def test_puts_what_is_worth_most_first(self) -> None:
        entries = [
            asked(1),
            asked(2, channel=Channel.QUOTA),
            asked(3, channel=Channel.COLD_START),
            asked(4),
        ]

        change = reorder(entries, {"n1": 0.2, "n2": 0.9, "n3": 0.5, "n4": None}, {})

        assert change.order == (2, 3, 1, 4)
        assert change.changes(entries)

    def test_breaks_ties_by_image_and_keeps_unscored_ones_as_they_stood(self) -> None:
        entries = [asked(1, "d"), asked(2, "c"), asked(3, "b"), asked(4, "a")]

        assert reorder(entries, {"a": 1, "b": 1, "c": None, "d": None}, {}).order == (4, 3, 1, 2)

    @pytest.mark.parametrize(
        "fixed",
        [
            asked(2, channel=Channel.RANDOM),
            asked(2, channel=Channel.MISSED),
            asked(2, channel=Channel.REREAD),
            asked(2, channel=Channel.GOLD, kind=EntryKind.GOLD),
            asked(2, channel="second-look", kind=EntryKind.SECOND_LOOK),
            asked(2, task_id=7),
        ],
    )
    def test_keeps_the_places_of_the_others(self, fixed: WorklistEntry) -> None:
        entries = [asked(1), fixed, asked(3)]

        assert reorder(entries, {"n1": 0.1, "n2": 0.0, "n3": 0.3}, {}).order == (3, 2, 1)

    def test_changes_nothing_when_the_order_is_right(self) -> None:
        entries = [asked(1), asked(2)]

        assert not reorder(entries, {"n1": 0.9, "n2": 0.1}, {}).changes(entries)

    def test_takes_the_unwanted_off(self) -> None:
        entries = [asked(1), asked(2)]

        change = reorder(entries, {"n1": 0.9, "n2": 0.1}, {1: "why", 9: "of another reader"})

        assert (change.order, change.unwanted) == ((2,), {1: "why"})
        assert change.changes(entries)

    @given(st.lists(st.floats(0, 9) | st.none(), max_size=8), st.sets(st.integers(0, 7)))
    def test_loses_nobody(self, uncertainties: list[float | None], gone: set[int]) -> None:
        entries = [asked(key) for key in range(len(uncertainties))]
        values = {f"n{key}": one for key, one in enumerate(uncertainties)}

        change = reorder(entries, values, dict.fromkeys(gone, "why"))

        assert sorted([*change.order, *change.unwanted]) == [one.key for one in entries]


class TestUnneeded:
    def test_are_those_beyond_what_is_wanted_the_last_to_come_to_it_first(self) -> None:
        entries = [asked(1, "a", "R1"), asked(2, "a", "R2"), asked(3, "a", "R3"), asked(4, "b")]

        assert unneeded(entries, {"a": {"R7"}}, wanted=lambda _: 3) == {3: ENOUGH_READERS}
        assert unneeded(entries, {"a": {"R7", "R8", "R9"}}, wanted=lambda _: 3) == {
            1: ENOUGH_READERS,
            2: ENOUGH_READERS,
            3: ENOUGH_READERS,
        }
        assert unneeded(entries, {}, wanted=lambda _: 3) == {}

    def test_are_those_that_waited_too_long_before_others(self) -> None:
        entries = [asked(1, "a", "R1"), asked(2, "a", "R2"), asked(3, "b", "R1")]

        assert unneeded(entries, {}, wanted=lambda _: 1, overdue={1, 3}) == {1: ENOUGH_READERS}

    def test_depend_on_how_many_readings_each_image_is_to_have(self) -> None:
        entries = [
            asked(1, "a", "R1"),
            asked(2, "a", "R2"),
            asked(3, "b", "R1"),
            asked(4, "b", "R2"),
        ]

        assert unneeded(entries, {}, wanted={"a": 1, "b": 2}.__getitem__) == {2: ENOUGH_READERS}

    def test_are_never_gold_or_random_or_second_looks(self) -> None:
        entries = [
            asked(1, "a", "R1", channel=Channel.GOLD, kind=EntryKind.GOLD),
            asked(2, "a", "R2", channel=Channel.RANDOM),
            asked(3, "a", "R3", channel="second-look", kind=EntryKind.SECOND_LOOK),
        ]

        assert unneeded(entries, {"a": {"R3", "R4"}}, wanted=lambda _: 2) == {}

    def test_are_further_readings_that_nobody_needs_any_more(self) -> None:
        third = asked(1, "a", "R3", channel=Channel.REREAD)

        assert unneeded([third], {"a": {"R1", "R2"}}, wanted=lambda _: 3) == {}
        assert unneeded([third], {"a": {"R1", "R2"}}, wanted=lambda _: 2) == {1: ENOUGH_READERS}
