"""Decoding and suppression of duplicates."""

import pytest

from backend.domain.findings import Finding

torch = pytest.importorskip("torch")

from ml_backend.runtimes.raw_output import RawOutput  # noqa: E402
from ml_backend.suppression import Marks, find_marks  # noqa: E402

STRIDES = (8, 16, 32)
FRAME = (64, 64)
PLACES = 64 + 16 + 4


def raw(logits: dict[tuple[int, int, int], float], *, bins: int = 1, images: int = 1) -> RawOutput:
    """Return an output with these logits by (image, finding, place), and edges 2 strides away."""
    scores = torch.full((images, len(Finding), PLACES), -20.0)
    for where, logit in logits.items():
        scores[where] = logit
    distances = torch.full((images, 4, PLACES), 2.0)
    if bins > 1:
        distances = torch.full((images, 4 * bins, PLACES), -40.0)
        distances[:, 2::bins] = 0.0
    return RawOutput(scores, distances, torch.zeros(images, 8))


def marks(output: RawOutput, min_score: float = 0.05) -> Marks:
    return find_marks(output, FRAME, strides=STRIDES, min_score=min_score)


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
        torch.manual_seed(0)
        field = RawOutput(torch.randn(2, 14, 21_504), torch.rand(2, 4, 21_504), torch.zeros(2, 8))

        found = find_marks(field, (1024, 1024), strides=STRIDES, min_score=0.001)

        group = found.images * 14 + found.findings
        assert group.bincount(minlength=28).max() == 100
        assert group.bincount(minlength=28).min() == 100

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
        assert marks(raw({(0, 0, 9): 1, (0, 1, 10): 1})).spreads.isnan().all()
