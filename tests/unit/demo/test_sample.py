"""The sample radiographs and the readers that are simulated on them."""

from backend.demo import sample
from backend.demo.simulated_readers import SIMULATED_READERS
from backend.domain.images import Split
from backend.formats.radiographs import read_file
from backend.label_studio import regions

SIZE = {"width_px": 1024, "height_px": 1024}


class TestSample:
    def test_has_every_published_box_inside_its_image(self) -> None:
        images = sample.sample_images()
        files = {name: read_file(path) for path, name in images.files.items()}

        assert len(files) == 39
        assert sum(len(marks) for marks in sample.published_boxes().values()) == 17
        for image_id, marks in sample.published_boxes().items():
            for mark in marks:
                assert 0 <= mark.box.x_min < mark.box.x_max <= files[image_id].width_px
                assert 0 <= mark.box.y_min < mark.box.y_max <= files[image_id].height_px

    def test_keeps_every_patient_in_one_split(self) -> None:
        images = sample.sample_images()
        splits: dict[str, set[Split]] = {}
        for path, patient in images.patients.items():
            splits.setdefault(patient, set()).add(images.splits[path.stem])

        assert all(len(found) == 1 for found in splits.values())
        assert {split for found in splits.values() for split in found} == set(Split)


class TestSimulatedReader:
    def test_sees_the_same_whenever_it_is_asked(self) -> None:
        published = sample.published_boxes()["00011583_000"]

        for reader in SIMULATED_READERS:
            first, second = (reader.marks("00011583_000", published, **SIZE) for _ in range(2))
            assert first == second

    def test_accepts_what_it_would_draw_and_deletes_the_rest(self) -> None:
        published = sample.published_boxes()["00011583_000"]
        careful = SIMULATED_READERS[0]
        marks = careful.marks("00011583_000", published, **SIZE)
        assert marks
        same = regions.region_from_box(marks[0].box, marks[0].finding, 1024, 1024, key="p1")
        wrong = regions.region_from_box(marks[0].box, marks[0].finding, 1024, 1024, key="p2")
        wrong["value"] = {**wrong["value"], "x": 0.0, "y": 0.0, "width": 5.0, "height": 5.0}

        answer = careful.answer(marks, [wrong, same], **SIZE)

        assert [item["id"] for item in answer] == ["p1"]
        assert careful.answer((), [same], **SIZE) == [regions.no_finding_item()]
