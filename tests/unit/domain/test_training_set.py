"""Which images one training run sees, and how often."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.domain.findings import Finding
from backend.domain.training_set import (
    NothingToLearnError,
    draw_training_list,
    repeat_factors,
)

finding_sets = st.frozensets(st.sampled_from(list(Finding)), max_size=3)


class TestRepeatFactors:
    def test_follows_the_rarest_finding_of_an_image(self) -> None:
        images = [{Finding.ILD}] * 1 + [{Finding.CARDIOMEGALY}] * 98
        images.append({Finding.ILD, Finding.CARDIOMEGALY})

        factors = repeat_factors(images, threshold=0.08)

        assert factors.tolist() == pytest.approx([2.0] + [1.0] * 98 + [2.0])

    def test_of_no_images_is_empty(self) -> None:
        assert repeat_factors([]).shape == (0,)


class TestDrawTrainingList:
    @given(
        st.dictionaries(st.integers(0, 99).map("i{}".format), finding_sets, max_size=40),
        st.integers(0, 9),
    )
    def test_keeps_its_promises_on_any_training_split(
        self, images: dict[str, frozenset[Finding]], seed: int
    ) -> None:
        positives = {image for image, findings in images.items() if findings}
        if not positives:
            with pytest.raises(NothingToLearnError, match="shows a finding"):
                draw_training_list(images, rng=np.random.default_rng(seed))
            return

        drawn = draw_training_list(images, rng=np.random.default_rng(seed))

        reordered = dict(reversed(images.items()))
        assert draw_training_list(reordered, rng=np.random.default_rng(seed)) == drawn
        assert positives <= set(drawn.image_ids) <= set(images)
        assert drawn.positives == len(positives)
        assert drawn.negatives_kept == len(set(drawn.image_ids) - positives)
        assert drawn.negatives_kept <= 1.5 * len(positives)
        assert drawn.positives + drawn.negatives_kept + drawn.negatives_left_out == len(images)
        assert drawn.repeats == len(drawn.image_ids) - len(set(drawn.image_ids))

    def test_repeats_rare_findings_by_their_factor_on_average(self) -> None:
        images = {"rare": {Finding.PNEUMOTHORAX}} | {f"n{one}": set() for one in range(79)}
        images |= {f"c{one}": {Finding.CARDIOMEGALY} for one in range(20)}

        factors = dict(zip(images, repeat_factors(list(images.values())).tolist(), strict=True))

        showings = [
            draw_training_list(
                images, rng=np.random.default_rng(seed), factors=factors
            ).image_ids.count("rare")
            for seed in range(400)
        ]

        assert set(showings) == {2, 3}
        assert np.mean(showings) == pytest.approx(5**0.5, abs=0.1)

    def test_draws_other_negatives_with_another_seed(self) -> None:
        images: dict[str, set[Finding]] = {"p": {Finding.ILD}}
        images |= {f"n{number}": set() for number in range(1000)}

        first, second = (
            set(draw_training_list(images, rng=np.random.default_rng(seed)).image_ids) - {"p"}
            for seed in (1, 2)
        )

        assert first != second
        assert len(first) == len(second) == 1

    def test_always_keeps_what_the_champion_saw_something_on(self) -> None:
        images: dict[str, set[Finding]] = {"p": {Finding.ILD}, "q": {Finding.ILD}}
        images |= {f"n{number}": set() for number in range(100)}
        hard = {"p", "n3", "n7", "n50", "n99", "n12", "elsewhere"}

        drawn = draw_training_list(images, rng=np.random.default_rng(1), hard=hard)

        assert set(drawn.image_ids) == {"p", "q", "n3", "n7", "n50", "n99", "n12"}
        assert (drawn.hard_negatives, drawn.negatives_kept, drawn.negatives_left_out) == (5, 5, 95)

    def test_keeps_all_negatives_when_undersampling_is_off(self) -> None:
        images: dict[str, set[Finding]] = {"p": {Finding.ILD}}
        images |= {f"n{number}": set() for number in range(100)}

        drawn = draw_training_list(
            images, rng=np.random.default_rng(1), negatives_per_positive=float("inf")
        )

        assert len(drawn.image_ids) == 101

    def test_repeats_nothing_when_repeating_is_off(self) -> None:
        assert repeat_factors([{Finding.ILD}] + [set()] * 999, threshold=0.0).max() == 1.0
