"""Boxes of originals land in the right place on smaller, even squashed, copies."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image as Picture

from backend.domain.boxes import Box
from backend.domain.findings import Finding
from backend.formats import original_sizes, placement, vinbigdata_csv
from backend.formats.original_sizes import ConflictingSizesError, SizePx
from backend.formats.placement import BoxOutsideImageError, MarkedBox, PlacedReadings
from backend.formats.tables import UnreadableTableError

SIDES = st.integers(1, 5000)
STORED = SizePx(100, 50)
PUBLISHED = Path(__file__).parents[4] / "shared" / "data"


def ild(*edges: float) -> MarkedBox:
    return MarkedBox(Finding.ILD, Box(*edges))


def place(*marks: MarkedBox, original: SizePx | None, stored: SizePx = STORED) -> PlacedReadings:
    return placement.place_readings("a", {"R1": marks}, original=original, stored=stored)


class TestScaleToStored:
    @given(original=st.builds(SizePx, SIDES, SIDES), stored=st.builds(SizePx, SIDES, SIDES))
    def test_maps_the_whole_original_to_the_whole_image(
        self, original: SizePx, stored: SizePx
    ) -> None:
        whole = np.array([[0.0, 0.0, *original]])
        scaled = placement.scale_to_stored(whole, original=original, stored=stored)
        assert scaled == pytest.approx(np.array([[0.0, 0.0, *stored]]))

    def test_takes_no_boxes(self) -> None:
        none = np.zeros((0, 4))
        assert placement.scale_to_stored(none, original=STORED, stored=STORED).shape == (0, 4)


class TestPlaceReadings:
    def test_scales_each_side_of_a_squashed_image_by_its_own_factor(self) -> None:
        placed = place(ild(100, 100, 200, 400), original=SizePx(1000, 2000))
        assert placed == PlacedReadings({"R1": (ild(10, 2.5, 20, 10),)}, (), False)

    def test_clips_what_stands_out_by_up_to_a_pixel(self) -> None:
        placed = place(ild(-1, 0, 100.5, 51), original=STORED)
        assert placed.readings == {"R1": (ild(0, 0, 100, 50),)}
        assert placed.skipped == ()

    @pytest.mark.parametrize(
        "edges", [(0, 0, 101.5, 50), (-2, 0, 5, 5), (0, 0, 5, 60), (100, 0, 100.5, 5)]
    )
    def test_skips_what_stands_out_further(self, edges: tuple[float, ...]) -> None:
        placed = place(ild(1, 1, 2, 2), ild(*edges), original=STORED)
        assert placed.readings == {"R1": (ild(1, 1, 2, 2),)}
        [skipped] = placed.skipped
        assert "of image a by R1" in skipped.what
        assert "stands out of the original of 100 x 50 px" in skipped.why

    def test_never_turns_a_lost_reading_into_no_finding(self) -> None:
        placed = place(ild(200, 0, 300, 10), original=STORED)
        assert placed.readings == {}
        assert [skipped.what for skipped in placed.skipped][1:] == ["reading of a by R1"]

    def test_refuses_to_guess_when_a_box_does_not_fit_and_no_size_is_known(self) -> None:
        with pytest.raises(BoxOutsideImageError, match=r"give the originals' sizes with --image-"):
            place(ild(0, 0, 691, 40), original=None)

    def test_says_when_it_takes_the_stored_size_for_the_original(self) -> None:
        placed = place(ild(1, 1, 20, 20), original=None)
        assert placed == PlacedReadings({"R1": (ild(1, 1, 20, 20),)}, (), True)

    def test_assumes_nothing_about_an_image_without_boxes(self) -> None:
        assert place(original=None) == PlacedReadings({"R1": ()}, (), False)


class TestReadSizes:
    def test_reads_height_and_width_by_name(self, tmp_path: Path) -> None:
        path = tmp_path / "sizes.csv"
        path.write_text("image_id,height,width\na,3000,2000.0\n")
        assert original_sizes.read_sizes(path).sizes == {"a": SizePx(2000, 3000)}

    def test_reports_lines_that_it_cannot_use(self, tmp_path: Path) -> None:
        path = tmp_path / "sizes.csv"
        rows = ["a,3000,2000", "a,3000,2000", "a,1,1", "b,0,5", "c,x,5", "d,1.5,5", "../e,5,5"]
        path.write_text("\n".join(["image_id,height,width", *rows]))
        table = original_sizes.read_sizes(path)
        assert table.sizes == {"a": SizePx(2000, 3000)}
        assert [skipped.what for skipped in table.skipped] == [
            f"sizes.csv:{line}" for line in (4, 5, 6, 7, 8)
        ]

    def test_refuses_another_table(self, tmp_path: Path) -> None:
        path = tmp_path / "sizes.csv"
        path.write_text("image_id,size\n")
        with pytest.raises(UnreadableTableError, match="lacks the columns height, width"):
            original_sizes.read_sizes(path)


class TestOriginalSize:
    def test_takes_what_either_table_says(self) -> None:
        size = {"a": SizePx(2, 3)}
        assert original_sizes.original_size("a", labels=size, sizes={}) == SizePx(2, 3)
        assert original_sizes.original_size("a", labels={}, sizes=size) == SizePx(2, 3)
        assert original_sizes.original_size("a", labels=size, sizes=size) == SizePx(2, 3)
        assert original_sizes.original_size("b", labels=size, sizes=size) is None

    def test_refuses_to_choose(self) -> None:
        with pytest.raises(ConflictingSizesError, match="2 x 3 px in the table of readings and 3"):
            original_sizes.original_size(
                "a", labels={"a": SizePx(2, 3)}, sizes={"a": SizePx(3, 2)}
            )


@pytest.mark.skipif(not PUBLISHED.is_dir(), reason="the published images are not on this machine")
class TestPublishedImages:
    @pytest.fixture
    def images(self) -> dict[str, SizePx]:
        sizes = {}
        for path in (PUBLISHED / "pack" / "vindr" / "images").iterdir():
            with Picture.open(path) as picture:
                sizes[path.stem] = SizePx(*picture.size)
        return sizes

    def test_every_box_lands_inside_its_image(self, images: dict[str, SizePx]) -> None:
        table = vinbigdata_csv.read_readings(PUBLISHED / "pack" / "vindr" / "annotations.csv")
        sizes = original_sizes.read_sizes(
            PUBLISHED / "tables" / "vinbigdata_train_info_sizes.csv.gz"
        ).sizes
        placed = [
            placement.place_readings(
                image_id, table.readings[image_id], original=sizes[image_id], stored=stored
            )
            for image_id, stored in images.items()
        ]
        assert len(placed) == 205
        assert sum(len(of_image.readings) for of_image in placed) == 615
        assert not [skipped for of_image in placed for skipped in of_image.skipped]

    def test_no_image_with_boxes_is_taken_without_its_original_size(
        self, images: dict[str, SizePx]
    ) -> None:
        table = vinbigdata_csv.read_readings(PUBLISHED / "pack" / "vindr" / "annotations.csv")
        for image_id, stored in images.items():
            readings = table.readings[image_id]
            if any(readings.values()):
                with pytest.raises(BoxOutsideImageError):
                    placement.place_readings(image_id, readings, original=None, stored=stored)
