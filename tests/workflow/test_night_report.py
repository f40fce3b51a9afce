"""What people are told of a night."""

from datetime import UTC, datetime

from backend.domain.nights import NightRecord, RunState, StepRecord, StepState
from backend.workflow.night_report import NightReport

NOW = datetime(2026, 11, 28, 2, tzinfo=UTC)


def told(left_out: int) -> list[str]:
    cut = StepRecord(
        "cut", StepState.DONE, "0" * 64, {"dataset_version": "d4", "left_out": left_out}, NOW
    )
    record = NightRecord(1, "nightly", RunState.FINISHED, NOW, NOW, 1, None, {}, (cut,))
    return NightReport.of(record).sentences()


class TestNightReport:
    def test_says_how_many_near_duplicates_take_no_part(self) -> None:
        [sentence] = [each for each in told(3) if "near-duplicates" in each]

        assert sentence == (
            "near-duplicates across splits, left out of d4: 3; "
            "overread datasets show d4 lists them"
        )
        assert not any("near-duplicates" in sentence for sentence in told(0))
