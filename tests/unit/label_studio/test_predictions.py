"""Which versions of predictions nobody can have open any more."""

from datetime import UTC, datetime, timedelta

import pytest

from backend.label_studio.predictions import _outdated

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("pushed_hours_ago", "outdated"),
    [
        ([], []),
        ([100], []),  # shown until now, however old
        ([100, 0], []),  # was on screen a moment ago
        ([30, 20, 0], [30]),  # replaced 20 hours ago
        ([30, 20, 9, 7, 0], [30, 20]),
        ([3, 2, 1, 0], []),
    ],
)
def test_outdated_versions(pushed_hours_ago: list[int], outdated: list[int]) -> None:
    versions = [(str(hours), NOW - timedelta(hours=hours)) for hours in pushed_hours_ago]
    assert _outdated(versions) == [str(hours) for hours in outdated]
