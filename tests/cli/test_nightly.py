"""`overread nightly`: once, when it is due, its status, and how it is stopped."""

from importlib.util import find_spec

import pytest

from tests.cli.conftest import CommandLine

if find_spec("ultralytics") is None:  # not importorskip: it would import with telemetry on
    pytest.skip("needs the extra `ml`", allow_module_level=True)


class TestNightly:
    def test_runs_once_shows_its_steps_and_is_then_not_due(self, overread: CommandLine) -> None:
        assert "no night has run yet" in overread("nightly", "status").told

        night = overread("nightly", "--json")
        status = overread("nightly", "status", "--lines", "1", "--json").json
        again = overread("nightly", "--if-due", "--schedule", "0 0 1 1 *", "--json")

        assert night.code == 0, night.told
        assert night.json["retrained"]["model_version"] is None
        assert "nothing trained: no image has a consensus yet" in night.told
        assert status["state"] == "finished"
        assert status["at_work"] is False
        steps = {step["name"]: step["state"] for step in status["steps"]}
        expected = [
            "sync", "consensus", "route", "cut", "train", "calibrate", "evaluate", "gate",
            "score", "refill", "push", "report",
        ]  # fmt: skip
        assert [name for name in steps if name in expected] == expected
        assert steps["sync"] == "done"
        assert steps["gate"] == steps["score"] == "nothing to do"
        assert status["lines"][0].endswith(f"nightly run {night.json['run']}: finished")
        assert (again.code, again.json["due"]) == (0, False)
        assert "not due: run 1 began at" in again.told

    def test_says_what_was_expected(self, overread: CommandLine) -> None:
        cancelled = overread("nightly", "cancel")
        schedule = overread("nightly", "--schedule", "every night")
        zone = overread("nightly", "--if-due", OVERREAD_TIME_ZONE="Mars")

        assert cancelled.code == schedule.code == zone.code == 1
        assert "overread nightly status" in cancelled.told
        assert "expected cron form" in schedule.told
        assert "OVERREAD_TIME_ZONE" in zone.told
