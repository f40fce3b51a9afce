"""Registering image sets: repeatable, interruptible, nothing silent."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

from backend.domain.boxes import Box
from backend.domain.findings import Finding
from backend.formats.original_sizes import SizePx
from backend.formats.placement import BoxOutsideImageError, MarkedBox, PlacedReadings
from backend.formats.radiographs import encode_png
from backend.store.readings import Receipt
from backend.store.unit_of_work import Store
from backend.workflow import register_images as step
from backend.workflow.register_images import ImageSet, ImportReport, register_images
from tests.store.samples import LATER, NOW, mark, reading

ONE = (MarkedBox(Finding.CARDIOMEGALY, Box(1, 2, 30, 40)),)
TWO = (*ONE, MarkedBox(Finding.ILD, Box(5, 5, 9, 9)))

Labels = Mapping[str, tuple[MarkedBox, ...]]


def write_image(path: Path, seed: int) -> Path:
    pixels = np.random.default_rng(seed).integers(0, 255, (48, 40), dtype=np.uint8)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(encode_png(pixels))
    return path


def labelled(folder: Path, labels: Mapping[str, Labels]) -> ImageSet:
    def place(image_id: str, _: SizePx) -> tuple[PlacedReadings, SizePx | None]:
        return PlacedReadings(labels.get(image_id, {}), (), is_size_assumed=False), None

    files: dict[Path, str | None] = {path: path.stem for path in sorted(folder.glob("*.png"))}
    return ImageSet("test", files, place_readings=place)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for seed, name in enumerate("abc"):
        write_image(tmp_path / "images" / f"{name}.png", seed)
    return tmp_path / "images"


LABELS: Mapping[str, Labels] = {"a": {"R1": ONE, "R2": ()}, "b": {"R1": TWO}}


def whys(report: ImportReport) -> list[tuple[str, str]]:
    return [(Path(one.what).name, one.why) for one in report.skipped]


class TestRegisterImages:
    def test_keeps_images_and_readings(self, store: Store, folder: Path) -> None:
        report = register_images(store, labelled(folder, LABELS), now=NOW)

        assert (report.images, report.readings, report.boxes, report.skipped) == (3, 3, 3, [])
        with store.snapshot() as unit:
            registered = unit.images.all()
            readings = unit.readings.valid()
        assert {
            key: (one.width_px, one.height_px) for key, one in registered.items()
        } == dict.fromkeys("abc", (40, 48))
        assert registered["a"].uri == str(folder / "a.png")
        assert registered["a"].patient_key == "a"
        assert [(one.image_id, one.reader_id, len(one.boxes)) for one in readings] == [
            ("a", "R1", 1),
            ("a", "R2", 0),
            ("b", "R1", 2),
        ]

    def test_changes_nothing_the_second_time(self, store: Store, folder: Path) -> None:
        register_images(store, labelled(folder, LABELS), now=NOW)
        with store.snapshot() as unit:
            before = unit.images.all(), unit.readings.valid()

        report = register_images(store, labelled(folder, LABELS), now=LATER)

        assert report == ImportReport(unchanged_images=3, unchanged_readings=3)
        with store.snapshot() as unit:
            assert (unit.images.all(), unit.readings.valid()) == before

    def test_makes_changed_labels_a_revision(self, store: Store, folder: Path) -> None:
        register_images(store, labelled(folder, LABELS), now=NOW)

        report = register_images(store, labelled(folder, {"a": {"R1": TWO, "R2": ()}}), now=LATER)

        assert (report.readings, report.boxes, report.unchanged_readings) == (1, 2, 1)
        with store.snapshot() as unit:
            kept = unit.readings.revisions("a", "R1")
        assert [(one.reading.revision, len(one.reading.boxes)) for one in kept] == [(1, 1), (2, 2)]

    def test_leaves_what_was_read_in_label_studio(self, store: Store, folder: Path) -> None:
        register_images(store, labelled(folder, LABELS), now=NOW)
        with store.transaction() as unit:
            unit.readings.revise(reading("a", "R1", mark(), mark()), Receipt(NOW, 7, NOW))

        report = register_images(store, labelled(folder, LABELS), now=LATER)

        assert whys(report)[0][0] == "reading of a by R1"
        assert (report.readings, report.unchanged_readings) == (0, 2)

    def test_revises_a_reading_that_was_withdrawn(self, store: Store, folder: Path) -> None:
        register_images(store, labelled(folder, LABELS), now=NOW)
        with store.transaction() as unit:
            unit.readings.revise(reading("b", "R1"), Receipt(NOW, state="withdrawn", reason="x"))

        report = register_images(store, labelled(folder, LABELS), now=LATER)

        assert report.readings == 1
        with store.snapshot() as unit:
            assert [one.revision for one in unit.readings.valid(["b"])] == [3]

    def test_names_pixels_under_another_name(self, store: Store, folder: Path) -> None:
        write_image(folder / "z.png", seed=0)
        images = labelled(folder, {"z": {"R1": ONE}})

        first, second = (register_images(store, images, now=NOW) for _ in range(2))

        assert (first.images, first.readings) == (3, 0)
        assert [what for what, _ in whys(first)] == ["z.png"]
        assert "same pixels as image a" in whys(first)[0][1]
        assert whys(second) == whys(first)

    def test_names_other_pixels_under_a_known_id(self, store: Store, folder: Path) -> None:
        register_images(store, labelled(folder, {}), now=NOW)
        write_image(folder / "a.png", seed=99)

        report = register_images(store, labelled(folder, {}), now=NOW)

        assert (report.images, report.unchanged_images) == (0, 2)
        assert "another picture is registered as a" in whys(report)[0][1]

    def test_goes_on_past_bad_files(self, store: Store, folder: Path) -> None:
        (folder / "d.png").write_bytes(b"")
        (folder / "e.png").write_bytes((folder / "a.png").read_bytes()[:100])
        (folder / "f.png").mkdir()
        seen: list[int] = []

        report = register_images(
            store, labelled(folder, LABELS), now=NOW, on_image=lambda: seen.append(1)
        )

        assert report.images == 3
        assert [what for what, _ in whys(report)] == ["d.png", "e.png", "f.png"]
        assert len(seen) == 6

    def test_goes_on_past_a_name_that_is_not_utf8(self, store: Store, folder: Path) -> None:
        odd = write_image(folder / "odd\udce9.png", seed=9)
        images = ImageSet("test", {odd: None, folder / "a.png": None})

        report = register_images(store, images, now=NOW)

        assert report.images == 1
        assert [what for what, _ in whys(report)] == ["odd\\udce9.png"]

    def test_refuses_an_image_without_losing_its_twin(self, store: Store, folder: Path) -> None:
        write_image(folder / "a2.png", seed=0)

        def place(image_id: str, _: SizePx) -> tuple[PlacedReadings, SizePx | None]:
            if image_id == "a":
                raise BoxOutsideImageError("a box stands out")
            return PlacedReadings({}, (), is_size_assumed=False), None

        files: dict[Path, str | None] = {folder / f"{name}.png": name for name in ("a", "a2")}
        images = ImageSet("test", files, place_readings=place)
        report = register_images(store, images, now=NOW)

        assert whys(report) == [("a.png", "a box stands out")]
        with store.snapshot() as unit:
            assert list(unit.images.all()) == ["a2"]

    def test_follows_a_folder_that_moved(self, store: Store, folder: Path) -> None:
        register_images(store, labelled(folder, LABELS), now=NOW)
        moved = folder.rename(folder.parent / "moved")

        report = register_images(store, labelled(moved, LABELS), now=LATER)

        assert report == ImportReport(unchanged_images=3, unchanged_readings=3)
        with store.snapshot() as unit:
            assert unit.images.all()["b"].uri == str(moved / "b.png")

    def test_goes_on_where_it_was_killed(
        self, store: Store, folder: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(step, "_IMAGES_PER_TRANSACTION", 1)
        images = labelled(folder, LABELS)
        calls = iter([None, KeyboardInterrupt])

        def interrupt() -> None:
            if (error := next(calls)) is not None:
                raise error

        with pytest.raises(KeyboardInterrupt):
            register_images(store, images, now=NOW, on_image=interrupt)
        report = register_images(store, images, now=LATER)

        assert (report.images, report.unchanged_images) == (1, 2)
        with store.snapshot() as unit:
            assert len(unit.readings.valid()) == 3
            assert unit.images.count() == 3
