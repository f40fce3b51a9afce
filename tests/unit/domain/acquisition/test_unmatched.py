"""What one model marks and the next one does not."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from backend.domain.acquisition.unmatched import Marks, unmatched_scores
from backend.domain.boxes import Box, pairwise_iou, stack

PLACES = st.sampled_from(
    [Box(0, 0, 10, 10), Box(0, 0, 10, 25), Box(2, 0, 12, 10), Box(50, 50, 60, 60)]
)
MARKS = st.lists(
    st.tuples(st.integers(0, 3), PLACES, st.sampled_from([0.1, 0.25, 0.5, 0.9])), max_size=12
)


def marks_of(rows: list[tuple[int, Box, float]]) -> Marks:
    return Marks(
        np.array([row for row, _, _ in rows], dtype=np.int64),
        stack([box for _, box, _ in rows]),
        np.array([score for _, _, score in rows], dtype=np.float64),
    )


class TestUnmatchedScores:
    @given(MARKS, MARKS)
    def test_equals_its_plain_twin(
        self, before: list[tuple[int, Box, float]], now: list[tuple[int, Box, float]]
    ) -> None:
        found = unmatched_scores(marks_of(before), marks_of(now), images=4)

        for image in range(4):
            own = [box for row, box, score in now if row == image and score >= 0.25]
            lost = [
                score
                for row, box, score in before
                if row == image
                and score >= 0.25
                and not (pairwise_iou(stack([box]), stack(own)) >= 0.4).any()
            ]
            assert found[image] == max(lost, default=0.0)
