"""What the pre-annotation changes, from arms drawn by lot."""

import numpy as np
import pytest

from backend.domain.metrics.arm_effect import Outcomes, arm_effect


def outcomes(
    seed: int,
    *,
    effect: float,
    readers: int = 8,
    lesions: int = 200,
    unassisted_share: float = 0.3,
) -> Outcomes:
    """Let four of the readers look at each lesion; readers and lesions differ a lot."""
    rng = np.random.default_rng(seed)
    reader = np.stack([rng.permutation(readers)[:4] for _ in range(lesions)]).ravel()
    lesion = np.repeat(np.arange(lesions), 4)
    is_assisted = rng.random(len(reader)) >= unassisted_share
    usual = (
        0.45 + np.linspace(-0.2, 0.2, readers)[reader] + rng.uniform(-0.2, 0.2, lesions)[lesion]
    )
    return Outcomes(
        (rng.random(len(reader)) < usual + effect * is_assisted).astype(np.float64),
        is_assisted,
        lesion,
        reader,
        lesion,
        np.zeros(len(reader), dtype=np.int64),
    )


class TestArmEffect:
    @pytest.mark.parametrize("effect", [0.0, 0.15])
    def test_recovers_the_effect_and_its_interval_covers_it(self, effect: float) -> None:
        found = [arm_effect(outcomes(seed, effect=effect)).difference for seed in range(60)]

        estimates = [one.estimate or 0.0 for one in found]
        covered = [
            one.low is not None and one.high is not None and one.low <= effect <= one.high
            for one in found
        ]
        assert np.mean(estimates) == pytest.approx(effect, abs=0.02)
        assert np.mean(covered) >= 0.9

    def test_is_no_effect_of_who_reads_unassisted(self) -> None:
        one = outcomes(1, effect=0.0, lesions=600)
        rng = np.random.default_rng(2)
        # The best readers are assisted far more often: readers are compared with themselves.
        assisted = rng.random(len(one.readers)) < 0.1 + 0.11 * one.readers
        swapped = Outcomes(one.values, assisted, one.pairs, one.readers, one.images, one.findings)
        naive = swapped.values[assisted].mean() - swapped.values[~assisted].mean()

        found = arm_effect(swapped).difference

        assert naive > 0.1
        assert found.estimate == pytest.approx(0.0, abs=0.07)

    def test_is_wide_with_few_readers(self) -> None:
        few = arm_effect(outcomes(1, effect=0.1, readers=4)).difference
        many = arm_effect(outcomes(1, effect=0.1, readers=12)).difference

        assert few.low is not None
        assert few.high is not None
        assert many.low is not None
        assert many.high is not None
        assert few.high - few.low > many.high - many.low

    def test_tells_the_means_of_both_arms(self) -> None:
        found = arm_effect(outcomes(1, effect=0.15, lesions=2000))

        assert found.assisted == pytest.approx(0.6, abs=0.04)
        assert found.unassisted == pytest.approx(0.45, abs=0.04)

    @pytest.mark.parametrize("unassisted_share", [0.0, 0.005, 1.0])
    def test_needs_enough_in_either_arm(self, unassisted_share: float) -> None:
        found = arm_effect(outcomes(1, effect=0.1, unassisted_share=unassisted_share))

        assert found.difference.estimate is None
        assert found.assisted is None
        assert found.rows_assisted + found.rows_unassisted == 800

    def test_of_nothing_is_nothing(self) -> None:
        none = np.zeros(0, dtype=np.int64)
        empty = Outcomes(none.astype(float), none.astype(bool), none, none, none, none)

        assert arm_effect(empty).difference.estimate is None

    def test_says_nothing_where_nothing_can_be_compared(self) -> None:
        one = outcomes(1, effect=0.1)
        apart = Outcomes(
            one.values, one.images % 2 == 0, one.pairs, one.readers, one.images, one.findings
        )

        assert arm_effect(apart).difference.estimate is None
