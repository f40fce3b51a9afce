"""Where images and readings can be imported from."""

from pathlib import Path

import pytest

from backend.domain.boxes import Box
from backend.domain.findings import Finding
from backend.store.unit_of_work import Store
from backend.workflow import image_sets
from backend.workflow.image_sets import NoImagesError, PatientPatternError
from backend.workflow.register_images import register_images
from tests.store.samples import NOW
from tests.workflow.test_register_images import write_image


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for seed, name in enumerate(("0013_1", "0013_2", "0027_1", "odd name_1")):
        write_image(tmp_path / "deep" / f"{name}.png", seed)
    return tmp_path


class TestFromFolder:
    def test_makes_ids_of_pixels_and_pseudonyms_of_patients(
        self, store: Store, folder: Path
    ) -> None:
        images, skipped = image_sets.from_folder(
            folder, keep_names=False, patient_pattern=r"^(\w+)_"
        )
        register_images(store, images, now=NOW)

        with store.snapshot() as unit:
            registered = unit.images.all()
        patients = [one.patient_key for one in registered.values()]
        assert [Path(one.what).name for one in skipped] == ["odd name_1.png"]
        assert len(registered) == 3
        assert len(set(patients)) == 2
        assert all(one.startswith("x") for one in registered)
        assert not any("0013" in patient or "0027" in patient for patient in patients)

    def test_keeps_names_that_are_safe(self, store: Store, folder: Path) -> None:
        images, skipped = image_sets.from_folder(
            folder, keep_names=True, patient_pattern=r"^(\d+)_"
        )
        register_images(store, images, now=NOW)

        with store.snapshot() as unit:
            patients = {key: one.patient_key for key, one in unit.images.all().items()}
        assert patients == {"0013_1": "0013", "0013_2": "0013", "0027_1": "0027"}
        assert [Path(one.what).name for one in skipped] == ["odd name_1.png"]

    def test_makes_every_image_a_patient_without_a_pattern(
        self, store: Store, folder: Path
    ) -> None:
        images, skipped = image_sets.from_folder(folder, keep_names=False, patient_pattern=None)
        register_images(store, images, now=NOW)

        with store.snapshot() as unit:
            assert all(key == one.patient_key for key, one in unit.images.all().items())
            assert unit.images.count() == 4
        assert skipped == []

    @pytest.mark.parametrize("pattern", ["(", r"\d+", r"(\d)(\d)"])
    def test_refuses_a_pattern_that_finds_no_patient(self, folder: Path, pattern: str) -> None:
        with pytest.raises(PatientPatternError, match="with one group"):
            image_sets.from_folder(folder, keep_names=True, patient_pattern=pattern)

    def test_refuses_a_folder_without_images(self, tmp_path: Path) -> None:
        for place in (tmp_path, tmp_path / "nowhere"):
            with pytest.raises(NoImagesError, match="expected files ending in"):
                image_sets.from_folder(place, keep_names=True, patient_pattern=None)


class TestFromYolo:
    def test_attributes_the_labels_to_the_reader(self, store: Store, tmp_path: Path) -> None:
        for seed, name in enumerate("abc"):
            write_image(tmp_path / "images" / f"{name}.png", seed)
        labels = tmp_path / "labels"
        labels.mkdir()
        (labels / "a.txt").write_text("3 0.5 0.5 0.5 1.0\n99 0 0 1 1\n")
        (labels / "b.txt").write_text("")
        (labels / "missing.txt").write_text("")

        images, skipped = image_sets.from_yolo(tmp_path, reader_id="Y1")
        report = register_images(store, images, now=NOW)

        assert (report.images, report.readings, report.boxes) == (3, 2, 1)
        assert len(skipped) == 2
        with store.snapshot() as unit:
            first, second = unit.readings.valid()
        assert (first.reader_id, first.boxes[0].finding) == ("Y1", Finding.CARDIOMEGALY)
        assert first.boxes[0].box == Box(10, 0, 30, 48)
        assert second.is_no_finding


class TestFromVinbigdata:
    def test_places_the_readings_and_names_what_is_missing(
        self, store: Store, tmp_path: Path
    ) -> None:
        for seed, name in enumerate(("a.png", "b.png", "other/b.png")):
            write_image(tmp_path / "images" / name, seed)
        table = tmp_path / "train.csv"
        table.write_text(
            "image_id,class_name,class_id,rad_id,x_min,y_min,x_max,y_max,width,height\n"
            "a,Cardiomegaly,3,R8,10,10,40,40,80,96\n"
            "a,No finding,14,R9,,,,,80,96\n"
            "gone,No finding,14,R9,,,,,80,96\n"
        )

        images, skipped = image_sets.from_vinbigdata(tmp_path / "images", table, None)
        report = register_images(store, images, now=NOW)

        assert (report.images, report.readings, report.boxes) == (2, 2, 1)
        assert sorted(Path(one.what).name for one in skipped) == ["1 reading(s) of gone", "b.png"]
        with store.snapshot() as unit:
            [drawn, _] = unit.readings.valid(["a"])
        assert drawn.boxes[0].box == Box(5, 5, 20, 20)
