"""What every way of choosing what to read next promises, and what each does."""

from collections import Counter
from dataclasses import replace
from math import ceil, floor

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.domain.acquisition.batch import Channel, Choice, InvalidBatchError, Shares
from backend.domain.acquisition.cost import CostModel
from backend.domain.acquisition.evidence import Evidence
from backend.domain.acquisition.pool import InvalidPoolError, ScoredPool
from backend.domain.acquisition.strategies import (
    STRATEGIES,
    UnknownStrategyError,
    strategy,
)
from backend.domain.findings import Finding
from tests.unit.domain.acquisition.pools import pool_of, rich_evidence, rich_pool, shuffled

NOTHING = Evidence()
PURE = Shares(missed=0.0, reread=0.0, audit=0.0)
RANKED = sorted(set(STRATEGIES) - {"random", "foreground-aware-random"})


def choose(
    name: str,
    pool: ScoredPool,
    *,
    size: int = 10,
    seed: int = 0,
    shares: Shares = PURE,
    evidence: Evidence = NOTHING,
) -> tuple[Choice, ...]:
    rng = np.random.default_rng(seed)
    return STRATEGIES[name](pool, evidence, CostModel(), size=size, rng=rng, shares=shares)


def ids(choices: tuple[Choice, ...]) -> list[str]:
    return [one.image_id for one in choices]


@pytest.mark.parametrize("name", STRATEGIES)
class TestEveryStrategy:
    @given(
        seed=st.integers(0, 99),
        images=st.integers(0, 60),
        patients=st.integers(1, 40),
        size=st.integers(0, 70),
    )
    def test_keeps_its_promises_on_any_pool(
        self, name: str, seed: int, images: int, patients: int, size: int
    ) -> None:
        pool = rich_pool(seed, images=images, patients=patients)
        evidence = rich_evidence(seed)

        def again(one: ScoredPool) -> tuple[Choice, ...]:
            return choose(name, one, size=size, seed=seed, shares=Shares(), evidence=evidence)

        chosen = again(pool)

        assert again(pool) == chosen
        assert again(shuffled(pool, np.random.default_rng(seed).permutation(images))) == chosen
        patient = dict(zip(pool.image_ids.tolist(), pool.patients.tolist(), strict=True))
        seen = [patient[image_id] for image_id in ids(chosen)]
        assert len(seen) == len(set(seen))
        assert [one.rank for one in chosen] == list(range(1, len(chosen) + 1))
        is_open = np.full(images, name in RANKED) | ~pool.is_disputed
        assert len(chosen) == min(size, len(set(pool.patients[is_open].tolist())))
        may_be_sampled = dict(zip(pool.image_ids.tolist(), pool.may_be_sampled, strict=True))
        assert all(may_be_sampled[one.image_id] for one in chosen if one.channel is Channel.RANDOM)
        assert all(np.isfinite(one.score) and one.score >= 0.0 for one in chosen)
        assert all(one.reason.endswith(".") for one in chosen)

    def test_takes_as_many_as_there_are_patients(self, name: str) -> None:
        pool = pool_of(0.1, 0.5, None, 0.9)
        pool = replace(pool, patients=np.array(["p1", "p1", "p2", "p3"]))

        assert len(choose(name, pool, size=10)) == 3

    def test_of_an_empty_pool_is_empty(self, name: str) -> None:
        assert choose(name, pool_of(), shares=Shares()) == ()

    def test_of_size_zero_is_empty(self, name: str) -> None:
        assert choose(name, pool_of(0.5), size=0) == ()

    def test_fills_the_batch_from_a_pool_without_findings(self, name: str) -> None:
        chosen = choose(name, pool_of(*[None] * 20), size=10, shares=Shares())

        assert len(chosen) == 10
        assert {one.top_finding for one in chosen} == {None}
        assert {one.expected_seconds for one in chosen} == {15.0}

    def test_gives_another_batch_only_to_another_seed_or_none(self, name: str) -> None:
        pool = rich_pool(images=60, patients=60)

        batches = {tuple(ids(choose(name, pool, seed=seed, shares=Shares()))) for seed in range(5)}

        assert len(batches) > 1

    def test_refuses_a_negative_size(self, name: str) -> None:
        with pytest.raises(InvalidBatchError, match="expected a batch size"):
            choose(name, pool_of(0.5), size=-1)

    @pytest.mark.parametrize("score", [float("nan"), float("inf"), -0.1])
    def test_is_never_given_a_score_that_cannot_be_ranked(self, name: str, score: float) -> None:
        pool = pool_of(0.5, 0.6)
        shares = pool.shares.copy()
        shares[1, 3] = score

        with pytest.raises(InvalidPoolError, match="expected shares from 0"):
            choose(name, replace(pool, shares=shares))


@pytest.mark.parametrize("name", RANKED)
class TestRankingStrategy:
    def test_serves_by_falling_worth(self, name: str) -> None:
        chosen = choose(name, pool_of(0.05, 0.5, 0.3, 0.1, None), size=4)

        assert ids(chosen) == ["i001", "i002", "i003", "i000"]
        scores = [one.score for one in chosen]
        assert scores == sorted(scores, reverse=True)

    @pytest.mark.parametrize("seed", range(3))
    def test_breaks_ties_by_image_id_whatever_the_seed(self, name: str, seed: int) -> None:
        chosen = choose(name, pool_of(0.5, 0.5, 0.5, 0.5), size=3, seed=seed)

        assert ids(chosen) == ["i000", "i001", "i002"]

    def test_serves_unscored_images_last_in_random_order(self, name: str) -> None:
        pool = replace(
            pool_of(None, 0.2, *[None] * 6), is_scored=np.array([False, True] + [False] * 6)
        )

        first, second = (choose(name, pool, seed=seed) for seed in (1, 2))

        assert first[0].channel in {Channel.QUOTA, Channel.UNCERTAIN}
        assert {one.channel for one in first[1:]} == {Channel.COLD_START}
        assert {one.expected_seconds for one in first[1:]} == {None}
        assert ids(first) != ids(second)
        assert sorted(ids(first)) == sorted(ids(second))

    @pytest.mark.parametrize(
        ("size", "share", "expected"),
        [(100, 0.05, 5), (10, 0.1, 1), (100, 0.0, 0), (20, 1.0, 20)],
    )
    def test_draws_the_wanted_share_at_random(
        self, name: str, size: int, share: float, expected: int
    ) -> None:
        pool = pool_of(*np.linspace(0, 1, 200).tolist())

        chosen = choose(name, pool, size=size, shares=Shares(audit=share))

        assert sum(one.channel is Channel.RANDOM for one in chosen) == expected
        assert len(chosen) == size

    @pytest.mark.parametrize(("size", "share"), [(1, 0.2), (4, 0.3)])
    def test_holds_the_random_share_over_many_small_batches(
        self, name: str, size: int, share: float
    ) -> None:
        pool = pool_of(*np.linspace(0, 1, 30).tolist())
        batches = 400

        drawn = [
            sum(
                one.channel is Channel.RANDOM
                for one in choose(name, pool, size=size, seed=seed, shares=Shares(audit=share))
            )
            for seed in range(batches)
        ]

        part = size * share % 1
        four_sd = 4 * (batches * part * (1 - part)) ** 0.5
        assert sum(drawn) == pytest.approx(batches * size * share, abs=four_sd)
        assert set(drawn) == {floor(size * share), ceil(size * share)}


class TestOverread:
    def test_draws_random_images_and_their_ranks_uniformly(self) -> None:
        images: Counter[str] = Counter()
        ranks: Counter[int] = Counter()
        pool = pool_of(*np.linspace(0, 1, 15).tolist(), *[None] * 5)
        pool = replace(pool, is_scored=np.arange(20) < 18)
        for seed in range(1000):
            (audit,) = (
                one
                for one in choose("overread", pool, seed=seed, shares=Shares(audit=0.1))
                if one.channel is Channel.RANDOM
            )
            images[audit.image_id] += 1
            ranks[audit.rank] += 1

        # 50 draws each are expected, 100 a rank; five standard deviations either way
        assert len(images) == 20
        assert min(images.values()) > 15
        assert max(images.values()) < 85
        assert min(ranks.values()) > 52
        assert max(ranks.values()) < 148

    def test_divides_a_batch_as_it_should(self) -> None:
        pool = rich_pool(images=2000, patients=2000)
        evidence = rich_evidence()

        shares = Shares(quota=0.45, uncertain=0.35, missed=0.05, reread=0.1, audit=0.05)
        chosen = choose("overread", pool, size=200, shares=shares, evidence=evidence)

        channels = Counter(one.channel for one in chosen)
        assert channels[Channel.RANDOM] == 10
        assert 89 <= channels[Channel.QUOTA] <= 91
        assert 69 <= channels[Channel.UNCERTAIN] <= 71
        assert 9 <= channels[Channel.MISSED] <= 11
        assert 19 <= channels[Channel.REREAD] <= 21

    def test_gives_rare_findings_more_of_the_quota(self) -> None:
        evidence = Evidence(np.array([600] * 13 + [5]))
        pool = rich_pool(images=2000, patients=2000)

        chosen = choose("overread", pool, size=200, evidence=evidence, shares=Shares())

        quotas = Counter(one.top_finding for one in chosen if one.channel is Channel.QUOTA)
        assert set(quotas) == set(Finding)
        rarest = quotas.pop(Finding.PULMONARY_FIBROSIS)
        assert rarest > 2 * max(quotas.values())

    def test_brings_back_what_is_disputed_and_nothing_else_that_was_read(self) -> None:
        disputes = np.zeros((30, 14))
        disputes[5, Finding.ILD] = 0.4
        disputes[6, Finding.CARDIOMEGALY] = 0.9
        pool = replace(pool_of(*np.linspace(0.5, 1, 30).tolist()), disputes=disputes)

        chosen = choose("overread", pool, size=20, shares=Shares(reread=0.2))

        again = [one for one in chosen if one.channel is Channel.REREAD]
        assert ids(tuple(again)) == ["i006", "i005"]
        assert [one.top_finding for one in again] == [Finding.CARDIOMEGALY, Finding.ILD]
        assert again[0].reason == (
            "Its readers dispute Cardiomegaly; a further reading helps to settle it."
        )

    def test_brings_nothing_back_without_that_part_while_there_is_something_unread(self) -> None:
        pool = rich_pool(images=200, patients=200)

        whole, without = (
            {one.channel for one in choose(name, pool, size=50, shares=Shares(reread=0.5))}
            for name in ("overread", "overread-without-rereads")
        )

        assert whole - without == {Channel.REREAD}

    def test_looks_where_the_former_champion_saw_something(self) -> None:
        unmatched = np.zeros(40)
        unmatched[7] = 0.8
        pool = replace(pool_of(*[0.5] * 5, *[None] * 35), unmatched=unmatched)

        chosen = choose("overread", pool, size=20, shares=Shares(missed=0.3))

        [hidden] = [one for one in chosen if one.channel is Channel.MISSED]
        assert (hidden.image_id, hidden.score, hidden.top_finding) == ("i007", 0.8, None)
        assert hidden.reason == (
            "The model before this one marks something here that this one does not."
        )

    def test_does_not_call_an_image_empty_on_which_the_former_champion_saw_more(self) -> None:
        unmatched = np.zeros(40)
        unmatched[0] = 0.6
        pool = replace(pool_of(0.95, *[None] * 39), unmatched=unmatched)

        chosen = choose("overread", pool, size=20, shares=Shares(quota=0.0, missed=1.0))

        [hidden] = [one for one in chosen if one.channel is Channel.MISSED]
        assert (hidden.image_id, hidden.score) == ("i000", 0.6)
        assert "nothing" not in hidden.reason

    def test_looks_different_images_up_among_the_uncertain(self) -> None:
        features = np.repeat(np.eye(4, dtype=np.float32), [12, 1, 1, 26], axis=0)
        pool = replace(
            pool_of(*np.linspace(0.5, 0.6, 14).tolist(), *[None] * 26), features=features
        )
        shares = replace(PURE, quota=0.0)

        diverse = choose("overread", pool, size=7, shares=shares)
        plain = choose("overread-without-diversity", pool, size=7, shares=shares)

        assert {"i000", "i012", "i013"} <= set(ids(diverse))
        assert ids(plain) == [f"i{one:03}" for one in range(7)]

    def test_prefers_of_equals_what_is_read_faster(self) -> None:
        pool = replace(pool_of(0.5, 0.5), boxes=np.array([5.0, 0.5]))

        assert ids(choose("overread", pool)) == ["i001", "i000"]
        assert ids(choose("overread-without-cost", pool)) == ["i000", "i001"]

    def test_says_why_in_a_sentence(self) -> None:
        first, second = choose("entropy-sum", pool_of(None, 0.523, finding=Finding.LUNG_OPACITY))

        assert (
            first.reason == "Among the images that the model is least sure of: Lung Opacity 0.52."
        )
        assert first.expected_seconds == pytest.approx(15 + 12 * 0.523)
        assert second.reason == "Next by uncertainty; the model marks nothing here."


class TestRandom:
    def test_takes_every_unread_image_equally_often(self) -> None:
        pool = pool_of(*np.linspace(0, 1, 10).tolist())

        images = Counter(
            one for seed in range(1000) for one in ids(choose("random", pool, size=2, seed=seed))
        )

        # 200 draws each are expected; five standard deviations either way
        assert min(images.values()) > 135
        assert max(images.values()) < 265


class TestForegroundAwareRandom:
    def test_draws_from_the_highest_scores_first(self) -> None:
        pool = pool_of(*np.linspace(0, 1, 10).tolist())

        for seed in range(20):
            chosen = choose("foreground-aware-random", pool, size=6, seed=seed)
            assert set(ids(chosen)[:4]) == {"i006", "i007", "i008", "i009"}
            assert {one.channel for one in chosen} == {Channel.FOREGROUND}


class TestStrategy:
    def test_is_found_by_name(self) -> None:
        assert strategy("random") is STRATEGIES["random"]

    def test_of_no_such_name_is_refused_with_the_names_there_are(self) -> None:
        with pytest.raises(UnknownStrategyError, match="'best'; expected one of random, foregr"):
            strategy("best")
