"""What a project shows, replaced: what a reader may have open stays, what broke off is mended."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest

from backend.label_studio.connection import Connection, LabelStudioError
from backend.label_studio.predictions import _outdated, _Version, replace
from backend.label_studio.tasks import TaskPrediction

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
SHOWN = [TaskPrediction(1, 0.0, ()), TaskPrediction(2, 0.5, ())]


@dataclass
class SmallLabelStudio:
    """The versions of one project, and which of them is shown."""

    now: datetime = NOW
    shown: str = ""
    versions: dict[str, tuple[int, datetime]] = field(default_factory=dict)
    drops: int = 0
    refuses_to_switch: bool = False

    def ask(
        self,
        method: str,
        path: str,
        *,
        body: Any = None,  # noqa: ANN401 - JSON
        **_: object,
    ) -> dict[str, object]:
        if path.endswith("/import/predictions"):
            kept = len(body) - self.drops
            self.versions[body[0]["model_version"]] = kept, self.now
            return {"created": kept}
        if method == "DELETE":
            del self.versions[body["model_version"]]
        if method == "PATCH" and self.refuses_to_switch:
            raise LabelStudioError("down")
        if method == "PATCH":
            self.shown = body["model_version"]
        return {
            "model_version": self.shown,
            "static": [
                {"model_version": name, "count": count, "latest": latest.isoformat()}
                for name, (count, latest) in self.versions.items()
            ],
        }

    def replace(self, version: str, shown: Sequence[TaskPrediction] = SHOWN) -> None:
        self.now += timedelta(minutes=5)
        replace(cast(Connection, self), 1, version, shown)


class TestReplace:
    def test_switches_and_keeps_what_may_be_open(self) -> None:
        server = SmallLabelStudio()
        for version in ("w1", "w1", "w2"):
            server.replace(version)

        assert (server.shown, set(server.versions)) == ("w2", {"w1", "w2"})

    def test_goes_back_to_an_order_without_deleting_what_was_shown_in_it(self) -> None:
        server = SmallLabelStudio()
        server.replace("w1")
        first = server.versions["w1"]
        server.replace("w2")
        for _ in range(3):
            server.replace("w1")

        assert server.versions["w1"] == first
        assert server.shown.startswith("w1-again-")
        assert set(server.versions) == {"w1", "w2", server.shown}

        server.replace("w2")
        server.replace("w1")
        assert len(server.versions) == 5, "each went on screen at a time of its own"

    def test_takes_a_whole_version_to_which_the_switch_broke_off(self) -> None:
        server = SmallLabelStudio()
        server.replace("w1")
        server.refuses_to_switch = True
        with pytest.raises(LabelStudioError):
            server.replace("w2")
        pushed = server.versions["w2"]
        server.refuses_to_switch = False

        server.replace("w2")

        assert (server.shown, server.versions["w2"]) == ("w2", pushed)

    def test_leaves_nothing_behind_of_attempts_that_broke_off_half(self) -> None:
        server = SmallLabelStudio(drops=1)
        for _ in range(3):
            with pytest.raises(LabelStudioError, match="expected 2 predictions"):
                server.replace("w1")
        assert (server.shown, set(server.versions)) == ("", {"w1"})
        server.drops = 0

        server.replace("w1")

        assert server.shown == "w1"
        assert {name: count for name, (count, _) in server.versions.items()} == {"w1": 2}


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
    versions = [
        _Version(str(hours), NOW - timedelta(hours=hours), 1) for hours in pushed_hours_ago
    ]
    assert [one.name for one in _outdated(versions)] == [str(hours) for hours in outdated]
