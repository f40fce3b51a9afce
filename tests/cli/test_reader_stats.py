"""`overread readers stats`: what people and programs are told about readers."""

from pathlib import Path

import pytest

from backend.settings import Settings
from backend.store.unit_of_work import Store
from tests.cli.conftest import CommandLine
from tests.store.reading_crowd import read_here

HEADER = "image_id,class_name,class_id,rad_id,x_min,y_min,x_max,y_max"


@pytest.fixture
def crowd(overread: CommandLine) -> None:
    """Let a simulated crowd read in the command's store."""
    assert overread("db", "upgrade").code == 0
    store = Store(Settings(data_dir=overread.data_dir).sqlalchemy_url)
    read_here(store, images=240, adjudicated=60, unassisted_share=0.3, slower_from=0.5)
    store.close()


@pytest.mark.usefixtures("crowd")
class TestReadersStats:
    def test_shows_both_judgements_drift_and_influence(self, overread: CommandLine) -> None:
        done = overread("readers", "stats")

        assert done.code == 0
        assert "60 adjudicated images" in done.output
        assert "judged by one another" in done.output
        assert "1 of 24 series changed" in done.output
        assert "wrong boxes of the model marked" in done.output
        assert done.output.count("reader-03") == 2

    def test_shows_one_reader_by_finding(self, overread: CommandLine) -> None:
        done = overread("readers", "stats", "--reader", "reader-02", "--by-finding")

        assert "Cardiomegaly" in done.output
        assert "not estimable" in done.output
        assert "How often reader-02 draws" in done.output
        assert "reader-03" not in done.output

    def test_prints_everything_for_programs(self, overread: CommandLine) -> None:
        told = overread("readers", "stats", "--json").json

        assert told["adjudicated_images"] == 60
        assert len(told["readers"]) == 6
        assert {len(one["by_finding"]) for one in told["readers"]} == {14}
        assert len(told["automation_bias"]) == 2

    def test_names_the_readers_there_are(self, overread: CommandLine) -> None:
        done = overread("readers", "stats", "--reader", "R99")

        assert done.code == 1
        assert "'R99' has read nothing; readers with readings: reader-01" in done.told


class TestReadersStatsOfAFile:
    def test_judges_by_one_another(self, overread: CommandLine, tmp_path: Path) -> None:
        rows = [
            f"i{number},Cardiomegaly,3,{reader},10,10,90,90"
            for number in range(6)
            for reader in ("R1", "R2")
        ]
        table = tmp_path / "train.csv"
        table.write_text("\n".join([HEADER, *rows]))

        done = overread("readers", "stats", "--input", table)

        assert done.code == 0
        assert "No image has been adjudicated yet" in done.told
        assert "R1" in done.output
