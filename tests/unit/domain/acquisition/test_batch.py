"""Which images to read next."""

from collections import Counter
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.domain.acquisition.batch import (
    Candidate,
    Channel,
    Choice,
    InvalidBatchError,
    choose_batch,
)
from backend.domain.findings import Finding


def pool(*uncertainties: float | None) -> list[Candidate]:
    return [
        Candidate(image_id=f"i{number:03}", patient_key=f"p{number:03}", uncertainty=one)
        for number, one in enumerate(uncertainties)
    ]


def choose(
    candidates: Sequence[Candidate], *, size: int = 10, random_share: float = 0.0, seed: int = 0
) -> tuple[Choice, ...]:
    return choose_batch(
        candidates, size=size, random_share=random_share, rng=np.random.default_rng(seed)
    )


candidate_lists = st.lists(
    st.builds(
        Candidate,
        image_id=st.integers(0, 99).map("i{}".format),
        patient_key=st.integers(0, 9).map("p{}".format),
        uncertainty=st.none() | st.sampled_from([0.0, 0.5, 1.0, 3.25]),
    ),
    max_size=30,
    unique_by=lambda candidate: candidate.image_id,
)


class TestChooseBatch:
    def test_serves_the_most_uncertain_first(self) -> None:
        chosen = choose(pool(0.1, 0.9, 0.5, 0.7), size=3)

        assert [one.image_id for one in chosen] == ["i001", "i003", "i002"]
        assert [one.rank for one in chosen] == [1, 2, 3]
        assert [one.score for one in chosen] == [0.9, 0.7, 0.5]

    @pytest.mark.parametrize("seed", range(5))
    def test_breaks_ties_by_image_id_whatever_the_seed(self, seed: int) -> None:
        chosen = choose(pool(0.5, 0.5, 0.5, 0.5), seed=seed)

        assert [one.image_id for one in chosen] == ["i000", "i001", "i002", "i003"]

    @given(candidate_lists, st.integers(0, 40), st.floats(0, 1), st.integers(0, 9), st.data())
    def test_keeps_its_promises_on_any_pool(
        self,
        candidates: list[Candidate],
        size: int,
        random_share: float,
        seed: int,
        data: st.DataObject,
    ) -> None:
        chosen = choose(candidates, size=size, random_share=random_share, seed=seed)

        shuffled = data.draw(st.permutations(candidates))
        assert choose(shuffled, size=size, random_share=random_share, seed=seed) == chosen

        by_id = {one.image_id: one for one in candidates}
        patients = [by_id[one.image_id].patient_key for one in chosen]
        assert len(patients) == len(set(patients))
        assert len(chosen) == min(size, len({one.patient_key for one in candidates}))
        assert [one.rank for one in chosen] == list(range(1, len(chosen) + 1))
        uncertain = [one.score for one in chosen if one.channel is Channel.UNCERTAIN]
        assert uncertain == sorted(uncertain, reverse=True)

    @pytest.mark.parametrize(
        ("size", "share", "expected"),
        [(100, 0.05, 5), (50, 0.05, 3), (10, 0.01, 1), (9, 0.01, 0), (100, 0.0, 0), (20, 1.0, 20)],
    )
    def test_draws_the_wanted_share_at_random(
        self, size: int, share: float, expected: int
    ) -> None:
        chosen = choose(pool(*np.linspace(0, 1, 200).tolist()), size=size, random_share=share)

        assert sum(one.channel is Channel.RANDOM for one in chosen) == expected

    def test_draws_random_images_and_their_ranks_uniformly(self) -> None:
        images: Counter[str] = Counter()
        ranks: Counter[int] = Counter()
        candidates = pool(*np.linspace(0, 1, 15).tolist(), None, None, None, None, None)
        for seed in range(2000):
            (audit,) = (
                one
                for one in choose(candidates, random_share=0.1, seed=seed)
                if one.channel is Channel.RANDOM
            )
            images[audit.image_id] += 1
            ranks[audit.rank] += 1

        # 100 draws each are expected, 200 a rank; five standard deviations either way
        assert set(images) == {one.image_id for one in candidates}
        assert min(images.values()) > 50
        assert max(images.values()) < 150
        assert min(ranks.values()) > 130
        assert max(ranks.values()) < 270

    def test_serves_unscored_images_in_random_order(self) -> None:
        candidates = pool(*[None] * 8)

        first, second = (choose(candidates, seed=seed) for seed in (1, 2))

        assert {one.channel for one in first} == {Channel.COLD_START}
        assert [one.image_id for one in first] != [one.image_id for one in second]
        assert {one.image_id for one in first} == {one.image_id for one in second}

    def test_serves_unscored_images_after_scored_ones(self) -> None:
        chosen = choose(pool(None, 0.2, None, 0.0))

        assert [one.channel for one in chosen] == [
            Channel.UNCERTAIN,
            Channel.UNCERTAIN,
            Channel.COLD_START,
            Channel.COLD_START,
        ]

    def test_says_why_in_a_sentence(self) -> None:
        sure = Candidate("i1", "p1", 0.0)
        opaque = Candidate("i2", "p2", 0.99, Finding.LUNG_OPACITY, 0.523)

        first, second = choose([sure, opaque])

        assert (
            first.reason == "Among the images that the model is least sure of: Lung Opacity 0.52."
        )
        assert second.reason == "Next by uncertainty; the model marks nothing here."

    def test_of_an_empty_pool_is_empty(self) -> None:
        assert choose([], size=10, random_share=0.5) == ()

    @pytest.mark.parametrize("uncertainty", [float("nan"), float("inf"), -0.1])
    def test_refuses_an_uncertainty_that_cannot_be_ranked(self, uncertainty: float) -> None:
        with pytest.raises(InvalidBatchError, match="image i001 has uncertainty"):
            choose(pool(0.5, uncertainty))

    def test_refuses_an_image_that_comes_twice(self) -> None:
        with pytest.raises(InvalidBatchError, match="twice"):
            choose(pool(0.5) * 2)

    @pytest.mark.parametrize(("size", "share"), [(-1, 0.0), (1, 1.5), (1, float("nan"))])
    def test_refuses_a_request_out_of_range(self, size: int, share: float) -> None:
        with pytest.raises(InvalidBatchError, match="expected"):
            choose(pool(0.5), size=size, random_share=share)
