"""An image waits for its reader for some time, not for ever."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from backend.domain.acquisition.reservation import (
    KEPT_FOR_A_RETURN,
    NOBODY_STARTED,
    lapsed,
    stopped_readers,
    to_release,
)
from backend.domain.worklists import EntryKind, WorklistEntry
from tests.store.samples import NOW, entry

LIFE = timedelta(days=14)


def waiting(
    key: int, days: float | None, reader_id: str = "R1", kind: EntryKind = EntryKind.READING
) -> WorklistEntry:
    asked_at = None if days is None else NOW - timedelta(days=days)
    plain = entry(f"n{key}", reader_id, rank=key)
    return replace(plain, id=key, asked_at=asked_at, kind=kind)


class TestLapsed:
    @pytest.mark.parametrize(
        ("days", "is_lapsed"), [(0, False), (13.9, False), (14, True), (400, True), (None, False)]
    )
    def test_is_what_waited_longer_than_it_may(
        self, days: float | None, *, is_lapsed: bool
    ) -> None:
        assert (lapsed([waiting(1, days)], now=NOW, life=LIFE) == {1}) is is_lapsed

    def test_is_never_a_gold_case_or_a_second_look(self) -> None:
        entries = [waiting(1, 99, kind=EntryKind.GOLD), waiting(2, 99, kind=EntryKind.SECOND_LOOK)]

        assert lapsed(entries, now=NOW, life=LIFE, away={"R1"}) == set()

    def test_is_everything_of_somebody_who_is_away(self) -> None:
        entries = [waiting(1, 0, "R1"), waiting(2, 0, "R2")]

        assert lapsed(entries, now=NOW, life=LIFE, away={"R2"}) == {2}


class TestStoppedReaders:
    @pytest.mark.parametrize(
        ("waited", "silent", "is_stopped"),
        [
            (20, 20, True),
            (20, None, True),  # never read anything
            (20, 3, False),  # slow, but reading
            (3, 40, False),  # was given nothing to read for a long time
        ],
    )
    def test_let_images_lapse_and_read_nothing(
        self, waited: float, silent: float | None, *, is_stopped: bool
    ) -> None:
        last: dict[str, datetime] = {}
        if silent is not None:
            last["R1"] = NOW - timedelta(days=silent)

        found = stopped_readers([waiting(1, waited)], last, now=NOW, life=LIFE)

        assert found == ({"R1"} if is_stopped else set())

    def test_are_those_who_are_away(self) -> None:
        assert stopped_readers([], {}, now=NOW, life=LIFE, away={"R9"}) == {"R9"}


class TestToRelease:
    def test_is_all_that_lapsed_of_a_reader_who_reads(self) -> None:
        entries = [waiting(1, 99), waiting(2, 1), waiting(3, 99)]

        assert to_release(entries, {1, 3}, set()) == {1: NOBODY_STARTED, 3: NOBODY_STARTED}

    def test_leaves_a_reader_who_has_stopped_something_to_go_on_with(self) -> None:
        entries = [waiting(key, 99) for key in range(1, KEPT_FOR_A_RETURN + 4)]
        overdue = {one.key for one in entries}

        released = to_release(entries, overdue, {"R1"})

        assert sorted(released) == [KEPT_FOR_A_RETURN + number for number in (1, 2, 3)]
