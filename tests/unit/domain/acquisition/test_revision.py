"""Which entries move, which go, and which are left alone."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from backend.domain.acquisition.revision import revise
from backend.domain.worklists import WorklistEntry
from tests.store.samples import entry

OPEN = [replace(entry(f"im{key}", rank=rank), id=key) for key, rank in ((1, 10), (2, 20), (3, 30))]


def order_after(
    entries: list[WorklistEntry], *, ranks: dict[int, int], gone: set[int]
) -> list[int]:
    staying = [one for one in entries if one.key not in gone]
    return [one.key for one in sorted(staying, key=lambda one: ranks.get(one.key, one.rank))]


class TestRevise:
    def test_deals_the_ranks_out_anew(self) -> None:
        assert revise(OPEN, [3, 1], [], []).ranks == {3: 10, 1: 20, 2: 30}

    def test_keeps_what_is_being_read_in_front_and_on_the_list(self) -> None:
        change = revise(OPEN, [3, 2, 1], [1, 2], [1])

        assert change.withdrawn == (2,)
        assert change.left_alone == (1,)
        assert change.ranks == {}

    def test_passes_over_what_is_not_open(self) -> None:
        change = revise(OPEN, [9, 2], [8], [7])

        assert change == revise(OPEN, [2], [], [])
        assert order_after(OPEN, ranks=change.ranks, gone=set()) == [2, 1, 3]

    def test_is_content_with_an_empty_worklist(self) -> None:
        change = revise([], [1], [2], [3])
        assert (change.ranks, change.withdrawn, change.left_alone) == ({}, (), ())

    @given(
        st.lists(st.integers(1, 8), max_size=12),
        st.sets(st.integers(1, 8)),
        st.sets(st.integers(1, 8), max_size=2),
    )
    def test_loses_nobody_and_keeps_every_promise(
        self, order: list[int], unwanted: set[int], being_read: set[int]
    ) -> None:
        entries = [replace(entry(f"im{key}", rank=3 * key), id=key) for key in range(1, 9)]
        change = revise(entries, order, unwanted, being_read)

        gone = set(change.withdrawn)
        after = order_after(entries, ranks=change.ranks, gone=gone)
        assert gone == unwanted - being_read
        assert set(after) | gone == set(range(1, 9))
        assert after[: len(being_read)] == sorted(being_read)
        wanted = [key for key in dict.fromkeys(order) if key not in gone | being_read]
        assert after[len(being_read) :][: len(wanted)] == wanted
