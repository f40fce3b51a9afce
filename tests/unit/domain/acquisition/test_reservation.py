"""An image waits for its reader for some time, not for ever."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from backend.domain.acquisition.reservation import (
    KEPT_FOR_A_RETURN,
    kept_for_a_return,
    lapsed,
    stopped_readers,
)
from backend.domain.worklists import EntryKind, WorklistEntry
from tests.store.samples import NOW, entry

LIFE = timedelta(days=14)
TOMORROW = NOW + timedelta(days=1)


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

        assert lapsed(entries, now=NOW, life=LIFE, away_until={"R1": TOMORROW}) == set()

    def test_is_everything_of_somebody_who_is_away(self) -> None:
        entries = [waiting(1, 0, "R1"), waiting(2, 0, "R2")]

        assert lapsed(entries, now=NOW, life=LIFE, away_until={"R2": TOMORROW}) == {2}

    @pytest.mark.parametrize(("back", "is_lapsed"), [(0, False), (13.9, False), (14, True)])
    def test_is_not_what_waited_during_an_absence(self, back: float, *, is_lapsed: bool) -> None:
        ended = {"R1": NOW - timedelta(days=back)}

        found = lapsed([waiting(1, 99)], now=NOW, life=LIFE, away_until=ended)

        assert found == ({1} if is_lapsed else set())


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
        away = {"R9": TOMORROW, "R8": NOW}

        assert stopped_readers([], {}, now=NOW, life=LIFE, away_until=away) == {"R9"}

    @pytest.mark.parametrize(("back", "is_stopped"), [(0, False), (13.9, False), (14, True)])
    def test_are_not_those_who_have_just_come_back(self, back: float, *, is_stopped: bool) -> None:
        found = stopped_readers(
            [waiting(1, 30)],
            {"R1": NOW - timedelta(days=30)},
            now=NOW,
            life=LIFE,
            away_until={"R1": NOW - timedelta(days=back)},
        )

        assert found == ({"R1"} if is_stopped else set())

    @pytest.mark.parametrize("kind", EntryKind)
    def test_let_anything_lie(self, kind: EntryKind) -> None:
        assert stopped_readers([waiting(1, 20, kind=kind)], {}, now=NOW, life=LIFE) == {"R1"}


class TestKeptForAReturn:
    def test_is_nothing_of_a_reader_who_reads(self) -> None:
        assert kept_for_a_return([waiting(1, 99)], set()) == set()

    def test_leaves_a_reader_who_has_stopped_something_to_go_on_with(self) -> None:
        entries = [waiting(key, 99) for key in range(1, KEPT_FOR_A_RETURN + 4)]

        assert kept_for_a_return(entries, {"R1"}) == set(range(1, KEPT_FOR_A_RETURN + 1))
