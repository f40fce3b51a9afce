"""A release is whole, can be read by others, and notices every change."""

import importlib
import json
import re
from collections.abc import Callable
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image as Picture

from backend.domain.consensus.clusters import Alternative
from backend.domain.dataset import DatasetVersion
from backend.domain.findings import Finding
from backend.domain.image_metadata import ImageMetadata, Sex, View
from backend.domain.images import Split
from backend.formats import radiographs, releases, verification, vinbigdata_csv, yolo
from backend.formats.release_images import SourceImageError
from backend.formats.releases import ReleaseExistsError, ReleaseFormat
from tests.unit.formats.samples import version

COCO = importlib.import_module("pycocotools.coco").COCO  # it has no type hints
EVERY_FORMAT = pytest.mark.parametrize("release_format", list(ReleaseFormat))


def released(folder: Path, dataset: DatasetVersion, release_format: ReleaseFormat) -> Path:
    target = folder / "releases" / "d1"
    releases.write_release(target, dataset, release_format)
    return target


def files_in(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def rewritten(path: Path, change: Callable[[str], str]) -> None:
    path.write_text(change(path.read_text()))


class TestWriteRelease:
    @EVERY_FORMAT
    def test_tells_nothing_of_sex_age_and_view(
        self, tmp_path: Path, dataset: DatasetVersion, release_format: ReleaseFormat
    ) -> None:
        known = ImageMetadata(Sex.FEMALE, "60-69", View.LATERAL)
        told = version(
            *(replace(one, image=replace(one.image, metadata=known)) for one in dataset.images)
        )

        with_metadata = released(tmp_path / "with", told, release_format)
        without = released(tmp_path / "without", dataset, release_format)

        assert told.sha256 == dataset.sha256
        assert files_in(with_metadata) == files_in(without)

    @EVERY_FORMAT
    def test_holds_every_image_in_its_split(
        self, tmp_path: Path, dataset: DatasetVersion, release_format: ReleaseFormat
    ) -> None:
        folder = released(tmp_path, dataset, release_format)
        images = [
            path.relative_to(folder).as_posix()
            for path in sorted((folder / "images").rglob("*.*"))
        ]
        assert images == [
            "images/test/d.png",
            "images/train/a.jpg",
            "images/train/b.png",
            "images/val/c.png",
        ]

    @EVERY_FORMAT
    def test_keeps_the_pixels_and_drops_what_may_name_a_patient(
        self, tmp_path: Path, dataset: DatasetVersion, release_format: ReleaseFormat
    ) -> None:
        folder = released(tmp_path, dataset, release_format)
        for member in dataset.images:
            [path] = (folder / "images" / member.split).glob(f"{member.image.id}.*")
            assert radiographs.read_file(path).pixel_hash == member.image.pixel_hash
            assert b"Jane" not in path.read_bytes()
        assert (folder / "images/train/a.jpg").read_bytes() == (
            tmp_path / "source" / "a.jpg"
        ).read_bytes()

    def test_drops_the_exif_of_a_jpeg(self, tmp_path: Path, dataset: DatasetVersion) -> None:
        path = tmp_path / "source" / "a.jpg"
        with Picture.open(BytesIO(path.read_bytes())) as picture:
            exif = Picture.Exif()
            exif[0x010E] = "Doe^Jane"
            picture.save(path, exif=exif, comment=b"Doe^Jane")
        file = radiographs.read_file(path)
        first = dataset.images[0]
        image = replace(first.image, sha256=file.sha256, pixel_hash=file.pixel_hash)
        folder = released(tmp_path, version(replace(first, image=image)), ReleaseFormat.VINBIGDATA)
        assert b"Jane" not in (folder / "images/train/a.png").read_bytes()

    def test_is_counted_image_by_image(self, tmp_path: Path, dataset: DatasetVersion) -> None:
        seen = []
        releases.write_release(
            tmp_path / "d1", dataset, ReleaseFormat.YOLO, advance=lambda: seen.append(1)
        )
        assert len(seen) == len(dataset.images)

    @EVERY_FORMAT
    def test_exports_no_alternatives(
        self, tmp_path: Path, dataset: DatasetVersion, release_format: ReleaseFormat
    ) -> None:
        others = (Alternative(Finding.PNEUMOTHORAX, 0.45),)
        unsure = replace(
            dataset,
            images=tuple(
                replace(
                    one,
                    clusters=tuple(replace(each, alternatives=others) for each in one.clusters),
                )
                for one in dataset.images
            ),
        )

        plain = released(tmp_path / "plain", dataset, release_format)
        folder = released(tmp_path / "unsure", unsure, release_format)

        assert files_in(folder) == files_in(plain)

    def test_is_never_overwritten(self, tmp_path: Path, dataset: DatasetVersion) -> None:
        released(tmp_path, dataset, ReleaseFormat.YOLO)
        with pytest.raises(ReleaseExistsError, match="choose another folder"):
            released(tmp_path, dataset, ReleaseFormat.COCO)

    def test_leaves_nothing_behind_when_it_fails(
        self, tmp_path: Path, dataset: DatasetVersion
    ) -> None:
        (tmp_path / "source" / "d.png").unlink()
        with pytest.raises(SourceImageError, match="image d cannot be read"):
            released(tmp_path, dataset, ReleaseFormat.YOLO)
        assert list((tmp_path / "releases").iterdir()) == []

    def test_refuses_a_file_that_changed_since_it_was_registered(
        self, tmp_path: Path, dataset: DatasetVersion
    ) -> None:
        (tmp_path / "source" / "d.png").write_bytes(b"another")
        with pytest.raises(SourceImageError, match="changed since image d was registered"):
            released(tmp_path, dataset, ReleaseFormat.YOLO)


class TestYoloRelease:
    def test_pairs_every_image_with_a_label_file(
        self, tmp_path: Path, dataset: DatasetVersion
    ) -> None:
        folder = released(tmp_path, dataset, ReleaseFormat.YOLO)
        assert yolo.find_images(folder).keys() == yolo.read_labels(folder).boxes.keys()


class TestVinBigDataRelease:
    def test_is_a_table_that_the_importer_reads(
        self, tmp_path: Path, dataset: DatasetVersion
    ) -> None:
        folder = released(tmp_path, dataset, ReleaseFormat.VINBIGDATA)
        table = vinbigdata_csv.read_readings(folder / releases.LABELS)
        assert {
            image_id: len(found["consensus"]) for image_id, found in table.readings.items()
        } == {
            "a": 2,
            "b": 0,
            "c": 1,
            "d": 0,
        }


class TestCocoRelease:
    def test_loads_with_pycocotools(self, tmp_path: Path, dataset: DatasetVersion) -> None:
        folder = released(tmp_path, dataset, ReleaseFormat.COCO)
        found = {}
        for split in Split:
            coco = COCO(str(folder / "annotations" / f"instances_{split}.json"))
            assert len(coco.getCatIds()) == 14
            for image in coco.loadImgs(coco.getImgIds()):
                assert (folder / image["file_name"]).is_file()
                annotations = coco.loadAnns(coco.getAnnIds(imgIds=image["id"]))
                found[image["image_id"]] = annotations
        assert {image_id: len(annotations) for image_id, annotations in found.items()} == {
            "a": 2,
            "b": 0,
            "c": 1,
            "d": 0,
        }
        assert found["a"][0] == {
            "id": 1,
            "image_id": 1,
            "category_id": 8,
            "bbox": [1.25, 2.5, 28.875, 17.5],
            "area": 28.875 * 17.5,
            "iscrowd": 0,
            "score": 2 / 3,
            "p_true": 0.75,
            "state": "majority",
            "supporters": ["R1", "R3"],
        }


class TestManifest:
    def test_says_what_the_release_is(self, tmp_path: Path, dataset: DatasetVersion) -> None:
        folder = released(tmp_path, dataset, ReleaseFormat.YOLO)
        manifest = json.loads((folder / "manifest.json").read_text())
        assert manifest["name"] == "d1"
        assert manifest["format"] == "yolo"
        assert manifest["dataset_sha256"] == dataset.sha256
        assert manifest["consensus_method"] == "overread-2-prior"
        assert manifest["created_at"] == "2026-01-02T00:00:00+00:00"
        assert manifest["counts"] == {
            "train": {"images": 2, "boxes": 2, "negatives": 1, "adjudicated": 0},
            "val": {"images": 1, "boxes": 1, "negatives": 0, "adjudicated": 0},
            "test": {"images": 1, "boxes": 0, "negatives": 1, "adjudicated": 0},
        }

    def test_traces_every_box_to_its_supporters(
        self, tmp_path: Path, dataset: DatasetVersion
    ) -> None:
        folder = released(tmp_path, dataset, ReleaseFormat.COCO)
        first = (folder / "boxes.csv").read_text().splitlines()[1]
        assert first == (
            "a,8,Nodule/Mass,1.25,2.5,30.125,20.0,0.6666666666666666,0.75,majority,R1;R3,R1;R2;R3"
        )


class TestVerify:
    @EVERY_FORMAT
    def test_finds_nothing_wrong_with_a_fresh_release(
        self, tmp_path: Path, dataset: DatasetVersion, release_format: ReleaseFormat
    ) -> None:
        report = verification.verify(released(tmp_path, dataset, release_format))
        assert report.problems == ()
        assert report.ok
        assert report.dataset_sha256 == dataset.sha256
        assert report.checked_files > len(dataset.images)

    def test_names_missing_extra_and_changed_files(
        self, tmp_path: Path, dataset: DatasetVersion
    ) -> None:
        folder = released(tmp_path, dataset, ReleaseFormat.YOLO)
        (folder / "labels/train/b.txt").unlink()
        (folder / "labels/train/extra.txt").touch()
        rewritten(folder / "labels/train/a.txt", lambda text: text.replace("8 ", "9 ", 1))
        (folder / "images/test/d.png").unlink()
        (folder / "images/test/d.png").symlink_to(tmp_path / "source" / "d.png")

        problems = verification.verify(folder).problems

        assert [problem.split(":")[0] for problem in problems] == [
            "images/test/d.png changed",
            "labels/train/a.txt changed",
            "labels/train/b.txt is missing",
            "labels/train/extra.txt is extra",
        ]

    @pytest.mark.parametrize(
        ("file", "old", "new"),
        [
            ("boxes.csv", "30.125", "31.125"),
            ("boxes.csv", "R1;R3", "R1;R2"),
            ("boxes.csv", "majority", "unanimous"),
            ("images.csv", ",val,", ",test,"),
            ("images.csv", "R1;R2;R3", "R1;R2"),
        ],
    )
    def test_computes_the_dataset_hash_again(
        self, tmp_path: Path, dataset: DatasetVersion, file: str, old: str, new: str
    ) -> None:
        folder = released(tmp_path, dataset, ReleaseFormat.COCO)
        rewritten(folder / file, lambda text: text.replace(old, new, 1))
        problems = verification.verify(folder).problems
        assert any("dataset hash" in problem for problem in problems)

    def test_counts_what_is_adjudicated_and_notices_when_that_is_changed(
        self, tmp_path: Path, dataset: DatasetVersion
    ) -> None:
        members = [replace(one, is_adjudicated=True) for one in dataset.images]
        folder = released(tmp_path, version(*members), ReleaseFormat.COCO)
        manifest = json.loads((folder / "manifest.json").read_text())
        assert manifest["counts"]["test"]["adjudicated"] == 1
        assert verification.verify(folder).ok

        rewritten(folder / "images.csv", lambda text: text.replace(",yes\n", ",\n", 1))
        problems = verification.verify(folder).problems
        assert any("dataset hash" in problem for problem in problems)
        assert any("counts" in problem for problem in problems)

    def test_reads_a_release_that_does_not_count_what_is_adjudicated(
        self, tmp_path: Path, dataset: DatasetVersion
    ) -> None:
        folder = released(tmp_path, dataset, ReleaseFormat.COCO)
        rewritten(folder / "images.csv", lambda text: text.replace(",adjudicated\n", "\n", 1))
        rewritten(folder / "images.csv", lambda text: text.replace(",\n", "\n"))
        rewritten(
            folder / "manifest.json",
            lambda text: re.sub(r',\s*"adjudicated": 0', "", text),
        )
        problems = verification.verify(folder).problems
        assert all(problem.startswith("images.csv changed") for problem in problems)

    def test_notices_a_patient_in_two_splits(
        self, tmp_path: Path, dataset: DatasetVersion
    ) -> None:
        first, second, *_ = dataset.images
        moved = replace(second, image=replace(second.image, split=Split.TEST))
        folder = released(tmp_path, version(first, moved), ReleaseFormat.COCO)
        assert verification.verify(folder).problems == (
            "patient p1 is in several splits: test, train",
        )

    @pytest.mark.parametrize("content", ["", "[]", "{}", '{"files": [{"path": 1}]}'])
    def test_says_when_the_manifest_is_no_manifest(self, tmp_path: Path, content: str) -> None:
        (tmp_path / "manifest.json").write_text(content)
        report = verification.verify(tmp_path)
        assert not report.ok
        assert "expected a release folder" in report.problems[0]

    def test_says_when_there_is_no_manifest(self, tmp_path: Path) -> None:
        assert "manifest.json cannot be read" in verification.verify(tmp_path).problems[0]

    def test_survives_tables_that_cannot_be_read(
        self, tmp_path: Path, dataset: DatasetVersion
    ) -> None:
        folder = released(tmp_path, dataset, ReleaseFormat.COCO)
        (folder / "boxes.csv").write_text("image_id\na\n")
        problems = verification.verify(folder).problems
        assert any("content is unchecked" in problem for problem in problems)
