"""Consensus on files alone, as somebody without a store runs it."""

import csv
import gzip
from pathlib import Path

import pytest

from backend.formats.consensus_csv import ANSWER_COLUMNS, READER_COLUMNS
from tests.cli.conftest import CommandLine

HEADER = "image_id,class_name,class_id,rad_id,x_min,y_min,x_max,y_max"
GOOD = [
    "a,Cardiomegaly,3,R8,300,500,700,700",
    "a,Cardiomegaly,3,R9,310,495,710,705",
    "a,Cardiomegaly,3,R10,290,505,700,705",
    "a,Nodule/Mass,8,R9,100,100,140,140",
    "b,No finding,14,R8,,,,",
    "b,No finding,14,R9,,,,",
    "b,No finding,14,R10,,,,",
    "c,Infiltration,6,R8,200,200,400,500",
    "c,Lung Opacity,7,R9,205,200,400,505",
    "c,No finding,14,R10,,,,",
]


class Files:
    """The command on a folder with one table."""

    def __init__(self, overread: CommandLine, folder: Path) -> None:
        self._overread, self._folder = overread, folder
        self.output, self.readers = folder / "consensus.csv", folder / "readers.csv"

    def __call__(self, rows: list[str], *words: str, header: str = HEADER) -> dict[str, object]:
        table = self._folder / "train.csv"
        table.write_text("\n".join([header, *rows]) + "\n")
        outcome = self._overread(
            *("consensus", "--input", table, "--output", self.output, *words, "--json")
        )
        assert outcome.code == 0, outcome.told
        found: dict[str, object] = outcome.json
        return found

    def answers(self, image_id: str) -> list[dict[str, str]]:
        with self.output.open() as file:
            return [row for row in csv.DictReader(file) if row["image_id"] == image_id]


@pytest.fixture
def files(overread: CommandLine, tmp_path: Path) -> Files:
    return Files(overread, tmp_path)


class TestConsensusOnFiles:
    def test_writes_answers_and_readers(self, files: Files) -> None:
        done = files(GOOD, "--readers-output", str(files.readers))

        assert (done["images"], done["readings"], done["boxes"]) == (3, 9, 6)
        with files.output.open() as file:
            assert tuple(next(csv.reader(file))) == ANSWER_COLUMNS
        heart, *_, nothing = files.answers("a")
        assert (heart["class_id"], heart["state"], heart["readers"]) == (
            "3", "unanimous", "R10;R8;R9",
        )  # fmt: skip
        assert 0.5 < float(heart["score"]) < float(heart["p_true"]) < 1
        assert 300 <= float(heart["x_min"]) <= 310 or 290 <= float(heart["x_min"]) <= 310
        assert nothing["class_id"] == "14"
        assert not nothing["x_min"]
        assert float(nothing["score"]) < 0.1
        assert float(files.answers("b")[0]["score"]) > 0.5
        conflict = [row for row in files.answers("c") if row["readers"] and row["x_min"]]
        assert {row["state"] for row in conflict} == {"class-conflict"}
        with files.readers.open() as file:
            rows = list(csv.DictReader(file))
        assert tuple(rows[0]) == READER_COLUMNS
        assert [row["class_id"] for row in rows] == [str(one) for one in range(-1, 14)] * 3
        assert all(bool(row["reliability"]) == (row["class_id"] == "-1") for row in rows)
        assert all(
            0
            < float(row["sensitivity_low"])
            < float(row["sensitivity"])
            < float(row["sensitivity_high"])
            < 1
            for row in rows
        )

    def test_is_the_same_for_rows_in_any_order(self, files: Files) -> None:
        files(GOOD, "--readers-output", str(files.readers))
        once = files.output.read_bytes(), files.readers.read_bytes()

        files([*GOOD[6:], *GOOD[5::-1], GOOD[0]], "--readers-output", str(files.readers))

        assert (files.output.read_bytes(), files.readers.read_bytes()) == once

    def test_reads_gzip(self, overread: CommandLine, files: Files, tmp_path: Path) -> None:
        files(GOOD)
        once = files.output.read_bytes()
        packed = tmp_path / "train.csv.gz"
        packed.write_bytes(gzip.compress("\n".join([HEADER, *GOOD]).encode()))

        assert overread("consensus", "--input", packed, "--output", files.output).code == 0
        assert files.output.read_bytes() == once

    def test_dirty_rows_change_nothing_but_the_report(self, files: Files) -> None:
        files(GOOD)
        clean = files.output.read_bytes()

        done = files(
            [
                *GOOD,
                "a,Cardiomegaly,3,R8,nan,500,700,700",
                "a,Cardiomegaly,3,R8,700,500,300,700",
                "a,Cardiomegaly,3,R8,300,500,300,700",
                "a,Cardiomegaly,3,R8,300,500,inf,700",
                "a,Fracture,22,R8,300,500,700,700",
                "a,Cardiomegaly,7,R8,300,500,700,700",
                "a,No finding,14,R8,,,,",
                "a,Cardiomegaly,3,R8,300,500,700,700",
                "a,Cardiomegaly,3,R8,-20,-20,-5,-5",
                "a,Cardiomegaly,3,R8,300,500",
                "../a,Cardiomegaly,3,R8,300,500,700,700",
            ]
        )

        assert files.output.read_bytes() == clean
        refused = done["refused"]
        assert isinstance(refused, list)
        whys = "\n".join(item["why"] for item in refused)
        assert len(refused) == 11
        for expected in (
            "not a number", "swapped", "no area", "infinite", "unknown", "disagree",
            "the boxes are kept", "repeats", "outside the image", "fields", "no safe name",
        ):  # fmt: skip
            assert expected in whys

    def test_cuts_a_box_at_the_edge_and_says_so(self, files: Files) -> None:
        done = files(
            ["a,Cardiomegaly,3,R8,-10,500,700,1200,1000,1000"], header=HEADER + ",width,height"
        )

        box = files.answers("a")[0]
        assert (box["x_min"], box["y_max"]) == ("0.000", "1000.000")
        assert done["refused"] == []
        repaired = done["repaired"]
        assert isinstance(repaired, list)
        assert "cut at the edge" in repaired[0]["why"]

    def test_takes_a_reading_of_which_nothing_is_left_for_none(self, files: Files) -> None:
        done = files([*GOOD, "b,Cardiomegaly,3,R11,-20,-20,-5,-5"])

        assert done["readings"] == 9
        assert files.answers("b")[0]["readers"] == "R10;R8;R9"
        refused = done["refused"]
        assert isinstance(refused, list)
        assert "outside the image" in refused[0]["why"]
        assert "not read by this reader" in refused[1]["why"]

    @pytest.mark.parametrize("method", ["wbf", "majority", "union"])
    def test_compares_other_methods(self, files: Files, method: str) -> None:
        done = files(GOOD, "--method", method)

        assert done["alternatives"] == 0
        hearts = [row for row in files.answers("a") if row["class_id"] == "3"]
        assert len(hearts) == (3 if method == "union" else 1)

    @pytest.mark.parametrize(
        ("rows", "images"),
        [
            pytest.param([], 0, id="no rows"),
            pytest.param(["b,No finding,14,R8,,,,"], 1, id="one image, one reader, nothing"),
            pytest.param(["a,ILD,5,R8,10,10,20,20"], 1, id="one image, one reader, one box"),
            pytest.param(
                [f"a,ILD,5,R{reader},10,10,20,20" for reader in range(17)], 1, id="17 readers"
            ),
            pytest.param(
                [
                    f"a,Nodule/Mass,8,R{number % 3},{number},{number},{number + 9},{number + 9}"
                    for number in range(500)
                ],
                1,
                id="500 boxes",
            ),
        ],
    )
    def test_works_on_little_and_on_much(self, files: Files, rows: list[str], images: int) -> None:
        done = files(rows, "--readers-output", str(files.readers))

        assert done["images"] == images
        with files.output.open() as file:
            normal = [row for row in csv.DictReader(file) if row["class_id"] == "14"]
        assert len(normal) == images
        assert all(0 <= float(row["score"]) <= 1 for row in normal)

    def test_says_what_is_wrong(self, overread: CommandLine, tmp_path: Path) -> None:
        table, output = tmp_path / "train.csv", tmp_path / "out.csv"
        table.write_text("image_id,score\na,1\n")
        empty = tmp_path / "empty.csv"
        empty.touch()

        lacking = overread("consensus", "--input", table, "--output", output)
        nothing = overread("consensus", "--input", empty, "--output", output)
        nowhere = overread("consensus", "--input", tmp_path / "no.csv", "--output", output)
        same = overread("consensus", "--input", table, "--output", table)
        alone = overread("consensus", "--input", table)
        method = overread("consensus", "--input", table, "--output", output, "--method", "best")
        readers = overread(
            *("consensus", "--input", table, "--output", output, "--method", "wbf"),
            *("--readers-output", tmp_path / "readers.csv"),
        )

        assert "lacks the columns class_name" in lacking.told
        assert "found nothing" in nothing.told
        assert "cannot be read" in nowhere.told
        assert "same file" in same.told
        assert "both --input and --output" in alone.told
        assert "expected one of overread, wbf" in method.told
        assert "leave --readers-output out" in readers.told
        assert not output.exists()
        assert all(
            outcome.code in {1, 2}
            for outcome in (lacking, nothing, nowhere, same, alone, method, readers)
        )
