"""Where a reader's boxes came from, in cases that one can check by hand."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.domain.boxes import Box
from backend.domain.findings import Finding
from backend.domain.predictions import PredictedBox
from backend.domain.provenance import adjustment_of, trace_boxes
from backend.domain.readings import Origin, ReadBox, Reading
from tests.store.samples import NOW

SHOWN = PredictedBox(Finding.ILD, Box(100.0, 100.0, 200.0, 200.0), score=0.5, id=7)
EDGES = st.tuples(st.floats(0, 500), st.floats(0, 500), st.floats(1, 500), st.floats(1, 500))


def box_of(edges: tuple[float, float, float, float]) -> Box:
    left, top, width, height = edges
    return Box(left, top, left + width, top + height)


class TestAdjustment:
    @pytest.mark.parametrize(
        ("box", "finding", "expected"),
        [
            ((100, 100, 200, 200), Finding.NODULE_MASS, (1.0, 0, 0, 0, 0, True)),
            ((150, 100, 250, 200), Finding.ILD, (1 / 3, 50, 0, 0, 0, False)),
            ((100, 100, 200, 250), Finding.ILD, (2 / 3, 0, 25, 0, 50, False)),
            ((110, 110, 190, 190), Finding.ILD, (0.64, 0, 0, -20, -20, False)),
            ((300, 100, 400, 200), Finding.ILD, (0.0, 200, 0, 0, 0, False)),
        ],
        ids=["relabelled", "moved", "made longer", "made smaller", "moved away"],
    )
    def test_says_how_far(
        self,
        box: tuple[float, float, float, float],
        finding: Finding,
        expected: tuple[float, ...],
    ) -> None:
        change = adjustment_of(SHOWN, ReadBox(finding, Box(*box)))
        assert (
            change.iou,
            change.shift_x_px,
            change.shift_y_px,
            change.width_change_px,
            change.height_change_px,
            change.is_relabelled,
        ) == pytest.approx(expected)
        assert change.shown_finding is Finding.ILD

    @given(EDGES, EDGES)
    def test_leads_back_to_the_shown_box(
        self, shown: tuple[float, float, float, float], read: tuple[float, float, float, float]
    ) -> None:
        there, here = box_of(shown), box_of(read)
        change = adjustment_of(PredictedBox(Finding.ILD, there, 0.5), ReadBox(Finding.ILD, here))
        back = Box(
            here.x_min - change.shift_x_px + change.width_change_px / 2,
            here.y_min - change.shift_y_px + change.height_change_px / 2,
            here.x_max - change.shift_x_px - change.width_change_px / 2,
            here.y_max - change.shift_y_px - change.height_change_px / 2,
        )
        assert back == pytest.approx(there, abs=1e-6)
        assert 0.0 <= change.iou <= 1.0 + 1e-9
        assert change.shift_px >= max(abs(change.shift_x_px), abs(change.shift_y_px)) - 1e-9


class TestTracedBoxes:
    def test_know_the_suggestion_that_they_were_made_from(self) -> None:
        moved = Box(110.0, 100.0, 210.0, 200.0)
        reading = Reading(
            "a",
            "R1",
            (
                ReadBox(Finding.ILD, SHOWN.box, None, Origin.ACCEPTED, 7),
                ReadBox(Finding.ILD, moved, None, Origin.ADJUSTED, 7),
                ReadBox(Finding.ILD, moved),
            ),
            NOW,
            deleted=(ReadBox(Finding.ILD, SHOWN.box, None, Origin.DELETED, 7),),
        )
        accepted, adjusted, drawn, deleted = trace_boxes(reading, {7: SHOWN})
        assert (accepted.shown, accepted.adjustment) == (SHOWN, None)
        assert adjusted.shown is SHOWN
        assert adjusted.adjustment is not None
        assert adjusted.adjustment.shift_px == 10.0
        assert (drawn.shown, drawn.adjustment) == (None, None)
        assert (deleted.box.origin, deleted.shown) == (Origin.DELETED, SHOWN)

    def test_do_without_a_suggestion_that_is_not_known(self) -> None:
        box = ReadBox(Finding.ILD, SHOWN.box, None, Origin.ADJUSTED, 8)
        (traced,) = trace_boxes(Reading("a", "R1", (box,), NOW), {7: SHOWN})
        assert (traced.shown, traced.adjustment) == (None, None)
