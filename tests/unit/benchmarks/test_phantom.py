"""Phantom radiographs that the replay of the queue is measured on."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.domain.findings import Finding
from backend.domain.reading_table import ReadingTable
from benchmarks.phantom import Layouts, of_readings, render, render_all, sampled
from benchmarks.phantom.layouts import MissingSizeError
from benchmarks.phantom.radiograph import SMALLEST_PX, UnusableSizeError, boxes_px
from benchmarks.phantom.tables import read_layouts
from benchmarks.simulated_crowd import fitted

PUBLISHED = Path(__file__).parents[4] / "shared" / "data" / "tables" / "vinbigdata_train.csv.gz"
IN_THE_LUNG = (0.2, 0.35, 0.34, 0.5)


def layout_of(*lesions: tuple[Finding, tuple[float, ...], int]) -> Layouts:
    return Layouts(
        1,
        np.zeros(len(lesions), dtype=np.int64),
        np.array([finding for finding, _, _ in lesions], dtype=np.int64),
        np.array([votes for _, _, votes in lesions], dtype=np.int64),
        np.array([box for _, box, _ in lesions], dtype=np.float64).reshape(-1, 4),
    )


def drawn(
    layout: Layouts, size: int = 96, seed: int = 4
) -> np.ndarray[tuple[int, ...], np.dtype[np.int64]]:
    return render(layout, size, np.random.default_rng(seed)).astype(np.int64)


class TestRender:
    def test_gives_the_same_picture_for_the_same_seed(self) -> None:
        layout = layout_of((Finding.ILD, IN_THE_LUNG, 3))
        assert (drawn(layout) == drawn(layout)).all()
        assert (drawn(layout) != drawn(layout, seed=5)).any()

    @pytest.mark.parametrize("size", [64, 128, 512])
    def test_draws_a_normal_chest_from_an_empty_layout(self, size: int) -> None:
        picture = render(layout_of(), size, np.random.default_rng(1))
        lung, heart = (
            picture[size * 40 // 100, size // 4],
            picture[size * 62 // 100, size * 55 // 100],
        )
        assert picture.shape == (size, size)
        assert picture.dtype == np.uint8
        assert picture[2, 2] < lung < heart

    @pytest.mark.parametrize("finding", [one for one in Finding if one != Finding.CARDIOMEGALY])
    def test_changes_the_picture_where_the_finding_is(self, finding: Finding) -> None:
        change = np.abs(drawn(layout_of((finding, IN_THE_LUNG, 3))) - drawn(layout_of()))
        low, high = (
            (np.array(IN_THE_LUNG[:2]) * 96).astype(int),
            (np.array(IN_THE_LUNG[2:]) * 96).astype(int),
        )
        inside = change[low[1] : high[1], low[0] : high[0]].mean()
        change[low[1] - 6 : high[1] + 6, low[0] - 6 : high[0] + 6] = 0
        assert inside > 2.5
        assert change.max() == 0

    def test_draws_an_enlarged_heart_as_wide_as_its_box(self) -> None:
        wide = drawn(layout_of((Finding.CARDIOMEGALY, (0.28, 0.55, 0.84, 0.7), 3)))
        at_its_edge = (slice(57, 61), slice(72, 76))
        assert wide[at_its_edge].mean() > drawn(layout_of())[at_its_edge].mean() + 30

    def test_shows_less_of_what_fewer_readers_saw(self) -> None:
        changes = [
            np.abs(
                drawn(layout_of((Finding.LUNG_OPACITY, IN_THE_LUNG, votes))) - drawn(layout_of())
            ).sum()
            for votes in (1, 2, 3)
        ]
        assert changes[0] < changes[1] < changes[2]

    @pytest.mark.parametrize("size", [63, 513])
    def test_refuses_a_useless_size(self, size: int) -> None:
        with pytest.raises(UnusableSizeError, match="64 to 512"):
            render(layout_of(), size, np.random.default_rng(0))


class TestRenderAll:
    def test_draws_every_image_by_its_number(self) -> None:
        layouts = sampled(np.random.default_rng(2), 70)
        phantoms = render_all(layouts, 64, seed=9)
        alone = render(layouts.of(67), 64, np.random.default_rng([9, 67]))
        assert phantoms.pixels.shape == (70, 64, 64)
        assert (phantoms.pixels[67] == alone).all()

    def test_does_not_depend_on_the_number_of_processes(self) -> None:
        layouts = sampled(np.random.default_rng(2), 66)
        one, two = (render_all(layouts, 64, seed=9, processes=number) for number in (1, 2))
        assert (one.pixels == two.pixels).all()


class TestBoxes:
    @given(
        corner=st.tuples(*[st.floats(0, 0.99)] * 2),
        sides=st.tuples(*[st.floats(0.0001, 1)] * 2),
        size=st.integers(64, 512),
    )
    def test_are_inside_the_picture_and_large_enough(
        self, corner: tuple[float, float], sides: tuple[float, float], size: int
    ) -> None:
        box = (*corner, min(corner[0] + sides[0], 1.0), min(corner[1] + sides[1], 1.0))
        found = boxes_px(layout_of((Finding.NODULE_MASS, box, 2)), size)[0]
        assert found[:2].min() >= -1e-9
        assert found[2:].max() <= size + 1e-9
        assert (found[2:] - found[:2]).min() >= SMALLEST_PX - 1e-9

    def test_of_no_lesion_are_none(self) -> None:
        assert boxes_px(layout_of(), 128).shape == (0, 4)


class TestSampled:
    """Against the parameters that the sampler states."""

    layouts = sampled(np.random.default_rng(6), 20_000)

    def test_gives_the_same_layouts_for_the_same_seed(self) -> None:
        one, two = (sampled(np.random.default_rng(6), 50) for _ in range(2))
        assert (one.boxes == two.boxes).all()

    def test_keeps_boxes_inside_and_sorted_by_image(self) -> None:
        assert self.layouts.boxes.min() >= 0
        assert self.layouts.boxes.max() <= 1
        assert (np.diff(self.layouts.images) >= 0).all()
        assert set(self.layouts.votes) == {1, 2, 3}

    def test_shows_agreed_findings_on_about_the_stated_share_of_images(self) -> None:
        share = self.layouts.agreed().presence().any(axis=1).mean()
        assert 0.75 * fitted().abnormal_share < share < 1.02 * fitted().abnormal_share

    def test_agrees_on_as_many_lesions_as_rates_and_sensitivity_say(self) -> None:
        parameters = fitted()
        difficulty = np.random.default_rng(0).normal(0, parameters.difficulty_sd, (4000, 1))
        p = 1 / (1 + np.exp(-(parameters.sensitivity + difficulty)))
        at_least_two = (3 * p**2 * (1 - p) + p**3).mean(axis=0)
        expected = parameters.abnormal_share * parameters.lesions_per_image * at_least_two
        agreed = self.layouts.agreed()
        found = np.bincount(agreed.findings, minlength=len(Finding)) / agreed.count
        is_common = expected > 0.01
        assert is_common.sum() >= 5
        ratio = found[is_common] / expected[is_common]
        assert ratio.min() > 0.6
        assert ratio.max() < 1.7

    def test_puts_findings_where_their_places_are(self) -> None:
        parameters, agreed = fitted(), self.layouts.agreed()
        has_own_places = ~(parameters.colocated > 0.001).any(axis=0)
        assert has_own_places.sum() >= 3  # the others come at other findings' places too
        for finding in np.flatnonzero(has_own_places):
            shares = parameters.place_shares[finding]
            mean = np.einsum("sp,spi->i", shares, parameters.place_means[finding])
            boxes = agreed.boxes[agreed.findings == finding]
            centres = (boxes[:, :2] + boxes[:, 2:]) / 2
            assert np.abs(centres.mean(axis=0) - mean[:2]).max() < 0.06
            sides = np.log(boxes[:, 2:] - boxes[:, :2]).mean(axis=0)
            assert np.abs(sides - mean[2:]).max() < 0.25

    def test_lets_findings_come_together_as_their_correlations_say(self) -> None:
        correlation = fitted().lesion_correlation - np.eye(len(Finding))
        common = np.argsort(-fitted().lesions_per_image)[:5]
        own = correlation[np.ix_(common, common)]
        row, column = np.unravel_index(int(own.argmax()), own.shape)
        there = self.layouts.agreed().presence()
        there = there[there.any(axis=1)][:, common[[row, column]]]
        both = there.all(axis=1).mean()
        assert both > 1.1 * there[:, 0].mean() * there[:, 1].mean()


class TestOfReadings:
    def readings(self) -> ReadingTable:
        marks = [("a", "R1", 3), ("a", "R2", 3), ("a", "R1", 8), ("b", "R2", 8)]
        boxes = [[10, 10, 50, 50], [14, 10, 54, 50], [70, 70, 90, 90], [0, 0, 20, 20]]
        readings = [(image, reader) for image in "abc" for reader in ("R1", "R2", "R3")]
        return ReadingTable.of_rows(readings, marks, np.array(boxes, dtype=np.float64))

    def test_takes_marks_at_one_place_for_one_lesion(self) -> None:
        layouts = of_readings(self.readings(), np.full((3, 2), 100.0))
        assert layouts.count == 3
        assert layouts.votes.tolist() == [2, 1, 1]
        assert layouts.boxes[0].tolist() == [0.12, 0.1, 0.52, 0.5]
        assert layouts.agreed().images.tolist() == [0]
        assert layouts.presence().sum(axis=1).tolist() == [2, 1, 0]

    def test_gives_an_image_without_lesions_by_its_number(self) -> None:
        layouts = of_readings(self.readings(), np.full((3, 2), 100.0))
        assert len(layouts.of(2).images) == 0
        assert layouts.of(1).findings.tolist() == [8]

    def test_refuses_readings_of_unknown_sizes(self) -> None:
        with pytest.raises(MissingSizeError, match="3 images"):
            of_readings(self.readings(), np.full((2, 2), 100.0))


class TestReadLayouts:
    def write(self, folder: Path, *, sizes: str) -> Path:
        labels = folder / "train.csv"
        labels.write_text(
            "image_id,class_name,class_id,rad_id,x_min,y_min,x_max,y_max\n"
            "p,Cardiomegaly,3,R8,691,1375,1653,1831\np,Cardiomegaly,3,R9,700,1375,1650,1800\n"
            "q,No finding,14,R1,,,,\n"
        )
        (folder / "vinbigdata_train_info_sizes.csv.gz").unlink(missing_ok=True)
        (folder / "sizes.csv").write_text(sizes)
        return labels

    def test_reads_the_published_form(self, tmp_path: Path) -> None:
        labels = self.write(tmp_path, sizes="image_id,height,width\np,3000,2000\nq,1000,1000\n")
        layouts = read_layouts(labels, tmp_path / "sizes.csv")
        assert layouts.count == 2
        assert layouts.votes.tolist() == [2]
        assert layouts.boxes[0, 0] == pytest.approx((691 + 700) / 2 / 2000)

    def test_refuses_an_image_without_a_size(self, tmp_path: Path) -> None:
        labels = self.write(tmp_path, sizes="image_id,height,width\np,3000,2000\n")
        with pytest.raises(MissingSizeError, match="no size of 1 images"):
            read_layouts(labels, tmp_path / "sizes.csv")

    @pytest.mark.skipif(not PUBLISHED.exists(), reason="VinBigData's table is not here")
    def test_reads_the_real_table(self) -> None:
        layouts = read_layouts(PUBLISHED)
        assert layouts.count == 15_000
        assert layouts.presence().any(axis=1).sum() == pytest.approx(4394, abs=5)
