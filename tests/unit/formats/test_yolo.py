"""YOLO label files: what is read, what is refused, and that nothing moves on the way."""

import tempfile
from pathlib import Path

import numpy as np
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from backend.domain.boxes import Box
from backend.domain.dataset import DatasetVersion
from backend.domain.findings import Finding
from backend.domain.images import Split
from backend.formats import yolo
from backend.formats.placement import MarkedBox
from backend.formats.yolo import YoloBox, YoloFolderError, YoloLabels
from tests.unit.formats.samples import boxes, cluster, one_image, version


def read(folder: Path, **files: str) -> YoloLabels:
    (folder / "labels").mkdir()
    for name, text in files.items():
        (folder / "labels" / f"{name}.txt").write_text(text)
    return yolo.read_labels(folder)


class TestReadLabels:
    def test_tells_no_finding_from_not_read(self, tmp_path: Path) -> None:
        labels = read(tmp_path, a="3 0.5 0.5 0.25 0.5\n", b="")
        heart = YoloBox(Finding.CARDIOMEGALY, 0.5, 0.5, 0.25, 0.5)
        assert labels == YoloLabels({"a": (heart,), "b": ()}, ())

    @pytest.mark.parametrize(
        ("line", "why"),
        [
            ("3 0.5 0.5 0.2", "4 fields; expected 'class x_center"),
            ("3 0.5 0.5 0.2 0.2 0.9", "6 fields"),
            ("14 0.5 0.5 0.2 0.2", "14 is not a valid Finding; expected"),
            ("x 0.5 0.5 0.2 0.2", "expected 'class"),
            ("3 0.5 0.5 nan 0.2", "not finite"),
            ("3 0.5 half 0.2 0.2", "half"),
            ("3 0.5 0.5 0 0.2", "no area"),
            ("3 0.5 0.5 0.2 -0.2", "no area"),
            ("3 120 80 40 40", "stands out of the image; expected fractions"),
            ("3 0.95 0.5 0.2 0.2", "stands out of the image"),
            ("5 0.5 0.5 0.1 0.1", "repeats an earlier line"),
        ],
    )
    def test_skips_and_names_a_bad_line(self, tmp_path: Path, line: str, why: str) -> None:
        labels = read(tmp_path, a=f"5 0.5 0.5 0.1 0.1\n{line}\n")
        assert len(labels.boxes["a"]) == 1
        [skipped] = labels.skipped
        assert skipped.what == "a.txt:2"
        assert why in skipped.why

    def test_never_turns_a_lost_file_into_no_finding(self, tmp_path: Path) -> None:
        labels = read(tmp_path, a="3 0.5\n")
        assert labels.boxes == {}
        assert [skipped.what for skipped in labels.skipped] == ["a.txt:1", "a.txt"]

    def test_reports_files_that_it_cannot_use(self, tmp_path: Path) -> None:
        (tmp_path / "labels" / "train").mkdir(parents=True)
        (tmp_path / "labels" / "val").mkdir()
        (tmp_path / "labels" / "train" / "a.txt").write_text("")
        (tmp_path / "labels" / "val" / "a.txt").write_text("")
        (tmp_path / "labels" / "two words.txt").write_text("")
        (tmp_path / "labels" / "b.txt").write_bytes(b"\xff\xfe")
        labels = yolo.read_labels(tmp_path)
        assert labels.boxes == {"a": ()}
        assert len(labels.skipped) == 3

    def test_refuses_a_folder_without_labels(self, tmp_path: Path) -> None:
        with pytest.raises(YoloFolderError, match=r"expected .*labels/<image id>\.txt"):
            yolo.read_labels(tmp_path)

    def test_refuses_other_classes(self, tmp_path: Path) -> None:
        with pytest.raises(YoloFolderError, match="expected these 14 in this order: Aortic"):
            read(tmp_path, classes="cat\ndog\n")

    def test_accepts_a_list_of_our_classes(self, tmp_path: Path) -> None:
        labels = read(tmp_path, classes="\n".join(finding.title for finding in Finding), a="")
        assert labels == YoloLabels({"a": ()}, ())


class TestFindImages:
    def test_looks_into_images_or_beside(self, tmp_path: Path) -> None:
        for name in ("x/images/train/a.png", "x/images/b.JPG", "x/images/notes.md", "y/c.jpeg"):
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).touch()
        assert sorted(yolo.find_images(tmp_path / "x")) == ["a", "b"]
        assert sorted(yolo.find_images(tmp_path / "y")) == ["c"]


class TestWriteLabels:
    @given(rows=st.lists(st.tuples(st.sampled_from(Finding), boxes()), unique=True, max_size=6))
    def test_is_read_back_to_a_thousandth_of_a_pixel(
        self, rows: list[tuple[Finding, Box]]
    ) -> None:
        dataset = version(one_image(tuple(cluster(finding, *box) for finding, box in rows)))
        with tempfile.TemporaryDirectory() as folder:
            yolo.write_labels(Path(folder), dataset)
            labels = yolo.read_labels(Path(folder))

        assert labels.skipped == ()
        marks = [yolo.to_pixels(box, width_px=3000, height_px=2000) for box in labels.boxes["a"]]
        assert [mark.finding for mark in marks] == [finding for finding, _ in rows]
        read_back = np.array([mark.box for mark in marks]).reshape(-1, 4)
        written = np.array([box for _, box in rows]).reshape(-1, 4)
        assert np.abs(read_back - written).max(initial=0.0) < 1e-3

    def test_writes_an_empty_file_for_a_negative_in_its_split(
        self, tmp_path: Path, dataset: DatasetVersion
    ) -> None:
        yolo.write_labels(tmp_path, dataset)
        written = {
            path.relative_to(tmp_path / "labels").as_posix(): len(path.read_text().splitlines())
            for path in (tmp_path / "labels").rglob("*.txt")
        }
        assert written == {"train/a.txt": 2, "train/b.txt": 0, "val/c.txt": 1, "test/d.txt": 0}

    def test_names_the_findings_in_data_yaml(
        self, tmp_path: Path, dataset: DatasetVersion
    ) -> None:
        yolo.write_labels(tmp_path, dataset)
        content = yaml.safe_load((tmp_path / "data.yaml").read_text())
        assert content["names"] == {int(finding): finding.title for finding in Finding}
        assert {split: content[split] for split in Split} == {
            "train": "images/train",
            "val": "images/val",
            "test": "images/test",
        }

    def test_clips_a_box_to_its_image(self) -> None:
        outside = MarkedBox(Finding.ILD, Box(-1, 5, 20.0001, 10))
        box = yolo.from_pixels(outside, width_px=20, height_px=10)
        assert box == YoloBox(Finding.ILD, 0.5, 0.75, 1.0, 0.5)
