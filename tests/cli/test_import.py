"""`overread import` on good and bad input."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from backend.domain.image_metadata import ImageMetadata, Sex, View
from backend.settings import Settings
from backend.store.unit_of_work import Store
from tests.cli.conftest import CommandLine, write_radiograph

HEADER = "image_id,class_name,class_id,rad_id,x_min,y_min,x_max,y_max\n"


@pytest.fixture
def images(tmp_path: Path) -> Path:
    """Three radiographs, named as the tables name them."""
    folder = tmp_path / "images"
    for seed, name in enumerate(("one", "two", "three")):
        write_radiograph(folder / f"{name}.png", seed)
    return folder


def table(tmp_path: Path, rows: str, header: str = HEADER) -> Path:
    path = tmp_path / "train.csv"
    path.write_text(header + rows)
    return path


class TestSmallCopies:
    """What scoring reads."""

    def kept(self, overread: CommandLine) -> list[Path]:
        return sorted((overread.data_dir / "image-cache").rglob("*.grey"))

    def test_are_made_at_import_and_completed_by_the_next(
        self, overread: CommandLine, images: Path
    ) -> None:
        assert overread("import", "images", images, "--keep-names").code == 0
        first = self.kept(overread)
        first[0].unlink()
        untouched = {path: path.stat().st_mtime_ns for path in first[1:]}

        assert overread("import", "images", images, "--keep-names").code == 0

        assert len(first) == 3
        assert self.kept(overread) == first
        assert {path: path.stat().st_mtime_ns for path in first[1:]} == untouched

    def test_are_left_out_where_nothing_may_be_kept(
        self, overread: CommandLine, images: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("OVERREAD_IMAGE_CACHE_GB", "0")

        assert overread("import", "images", images, "--keep-names", "--json").json["images"] == 3

        assert self.kept(overread) == []


class TestMetadata:
    """What a table says of the images, beside whatever is imported."""

    def test_is_noted_counted_and_updated(
        self, overread: CommandLine, images: Path, tmp_path: Path
    ) -> None:
        about = tmp_path / "about.csv"
        command = ("import", "images", images, "--metadata", about, "--json")
        about.write_text(
            "Image Index,Patient Age,Patient Gender,View Position\n"
            "one.png,058Y,F,PA\ntwo.png,1950-01-02,M,AP\nelsewhere.png,40,F,PA\n"
        )
        first = overread(*command)
        about.write_text("Image Index,Patient Age\ntwo.png,72\none.png,58\n")
        second = overread(*command)

        assert (first.code, second.code) == (0, 0)
        assert first.json["images"] == 3
        assert first.json["metadata"] == {
            "changed": 2,
            "unchanged": 0,
            "unknown_rows": 1,
            "images_without_row": 1,
        }
        [refused] = first.json["skipped"]
        assert refused["what"] == "about.csv:3"
        assert "1950" not in first.output + first.told
        assert second.json["metadata"]["changed"] == 1
        assert second.json["metadata"]["unchanged"] == 1
        store = Store(Settings(data_dir=overread.data_dir).sqlalchemy_url)
        with store.snapshot() as unit:
            kept = {Path(one.uri).stem: one.metadata for one in unit.images.all().values()}
        store.close()
        assert kept == {
            "one": ImageMetadata(Sex.FEMALE, "50-59", View.PA),
            "two": ImageMetadata(Sex.MALE, "70-79", View.AP),
            "three": ImageMetadata(),
        }

    def test_is_told_to_people(self, overread: CommandLine, images: Path, tmp_path: Path) -> None:
        labels = table(tmp_path, "one,No finding,14,R1,,,,\n")
        about = tmp_path / "about.csv"
        about.write_text("image_id,sex\none,F\nnobody,M\n")

        outcome = overread(
            *("import", "vinbigdata", "--images", images, "--labels", labels),
            *("--metadata", about),
        )

        assert "metadata: 1 images changed, 0 unchanged, 2 without a row" in outcome.told
        assert "1 rows name no image of this import" in outcome.told

    def test_is_refused_before_anything_is_registered(
        self, overread: CommandLine, images: Path, tmp_path: Path
    ) -> None:
        about = tmp_path / "about.csv"
        about.write_text("name,birth_date\nDoe,1950-01-02\n")

        outcome = overread("import", "images", images, "--metadata", about)

        assert outcome.code == 1
        assert "expected one that names the image" in outcome.told
        assert "1950" not in outcome.told
        assert overread("import", "images", images, "--json").json["images"] == 3


class TestImportVinbigdata:
    def test_scales_boxes_and_changes_nothing_the_second_time(
        self, overread: CommandLine, images: Path, tmp_path: Path
    ) -> None:
        labels = table(
            tmp_path,
            "one,Cardiomegaly,3,R8,120,160,240,320\n"
            "one,No finding,14,R9,,,,\n"
            "two,No finding,14,R8,,,,\n",
        )
        sizes = tmp_path / "sizes.csv"
        sizes.write_text("image_id,height,width\none,800,600\n")
        words = ("import", "vinbigdata", "--images", images, "--labels", labels,
                 "--image-sizes", sizes, "--json")  # fmt: skip

        first, second = overread(*words), overread(*words)

        assert first.code == second.code == 0
        assert (first.json["images"], first.json["readings"]) == (3, 3)
        assert (first.json["boxes"], first.json["skipped"]) == (1, [])
        assert [second.json[name] for name in ("images", "readings", "boxes")] == [0, 0, 0]
        assert second.json["unchanged"] == {"images": 3, "readings": 3}
        store = Store(Settings(data_dir=overread.data_dir).sqlalchemy_url)
        with store.snapshot() as unit:
            reading = unit.readings.current("one", "R8")
        assert reading is not None
        assert reading.reading.boxes[0].box == (12.0, 16.0, 24.0, 32.0)
        store.close()

    def test_names_every_bad_row_and_keeps_the_good_ones(
        self, overread: CommandLine, images: Path, tmp_path: Path
    ) -> None:
        labels = table(
            tmp_path,
            "one,Cardiomegaly,3,R8,10,10,20,20\n"
            "one,Cardiomegaly,3,R8,10,10,20,20\n"  # a repetition
            "two,Cardiomegaly,3,R8,nan,10,20,20\n"
            "two,Cardiomegaly,3,R9,20,20,10,10\n"  # corners swapped
            "three,Broken rib,99,R8,10,10,20,20\n"
            "four,No finding,14,R8,,,,\n",  # no such image
        )

        outcome = overread(
            "import", "vinbigdata", "--images", images, "--labels", labels, "--json"
        )

        assert outcome.code == 0
        assert (outcome.json["images"], outcome.json["readings"]) == (3, 1)
        told = " ".join(f"{item['what']} {item['why']}" for item in outcome.json["skipped"])
        for word in ("train.csv:3", "train.csv:4", "train.csv:5", "train.csv:6", "four"):
            assert word in told

    def test_refuses_to_guess_the_size_of_the_original(
        self, overread: CommandLine, images: Path, tmp_path: Path
    ) -> None:
        labels = table(tmp_path, "one,Cardiomegaly,3,R8,120,160,240,320\n")

        outcome = overread(
            "import", "vinbigdata", "--images", images, "--labels", labels, "--json"
        )

        assert outcome.json["boxes"] == 0
        assert "--image-sizes" in outcome.json["skipped"][0]["why"]

    def test_says_which_columns_are_missing(
        self, overread: CommandLine, images: Path, tmp_path: Path
    ) -> None:
        labels = table(tmp_path, "one,Cardiomegaly\n", header="image_id,class_name\n")

        outcome = overread("import", "vinbigdata", "--images", images, "--labels", labels)

        assert outcome.code == 1
        assert "rad_id" in outcome.told
        assert "Traceback" not in outcome.told


class TestImportImages:
    def test_takes_every_kind_of_picture_and_names_what_is_none(
        self, overread: CommandLine, tmp_path: Path
    ) -> None:
        folder = tmp_path / "mixed"
        write_radiograph(folder / "plain.png", 1)
        random = np.random.default_rng(2)
        cv2.imwrite(str(folder / "deep.png"), random.integers(0, 65536, (50, 40), dtype=np.uint16))
        cv2.imwrite(str(folder / "rgba.png"), random.integers(0, 256, (50, 40, 4), dtype=np.uint8))
        cv2.imwrite(str(folder / "large.jpg"), np.zeros((5000, 4000), dtype=np.uint8))
        Image.new("P", (40, 50), 7).save(folder / "palette.png")
        (folder / "original.dcm").touch()
        (folder / "empty.png").touch()
        (folder / "cut.png").write_bytes((folder / "plain.png").read_bytes()[:-200])
        (folder / "text.jpg").write_text("no picture")

        outcome = overread("import", "images", folder, "--json")

        assert outcome.code == 0
        assert outcome.json["images"] == 5
        whys = {Path(item["what"]).name: item["why"] for item in outcome.json["skipped"]}
        assert whys.pop("mixed").startswith("DICOM is not read; convert")
        assert set(whys) == {"empty.png", "cut.png", "text.jpg"}
        assert all("expected one whole radiograph" in why for why in whys.values())

    def test_says_so_when_there_is_nothing(self, overread: CommandLine, tmp_path: Path) -> None:
        empty = overread("import", "images", tmp_path)
        nowhere = overread("import", "images", tmp_path / "nowhere")
        (tmp_path / "one.dcm").touch()
        dicom = overread("import", "images", tmp_path)

        assert empty.code == nowhere.code == dicom.code == 1
        assert "no image in" in empty.told
        assert "there is no folder" in nowhere.told
        assert "1 DICOM" in dicom.told

    def test_goes_on_after_it_was_killed(self, overread: CommandLine, tmp_path: Path) -> None:
        folder = tmp_path / "many"
        for seed in range(600):
            write_radiograph(folder / f"{seed}.png", seed)
        process = subprocess.Popen(
            [sys.executable, "-m", "backend.cli", "import", "images", str(folder)],
            env=Settings(data_dir=overread.data_dir).as_environment(),
            stderr=subprocess.DEVNULL,
        )
        database = overread.data_dir / "overread.sqlite3"
        while not database.exists() and process.poll() is None:
            time.sleep(0.02)
        time.sleep(0.3)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()

        outcome = overread("import", "images", folder, "--json")

        assert outcome.code == 0
        assert outcome.json["images"] + outcome.json["unchanged"]["images"] == 600


class TestImportYolo:
    def test_takes_an_empty_file_for_no_finding(
        self, overread: CommandLine, images: Path, tmp_path: Path
    ) -> None:
        labels = tmp_path / "labels"
        labels.mkdir()
        (labels / "one.txt").write_text("3 0.5 0.5 0.5 0.5\nnonsense\n")
        (labels / "two.txt").touch()

        outcome = overread("import", "yolo", tmp_path, "--json")

        assert [outcome.json[name] for name in ("images", "readings", "boxes")] == [3, 2, 1]
        assert "one.txt:2" in outcome.json["skipped"][0]["what"]
