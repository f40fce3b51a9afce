"""Boxes to regions and back."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backend.domain.boxes import Box
from backend.domain.findings import Finding
from backend.domain.predictions import PredictedBox
from backend.domain.readings import Certainty, Origin
from backend.domain.worklists import Skip, SkipReason
from backend.label_studio import regions
from backend.label_studio.labelled_boxes import (
    ImageSizeError,
    MalformedRegionError,
    RotatedRegionError,
    UnknownLabelError,
    UnusableResultError,
)
from backend.label_studio.results import boxes_from_result
from backend.label_studio.skips import is_called_unreadable, skip_from_result

WIDTH, HEIGHT = 1000, 800
HEART = PredictedBox(Finding.CARDIOMEGALY, Box(100, 300, 500, 600), 0.9, id=7)
NODULE = PredictedBox(Finding.NODULE_MASS, Box(700, 100, 760, 150), 0.4, id=8)
SHOWN = regions.shown_regions([HEART, NODULE])


def shown_result() -> list[regions.Region]:
    return regions.result_of_prediction([HEART, NODULE], WIDTH, HEIGHT)


def drawn(box: Box = HEART.box, key: str = "aB3", **changes: Any) -> regions.Region:  # noqa: ANN401
    region = regions.region_from_box(box, Finding.ILD, WIDTH, HEIGHT, key=key)
    value = {**region["value"], **changes.pop("value", {})}
    return {**region, **changes, "value": value}


@st.composite
def images_with_boxes(draw: st.DrawFn) -> tuple[int, int, list[PredictedBox]]:
    width, height = draw(st.integers(16, 5000)), draw(st.integers(16, 5000))

    def edges(side: int) -> st.SearchStrategy[tuple[float, float]]:
        low = st.floats(0, side - 1)
        return low.flatmap(lambda start: st.tuples(st.just(start), st.floats(start + 1, side)))

    count = draw(st.integers(0, 6))
    found = []
    for key in range(count):
        (x_min, x_max), (y_min, y_max) = draw(edges(width)), draw(edges(height))
        finding, score = draw(st.sampled_from(Finding)), draw(st.floats(0, 1))
        found.append(PredictedBox(finding, Box(x_min, y_min, x_max, y_max), score, id=key))
    return width, height, found


class TestRoundTrip:
    @settings(deadline=None)
    @given(images_with_boxes())
    def test_accepts_what_was_left_alone_with_its_exact_coordinates(
        self, case: tuple[int, int, list[PredictedBox]]
    ) -> None:
        width, height, shown = case
        result = regions.result_of_prediction(shown, width, height)

        read = boxes_from_result(result, regions.shown_regions(shown), width, height)

        assert [(box.finding, box.box) for box in read.boxes] == [
            (box.finding, box.box) for box in shown
        ]
        assert all(box.origin is Origin.ACCEPTED for box in read.boxes)
        assert read.deleted == ()

    @settings(deadline=None)
    @given(images_with_boxes())
    def test_keeps_drawn_boxes_in_place(self, case: tuple[int, int, list[PredictedBox]]) -> None:
        width, height, shown = case
        result = regions.result_of_prediction(shown, width, height)

        read = boxes_from_result(result, {}, width, height)

        assert all(box.origin is Origin.DRAWN for box in read.boxes)
        for back, box in zip(read.boxes, shown, strict=True):
            assert back.box == pytest.approx(box.box, abs=1e-6 * max(width, height))

    @settings(deadline=None)
    @given(images_with_boxes())
    def test_calls_everything_deleted_when_nothing_comes_back(
        self, case: tuple[int, int, list[PredictedBox]]
    ) -> None:
        width, height, shown = case
        nothing = [regions.no_finding_item()]
        read = boxes_from_result(nothing, regions.shown_regions(shown), width, height)

        assert read.boxes == ()
        assert [box.box for box in read.deleted] == [box.box for box in shown]
        assert all(box.origin is Origin.DELETED for box in read.deleted)


class TestResultOfPrediction:
    def test_carries_key_score_and_percent(self) -> None:
        first = shown_result()[0]
        assert (first["id"], first["score"]) == ("p7", 0.9)
        assert first["value"] == {
            "x": 10,
            "y": 37.5,
            "width": 40,
            "height": 37.5,
            "rotation": 0,
            "rectanglelabels": ["Cardiomegaly"],
        }

    def test_refuses_a_box_that_is_not_saved(self) -> None:
        unsaved = PredictedBox(Finding.ILD, HEART.box, 0.5)
        with pytest.raises(ValueError, match="save the prediction first"):
            regions.result_of_prediction([unsaved], WIDTH, HEIGHT)


class TestBoxesFromResult:
    def test_calls_a_moved_box_adjusted_whatever_label_studio_says(self) -> None:
        heart, nodule = shown_result()
        heart["value"]["x"] += 2
        heart["origin"] = "prediction"

        read = boxes_from_result([heart, nodule], SHOWN, WIDTH, HEIGHT)

        assert [box.origin for box in read.boxes] == [Origin.ADJUSTED, Origin.ACCEPTED]
        assert read.boxes[0].box == pytest.approx(Box(120, 300, 520, 600))

    def test_calls_a_relabelled_box_adjusted(self) -> None:
        heart, _ = shown_result()
        heart["value"]["rectanglelabels"] = ["ILD"]

        read = boxes_from_result([heart], SHOWN, WIDTH, HEIGHT)

        assert (read.boxes[0].finding, read.boxes[0].origin) == (Finding.ILD, Origin.ADJUSTED)
        assert [box.finding for box in read.deleted] == [Finding.NODULE_MASS]

    def test_accepts_a_box_that_only_got_a_certainty(self) -> None:
        heart, _ = shown_result()
        heart["origin"] = "prediction-changed"
        sure = regions.certainty_item(heart, Certainty.PROBABLE)

        (box,) = boxes_from_result([sure, heart], SHOWN, WIDTH, HEIGHT).boxes

        assert (box.origin, box.certainty) == (Origin.ACCEPTED, Certainty.PROBABLE)

    def test_clips_what_hangs_over_the_edge_a_little(self) -> None:
        over = drawn(value={"x": -0.4, "width": 100.9})
        (box,) = boxes_from_result([over], {}, WIDTH, HEIGHT).boxes
        assert (box.box.x_min, box.box.x_max) == (0, WIDTH)

    def test_takes_percent_of_the_registered_size_when_a_resized_copy_was_shown(self) -> None:
        small = drawn(original_width=334, original_height=267)
        (box,) = boxes_from_result([small], {}, WIDTH, HEIGHT).boxes
        assert box.box == pytest.approx(HEART.box)

    @pytest.mark.parametrize(
        ("item", "error"),
        [
            (drawn(original_width=HEIGHT, original_height=WIDTH), ImageSizeError),
            (drawn(original_width=0, original_height=0), ImageSizeError),
            (drawn(value={"rotation": 12.5}), RotatedRegionError),
            (drawn(image_rotation=90), RotatedRegionError),
            (drawn(value={"rectanglelabels": ["Fracture"]}), UnknownLabelError),
            (drawn(value={"rectanglelabels": []}), UnknownLabelError),
            (drawn(value={"rectanglelabels": ["ILD", "Nodule/Mass"]}), UnknownLabelError),
            (drawn(from_name="lesion"), UnknownLabelError),
            (drawn(from_name="certainty", value={"choices": ["Perhaps"]}), UnknownLabelError),
            (drawn(from_name="certainty", value={"choices": ["Definite"]}), MalformedRegionError),
            (drawn(from_name="study", value={"choices": ["Abnormal"]}), UnknownLabelError),
            (drawn(value={"width": 0}), MalformedRegionError),
            (drawn(value={"height": -5}), MalformedRegionError),
            (drawn(value={"x": 150}), MalformedRegionError),
            (drawn(value={"x": 90, "width": 30}), MalformedRegionError),
            (drawn(value={"y": float("nan")}), MalformedRegionError),
            (drawn(value={"y": None}), MalformedRegionError),
            ({"from_name": "finding", "id": "x"}, MalformedRegionError),
            ({}, MalformedRegionError),
        ],
    )
    def test_names_what_it_cannot_use(
        self, item: regions.Region, error: type[UnusableResultError]
    ) -> None:
        with pytest.raises(error):
            boxes_from_result([item], {}, WIDTH, HEIGHT)

    def test_refuses_two_boxes_of_one_id(self) -> None:
        with pytest.raises(MalformedRegionError, match="share the id"):
            boxes_from_result([drawn(), drawn()], {}, WIDTH, HEIGHT)


class TestContradiction:
    def test_is_none_for_boxes_alone_and_for_no_finding_alone(self) -> None:
        assert boxes_from_result([drawn()], {}, WIDTH, HEIGHT).contradiction is None
        nothing = boxes_from_result([regions.no_finding_item()], {}, WIDTH, HEIGHT)
        assert nothing.says_no_finding
        assert nothing.contradiction is None

    def test_names_no_finding_beside_boxes_and_loses_neither(self) -> None:
        read = boxes_from_result([drawn(), regions.no_finding_item()], {}, WIDTH, HEIGHT)
        assert read.contradiction is not None
        assert len(read.boxes) == 1

    def test_names_an_empty_submission(self) -> None:
        read = boxes_from_result([], SHOWN, WIDTH, HEIGHT)
        assert read.contradiction is not None
        assert len(read.deleted) == len(SHOWN)


class TestWhatIsSaidOfTheImage:
    def test_is_the_note_and_the_reason(self) -> None:
        result = [
            *shown_result(),
            regions.note_item("  clip\n beside \x00the aorta"),
        ]
        read = boxes_from_result(result, SHOWN, WIDTH, HEIGHT)
        assert read.skip == Skip(None, "clip beside the aorta")
        assert read.contradiction is None

    @pytest.mark.parametrize("reason", SkipReason)
    def test_is_read_from_a_skipped_annotation_past_its_untouched_boxes(
        self, reason: SkipReason
    ) -> None:
        odd = {**shown_result()[0], "value": {}}
        result = [odd, regions.unreadable_item(reason), regions.note_item("why")]
        assert skip_from_result(result) == Skip(reason, "why")

    @pytest.mark.parametrize(
        "item",
        [
            {},
            {**regions.note_item("x"), "value": {"text": None}},
            {**regions.note_item("x"), "value": {"text": [7]}},
            {**regions.unreadable_item(SkipReason.OTHER), "value": {"choices": ["Boring"]}},
            {**regions.unreadable_item(SkipReason.OTHER), "value": {"choices": []}},
            {**regions.unreadable_item(SkipReason.OTHER), "value": {"choices": [None]}},
        ],
    )
    def test_is_nothing_when_it_cannot_be_understood(self, item: regions.Region) -> None:
        assert skip_from_result([item]) == Skip()
        with pytest.raises(UnusableResultError):
            boxes_from_result([*shown_result(), item], SHOWN, WIDTH, HEIGHT)

    def test_is_that_it_cannot_be_read_when_nobody_touched_the_boxes(self) -> None:
        untouched = [{**region, "origin": "prediction"} for region in shown_result()]
        reason = regions.unreadable_item(SkipReason.CUT_OFF_OR_TURNED)
        assert is_called_unreadable([reason])
        as_words = {**reason, "from_name": "note", "value": {"text": "as one string"}}
        assert skip_from_result([as_words]) == Skip(None, "as one string")
        assert is_called_unreadable([*untouched, reason, regions.note_item("x")])
        assert not is_called_unreadable([*untouched, regions.note_item("x")])

    @pytest.mark.parametrize(
        "beside",
        [
            regions.no_finding_item(),
            {**shown_result()[0], "origin": "manual"},
            {**shown_result()[0], "origin": "prediction-changed"},
            regions.certainty_item(shown_result()[0], Certainty.DEFINITE),
        ],
        ids=["No finding", "a drawn box", "a moved box", "a certainty"],
    )
    def test_contradicts_any_other_answer(self, beside: regions.Region) -> None:
        result = [shown_result()[0], regions.unreadable_item(SkipReason.OTHER)]
        if beside["from_name"] == regions.FINDING_TAG:
            result[0] = beside
        else:
            result.append(beside)
        assert not is_called_unreadable(result)
        read = boxes_from_result(result, SHOWN, WIDTH, HEIGHT)
        assert "Cannot be read" in str(read.contradiction)
