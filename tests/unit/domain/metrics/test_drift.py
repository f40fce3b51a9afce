"""Telling a reader who changed from one who varies."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from backend.domain.metrics.drift import Series, detect_drift

START = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)


def series(
    rng: np.random.Generator, *, days: int = 60, per_day: int = 6, change: float = 0.0
) -> Series:
    """Return a reader who marks two boxes per image; after half of the time, so many more."""
    number = days * per_day
    times = tuple(
        START + timedelta(days=row // per_day, minutes=row % per_day) for row in range(number)
    )
    mean = 2.0 + change * (np.arange(number) >= number // 2)
    return Series(
        times, rng.poisson(mean).astype(np.float64), np.full(number, 2.0), np.ones(number)
    )


class TestDetectDrift:
    def test_rarely_accuses_a_reader_who_does_not_change(self) -> None:
        rng = np.random.default_rng(1)

        alarms = [detect_drift(series(rng)).has_drifted for _ in range(600)]

        assert np.mean(alarms) <= 0.01

    def test_rarely_accuses_a_reader_with_good_and_bad_days(self) -> None:
        rng = np.random.default_rng(2)
        alarms = []
        for _ in range(400):
            one = series(rng)
            mood = np.repeat(rng.normal(0, 0.5, 60), 6)
            moody = Series(
                one.times, np.asarray(one.totals + mood, dtype=np.float64), one.due, one.weights
            )
            alarms.append(detect_drift(moody).has_drifted)

        assert np.mean(alarms) <= 0.01

    def test_rarely_accuses_in_a_year_of_monthly_looks(self) -> None:
        rng = np.random.default_rng(3)
        alarms = []
        for _ in range(200):
            one = series(rng, days=120)
            looks = [
                Series(one.times[:end], one.totals[:end], one.due[:end], one.weights[:end])
                for end in range(120, 721, 60)
            ]
            alarms.append(any(detect_drift(look).has_drifted for look in looks))

        assert np.mean(alarms) <= 0.04

    def test_finds_a_change_and_when_it_was(self) -> None:
        found = detect_drift(series(np.random.default_rng(4), change=1.0))

        assert found.has_drifted
        assert found.p_value is not None
        assert found.p_value < 1e-6
        assert found.changed_at is not None
        assert abs((found.changed_at - START).days - 30) <= 4
        assert found.before == pytest.approx(2.0, abs=0.25)
        assert found.after == pytest.approx(3.0, abs=0.25)

    def test_is_not_misled_by_other_images(self) -> None:
        one = series(np.random.default_rng(5), change=1.0)
        due = 2.0 + 1.0 * (np.arange(len(one.due)) >= len(one.due) // 2)

        rise = Series(one.times, one.totals, due.astype(np.float64), one.weights)

        assert not detect_drift(rise).has_drifted

    @pytest.mark.parametrize(("days", "per_day"), [(3, 100), (30, 1)])
    def test_says_that_there_is_too_little(self, days: int, per_day: int) -> None:
        found = detect_drift(series(np.random.default_rng(6), days=days, per_day=per_day))

        assert found.p_value is None
        assert not found.has_drifted

    def test_of_nothing_is_nothing(self) -> None:
        found = detect_drift(Series((), np.zeros(0), np.zeros(0), np.zeros(0)))

        assert (found.readings, found.windows, found.has_drifted) == (0, (), False)

    def test_of_a_reader_who_never_varies_is_none(self) -> None:
        one = series(np.random.default_rng(7))

        assert not detect_drift(Series(one.times, one.due, one.due, one.weights)).has_drifted

    def test_shows_months_and_of_a_short_span_readings(self) -> None:
        rng = np.random.default_rng(8)

        long, short = detect_drift(series(rng, days=100)), detect_drift(series(rng, days=20))

        assert [one.name for one in long.windows] == ["2026-01", "2026-02", "2026-03", "2026-04"]
        assert [one.name for one in short.windows] == ["1-40", "41-80", "81-120"]
        assert all(one.low < one.mean < one.high for one in (*long.windows, *short.windows))
