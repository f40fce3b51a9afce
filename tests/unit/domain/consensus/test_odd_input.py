"""What may reach the domain and is unusual, but defined."""

import time

import numpy as np
import pytest

from backend.domain.boxes import Box, MalformedBoxError
from backend.domain.consensus.clusters import ClusterState
from backend.domain.consensus.methods import by_overread
from backend.domain.consensus.panel import prior_panel
from backend.domain.consensus.survey import Survey
from backend.domain.consensus.verdict import answers, reconcile
from backend.domain.findings import Finding
from tests.unit.domain.consensus.crowds import (
    EFFUSION,
    READERS,
    Readings,
    square,
    table_of,
    verdict_of,
    votes_of,
)


class TestOddInput:
    @pytest.mark.parametrize(
        "box",
        [
            Box(float("nan"), 0.0, 10.0, 10.0),
            Box(10.0, 0.0, 0.0, 10.0),
            Box(0.0, 0.0, 10.0, 0.0),
            Box(0.0, float("-inf"), 10.0, 10.0),
        ],
    )
    def test_of_malformed_boxes_is_refused(self, box: Box) -> None:
        with pytest.raises(MalformedBoxError):
            verdict_of(votes_of(1, of=1, box=box))

    def test_of_nothing_gives_nothing(self) -> None:
        found = by_overread(table_of({}))

        assert list(answers(found, "overread-2-x", {})) == []
        assert found.boxes.shape == (0, 4)
        assert found.p_no_finding.shape == (0,)

    @pytest.mark.parametrize("readers", [1, 3, 17])
    def test_of_silent_readers_gives_images_without_clusters(self, readers: int) -> None:
        table = table_of({(image, who): [] for image in "ab" for who in READERS[:readers]})

        for found in (by_overread(table), reconcile(Survey.of(table), prior_panel())):
            assert found.states == ()
            assert found.p_no_finding.shape == (2,)
            assert (found.p_no_finding > 0.5).all()

    def test_of_one_image_by_one_reader_is_that_reading(self) -> None:
        found = by_overread(table_of(votes_of(1, of=1)))

        assert found.boxes.tolist() == [list(square(0.0))]
        assert found.states == (ClusterState.SINGLE_READER,)
        assert 0.4 < found.p_true[0] < 0.9

    def test_of_seventeen_readers_is_one_cluster(self) -> None:
        readings = {
            ("a", reader): [(EFFUSION, square(2.0 * number))]
            for number, reader in enumerate(READERS)
        }

        found = by_overread(table_of(readings))

        assert found.states == (ClusterState.UNANIMOUS,)
        assert found.boxes[0, 0] == pytest.approx(16.0, abs=1.0)
        assert found.p_true[0] > 0.95

    def test_of_five_hundred_boxes_takes_no_more_than_seconds(self) -> None:
        rng = np.random.default_rng(0)
        readings: Readings = {
            ("a", reader): [
                (Finding(int(rng.integers(14))), square(*rng.uniform(0.0, 900.0, 2).tolist()))
                for _ in range(125)
            ]
            for reader in READERS[:4]
        }
        start = time.perf_counter()

        found = by_overread(table_of(readings))

        assert time.perf_counter() - start < 10.0
        assert len(found.cluster_of_mark) == 500
        assert sorted(set(found.cluster_of_mark.tolist())) == list(range(len(found.states)))
        assert np.isfinite(found.scores).all()
        assert np.isfinite(found.p_no_finding).all()

    def test_of_boxes_far_apart_in_size_is_finite(self) -> None:
        tiny, huge = Box(0.0, 0.0, 1e-3, 1e-3), Box(0.0, 0.0, 1e6, 1e6)

        found = verdict_of({("a", "R1"): [(EFFUSION, tiny)], ("a", "R2"): [(EFFUSION, huge)]})

        assert found.boxes.tolist() == [list(tiny), list(huge)]
        assert np.isfinite(found.scores).all()

    def test_of_boxes_beyond_the_upper_left_corner_is_finite(self) -> None:
        # An image's size is not known here; the edge clips, and the domain does not fail.
        found = by_overread(table_of(votes_of(2, of=3, box=Box(-50.0, -50.0, -10.0, -10.0))))

        assert np.isfinite(found.scores).all()
        assert found.boxes.tolist() == [[-50.0, -50.0, -10.0, -10.0]]
