"""The VinBigData table: what is read, what is refused, and what is said about it."""

import gzip
import re
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.domain.boxes import Box
from backend.domain.dataset import DatasetVersion
from backend.domain.findings import Finding
from backend.formats import vinbigdata_csv
from backend.formats.original_sizes import SizePx
from backend.formats.placement import MarkedBox
from backend.formats.tables import UnreadableTableError
from backend.formats.vinbigdata_csv import VinBigDataTable
from tests.unit.formats.samples import boxes, cluster, one_image, version

HEADER = "image_id,class_name,class_id,rad_id,x_min,y_min,x_max,y_max"
HEART = "a,Cardiomegaly,3,R1,10,20,30,40"
PUBLISHED = Path(__file__).parents[4] / "shared" / "data"


def read(folder: Path, *rows: str, header: str = HEADER) -> VinBigDataTable:
    path = folder / "train.csv"
    path.write_text("\n".join([header, *rows]) + "\n")
    return vinbigdata_csv.read_readings(path)


def whys(table: VinBigDataTable) -> dict[str, str]:
    return {skipped.what: skipped.why for skipped in table.skipped}


class TestReadReadings:
    def test_groups_boxes_by_image_and_reader(self, tmp_path: Path) -> None:
        table = read(
            tmp_path,
            HEART,
            "a,No finding,14,R2,,,,",
            "b,ILD,5,R1,1.5,2,3,4",
            "a,Nodule/Mass,8,R1,1,2,3,4",
        )
        heart = MarkedBox(Finding.CARDIOMEGALY, Box(10, 20, 30, 40))
        nodule = MarkedBox(Finding.NODULE_MASS, Box(1, 2, 3, 4))
        assert table.readings == {
            "a": {"R1": (heart, nodule), "R2": ()},
            "b": {"R1": (MarkedBox(Finding.ILD, Box(1.5, 2, 3, 4)),)},
        }
        assert table.skipped == ()
        assert table.sizes == {}

    def test_reads_gzip_whatever_the_name(self, tmp_path: Path) -> None:
        path = tmp_path / "train.csv"
        path.write_bytes(gzip.compress(f"{HEADER}\r\n{HEART}\r\n".encode("utf-8-sig")))
        assert list(vinbigdata_csv.read_readings(path).readings) == ["a"]

    def test_takes_a_unit_box_for_the_empty_box_of_no_finding(self, tmp_path: Path) -> None:
        table = read(tmp_path, "a,No finding,14,R1,0,0,1,1")
        assert table.readings == {"a": {"R1": ()}}

    def test_reads_sizes_of_originals(self, tmp_path: Path) -> None:
        header = f"{HEADER},width,height"
        table = read(tmp_path, f"{HEART},2304,2880", "b,No finding,14,R1,,,,,,", header=header)
        assert table.sizes == {"a": SizePx(2304, 2880)}
        assert table.skipped == ()

    def test_does_not_choose_between_two_sizes(self, tmp_path: Path) -> None:
        header = f"{HEADER},width,height"
        rows = [f"{HEART},2304,2880", "a,ILD,5,R1,1,2,3,4,512,512", "b,ILD,5,R1,1,2,3,4,-1,x"]
        table = read(tmp_path, *rows, header=header)
        assert table.sizes == {}
        assert list(whys(table)) == ["width and height of image a", "width and height of image b"]

    @pytest.mark.parametrize(
        ("row", "why"),
        [
            ("a,ILD,5,R1,,2,3,4", "missing or not a number"),
            ("a,ILD,5,R1,nan,2,3,4", "missing or not a number"),
            ("a,ILD,5,R1,1,two,3,4", r"not a number in the box \(1, two, 3, 4\)"),
            ("a,ILD,5,R1,30,2,10,4", "corners are swapped"),
            ("a,ILD,5,R1,1,20,3,4", "corners are swapped"),
            ("a,ILD,5,R1,1,2,1,4", "no area"),
            ("a,ILD,5,R1,1,2,inf,4", "infinite"),
            ("a,ILD,5,R1,-inf,2,3,4", "infinite"),
            ("a,ILD,99,R1,1,2,3,4", "class_id '99' is unknown"),
            ("a,ILD,5.5,R1,1,2,3,4", "class_id '5.5' is unknown"),
            ("a,ILD,,R1,1,2,3,4", "class_id '' is unknown"),
            ("a,Covid,5,R1,1,2,3,4", "class_name 'Covid' is unknown; expected 'ILD'"),
            ("a,Cardiomegaly,5,R1,1,2,3,4", "'Cardiomegaly' and class_id 5 .ILD. disagree"),
            ("a,No finding,14,R1,1,2,3,4", "says No finding, yet has a box"),
            (",ILD,5,R1,1,2,3,4", "image_id is empty"),
            ("a,ILD,5,,1,2,3,4", "rad_id is empty"),
            ("../a,ILD,5,R1,1,2,3,4", "image_id '../a' is no safe name"),
            ("a/b,ILD,5,R1,1,2,3,4", "no safe name"),
            ("a\\b,ILD,5,R1,1,2,3,4", "no safe name"),
            (".hidden,ILD,5,R1,1,2,3,4", "no safe name"),
            ("a\x00b,ILD,5,R1,1,2,3,4", r"image_id 'a\\x00b' is no safe name"),
            (f"{'a' * 129},ILD,5,R1,1,2,3,4", "no safe name"),
            ("a,ILD,5,R 1,1,2,3,4", "rad_id 'R 1' is no safe name"),
            ("a,ILD,5,R1,1,2,3", "7 fields; expected 8"),
            ("a,ILD,5,R1,1,2,3,4,5", "9 fields; expected 8"),
        ],
    )
    def test_skips_and_names_a_bad_row(self, tmp_path: Path, row: str, why: str) -> None:
        table = read(tmp_path, "z,No finding,14,R1,,,,", row, "z,No finding,14,R2,,,,")
        assert table.readings == {"z": {"R1": (), "R2": ()}}
        assert table.skipped[0].what == "train.csv:3"
        assert re.search(why, table.skipped[0].why)

    def test_counts_an_exact_repeat_once(self, tmp_path: Path) -> None:
        normal = "b,No finding,14,R1,,,,"
        table = read(tmp_path, HEART, normal, HEART, "a,Cardiomegaly,3,R1,10.0,20,30,40", normal)
        assert len(table.readings["a"]["R1"]) == 1
        assert table.readings["b"] == {"R1": ()}
        assert list(whys(table)) == ["train.csv:4", "train.csv:5", "train.csv:6"]
        assert all("repeats" in why for why in whys(table).values())

    def test_keeps_the_boxes_of_a_reader_who_also_says_no_finding(self, tmp_path: Path) -> None:
        table = read(tmp_path, "a,No finding,14,R1,,,,", HEART, "a,No finding,14,R2,,,,")
        assert len(table.readings["a"]["R1"]) == 1
        assert table.readings["a"]["R2"] == ()
        assert "same reader has boxes" in whys(table)["train.csv:2"]

    def test_never_turns_a_lost_reading_into_no_finding(self, tmp_path: Path) -> None:
        table = read(tmp_path, "a,No finding,14,R1,,,,", "a,ILD,5,R1,9,9,1,1", HEART[:-2] + "20")
        assert table.readings == {}
        assert "reading of a by R1" in whys(table)
        assert len(table.skipped) == 4

    def test_keeps_line_numbers_across_empty_lines_and_quoted_breaks(self, tmp_path: Path) -> None:
        table = read(tmp_path, "", 'a,"IL\nD",5,R1,1,2,3,4', "", "a,ILD,5,R1,3,2,1,4")
        assert list(whys(table))[:2] == ["train.csv:3", "train.csv:6"]

    @pytest.mark.parametrize(
        ("content", "why"),
        [
            (b"", "lacks the columns image_id, .*found nothing"),
            (b"image_id,class_name\n", "lacks the columns class_id, rad_id, x_min"),
            (HEADER.replace("rad_id", "reader").encode(), "lacks the column rad_id; expected"),
            (b"\xff\xfe\x00", "not UTF-8"),
            (gzip.compress(HEADER.encode(), mtime=0)[:-9], "gzip file that is cut short"),
            (gzip.compress(HEADER.encode(), mtime=0)[:12] + b"\xff" * 30, "gzip file"),
            (f'{HEADER}\n"{"x" * 200_000}"'.encode(), "train.csv:2 is not CSV"),
        ],
    )
    def test_refuses_what_is_no_such_table(self, tmp_path: Path, content: bytes, why: str) -> None:
        path = tmp_path / "train.csv"
        path.write_bytes(content)
        with pytest.raises(UnreadableTableError, match=why):
            vinbigdata_csv.read_readings(path)

    def test_refuses_a_missing_file(self, tmp_path: Path) -> None:
        with pytest.raises(UnreadableTableError, match="No such file"):
            vinbigdata_csv.read_readings(tmp_path / "nowhere.csv")

    def test_reads_a_table_without_rows(self, tmp_path: Path) -> None:
        assert read(tmp_path) == VinBigDataTable({}, {}, ())


class TestWriteLabels:
    def test_gives_every_image_its_split_and_normals_a_row(
        self, tmp_path: Path, dataset: DatasetVersion
    ) -> None:
        path = tmp_path / "labels.csv"
        vinbigdata_csv.write_labels(path, dataset)
        lines = path.read_text().splitlines()
        assert lines[1] == (
            "a,Nodule/Mass,8,consensus,1.25,2.50,30.12,20.00,0.666667,0.750000,majority,"
            "R1;R3,R1;R2;R3,80,60,train"
        )
        assert lines[3] == "b,No finding,14,consensus,,,,,,,,,R1;R2;R3,80,60,train"
        assert [line.rsplit(",", 1)[1] for line in lines[4:]] == ["val", "test"]

    @given(rows=st.lists(st.tuples(st.sampled_from(Finding), boxes()), unique=True, max_size=6))
    def test_is_read_back_to_a_hundredth_of_a_pixel(self, rows: list[tuple[Finding, Box]]) -> None:
        clusters = tuple(cluster(finding, *box) for finding, box in rows)
        dataset = version(one_image(clusters))
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "labels.csv"
            vinbigdata_csv.write_labels(path, dataset)
            table = vinbigdata_csv.read_readings(path)

        found = table.readings["a"]["consensus"]
        assert [mark.finding for mark in found] == [finding for finding, _ in rows]
        read_back = np.array([mark.box for mark in found]).reshape(-1, 4)
        written = np.array([box for _, box in rows]).reshape(-1, 4)
        assert np.abs(read_back - written).max(initial=0.0) <= 0.005 + 1e-9
        assert table.sizes == {"a": SizePx(3000, 2000)}
        assert table.skipped == ()


@pytest.mark.skipif(not PUBLISHED.is_dir(), reason="the published tables are not on this machine")
class TestPublishedTables:
    def test_reads_all_readings(self) -> None:
        table = vinbigdata_csv.read_readings(PUBLISHED / "tables" / "vinbigdata_train.csv.gz")
        readings = [boxes for readers in table.readings.values() for boxes in readers.values()]
        assert (len(table.readings), len(readings), sum(map(len, readings))) == (
            15_000,
            45_000,
            36_096,
        )
        assert table.skipped == ()
