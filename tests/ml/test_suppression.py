"""Decoding and suppression of duplicates."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from backend.domain.findings import Finding
from ml_backend.runtimes.raw_output import CANDIDATES_PER_FINDING, Candidates, select
from ml_backend.suppression import BOXES_PER_FINDING, DUPLICATE_IOU, Marks, find_marks, suppress

STRIDES = (8, 16, 32)
FRAME = (64, 64)
PLACES = 64 + 16 + 4


@dataclass
class Raw:
    """What a network says of a batch."""

    logits: NDArray[np.float32]
    distances: NDArray[np.float32]

    def candidates(self, min_score: float) -> Candidates:
        least = np.log(min_score) - np.log1p(-min_score)
        features = np.zeros((len(self.logits), 8), dtype=np.float32)
        return select(self.logits, self.distances, features, least_logit=float(least))


def raw(logits: dict[tuple[int, int, int], float], *, bins: int = 1, images: int = 1) -> Raw:
    """Return an output with these logits by (image, finding, place), and edges 2 strides away."""
    scores = np.full((images, len(Finding), PLACES), -20, dtype=np.float32)
    for where, logit in logits.items():
        scores[where] = logit
    distances = np.full((images, 4, PLACES), 2, dtype=np.float32)
    if bins > 1:
        distances = np.full((images, 4 * bins, PLACES), -40, dtype=np.float32)
        distances[:, 2::bins] = 0
    return Raw(scores, distances)


def marks(output: Raw, min_score: float = 0.05) -> Marks:
    return find_marks(output.candidates(min_score), FRAME, strides=STRIDES)


class TestFindMarks:
    @pytest.mark.parametrize("bins", [1, 16])
    def test_decodes_a_place_of_every_level(self, bins: int) -> None:
        found = marks(raw({(0, 0, 9): 3, (0, 1, 64 + 5): 2, (0, 2, 80 + 3): 1}, bins=bins))

        assert found.findings.tolist() == [0, 1, 2]
        assert found.boxes.tolist() == [
            pytest.approx([-4, -4, 28, 28]),  # centre (12, 12), 2 strides of 8 px
            pytest.approx([-8, -8, 56, 56]),
            pytest.approx([-16, -16, 112, 112]),
        ]

    def test_keeps_the_better_of_two_and_another_finding_at_the_same_place(self) -> None:
        found = marks(raw({(0, 0, 9): 1, (0, 0, 10): 2, (0, 5, 9): 0}))

        assert found.findings.tolist() == [0, 5]
        assert found.logits.tolist() == [2, 0]

    def test_keeps_images_of_a_batch_apart(self) -> None:
        found = marks(raw({(1, 0, 9): 1, (0, 0, 9): 0.5, (2, 3, 9): 2}, images=3))

        assert found.images.tolist() == [0, 1, 2]
        assert found.logits.tolist() == [0.5, 1, 2]

    def test_returns_nothing_below_the_lowest_score(self) -> None:
        found = marks(raw({(0, 0, 9): -3}))  # 0.047

        assert found.boxes.shape == (0, 4)
        assert len(found.images) == len(found.logits) == len(found.spreads) == 0

    def test_takes_a_field_of_ten_thousand_places(self) -> None:
        rng = np.random.default_rng(0)
        logits = rng.normal(size=(2, 14, 21_504)).astype(np.float32)
        field = Raw(logits, rng.random((2, 4, 21_504), dtype=np.float32))

        found = find_marks(field.candidates(0.001), (1024, 1024), strides=STRIDES)

        group = found.images * 14 + found.findings
        assert np.bincount(group, minlength=28).tolist() == [BOXES_PER_FINDING] * 28

    def test_answers_no_image_with_nothing(self) -> None:
        assert not len(marks(raw({}, images=4)).images)


class TestSpread:
    def test_is_the_deviation_of_the_bins_in_pixels(self) -> None:
        output = raw({(0, 0, 9): 1}, bins=16)
        output.distances[0, 4::16, 9] = 0.0  # now 2 or 4 strides, equally likely: 1 either way

        assert marks(output).spreads.tolist() == pytest.approx([8.0])

    def test_is_how_far_the_duplicates_of_a_head_without_bins_lie_apart(self) -> None:
        output = raw({(0, 0, 9): 1, (0, 0, 10): 1})  # 8 px apart in x only

        assert marks(output).spreads.tolist() == pytest.approx([2.0])  # (4 + 0 + 4 + 0) / 4

    def test_is_unknown_without_a_duplicate(self) -> None:
        assert np.isnan(marks(raw({(0, 0, 9): 1, (0, 1, 10): 1})).spreads).all()


class TestSelect:
    def test_keeps_the_surest_of_every_finding_of_every_image(self) -> None:
        rng = np.random.default_rng(1)
        logits = rng.normal(size=(2, 3, 4000)).astype(np.float32)

        distances, features = np.zeros((2, 4, 4000), np.float32), np.zeros((2, 8), np.float32)
        kept = select(logits, distances, features, least_logit=-10)

        for image in range(2):
            for finding in range(3):
                own = (kept.images == image) & (kept.findings == finding)
                surest = np.argsort(-logits[image, finding])[:CANDIDATES_PER_FINDING]
                assert set(kept.places[own]) == set(surest.tolist())
        np.testing.assert_array_equal(kept.logits, logits[kept.images, kept.findings, kept.places])

    @pytest.mark.parametrize("odd", [np.nan, np.inf])
    def test_notices_a_score_that_is_no_number(self, odd: float) -> None:
        output = raw({(0, 0, 9): odd})

        assert not output.candidates(0.05).is_finite


Peer: TypeAlias = Callable[..., list[int]]


@st.composite
def crowds(draw: st.DrawFn) -> tuple[NDArray[Any], ...]:
    """Draw boxes on a coarse grid, so that many are equal, touch, or overlap by exactly half."""
    count = draw(st.integers(0, 40))
    whole = st.integers(0, 8)
    corners = draw(arrays(np.int64, (count, 2), elements=whole))
    sizes = draw(arrays(np.int64, (count, 2), elements=whole))
    logits = draw(arrays(np.int64, count, elements=st.integers(-3, 3)))
    groups = draw(arrays(np.int64, count, elements=st.integers(0, 3)))
    boxes = np.concatenate([corners, corners + sizes], axis=1).astype(np.float64)
    return boxes, logits.astype(np.float64), groups


@pytest.fixture(scope="module")
def peer() -> Peer:
    """Return torchvision's own suppression."""
    torch, torchvision = pytest.importorskip("torch"), pytest.importorskip("torchvision")

    def kept(*crowd: NDArray[Any]) -> list[int]:
        return torchvision.ops.batched_nms(*map(torch.from_numpy, crowd), DUPLICATE_IOU).tolist()  # type: ignore[no-any-return]

    return kept


class TestSuppress:
    @given(crowds())
    def test_keeps_what_torchvision_keeps(
        self, peer: Peer, crowd: tuple[NDArray[Any], ...]
    ) -> None:
        assert sorted(suppress(*crowd).tolist()) == sorted(peer(*crowd))

    def test_keeps_what_torchvision_keeps_of_thousands(self, peer: Peer) -> None:
        rng = np.random.default_rng(2)
        centres, sizes = rng.uniform(0, 300, (5000, 2)), rng.uniform(100, 300, (5000, 2))
        boxes = np.concatenate([centres - sizes / 2, centres + sizes / 2], axis=1)
        logits, groups = rng.normal(size=5000), rng.integers(0, 14, 5000)

        theirs = peer(boxes, logits, groups)

        assert np.bincount(groups[theirs]).max() < BOXES_PER_FINDING  # else it keeps more
        assert sorted(suppress(boxes, logits, groups).tolist()) == sorted(theirs)
