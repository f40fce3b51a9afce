"""The made-up detectors that the gate is tried on."""

import numpy as np
import pytest

from backend.domain.findings import Finding

pytest.importorskip("scipy")

from benchmarks.simulated_models import (
    POSITIVES_WANTED,
    Family,
    Pool,
    judged,
    measured,
)


@pytest.fixture(scope="module")
def pool() -> Pool:
    return Pool.draw(np.random.default_rng(1), 6000)


class TestFrozenSet:
    def test_is_enriched_and_weighed_back(self, pool: Pool) -> None:
        test, weights = pool.frozen_set(np.random.default_rng(2), 1000)

        shows = np.zeros((1000, len(Finding)), dtype=np.bool_)
        shows[test.lesions.images, test.lesions.findings] = True
        all_show = np.zeros((6000, len(Finding)), dtype=np.bool_)
        all_show[pool.lesions.images, pool.lesions.findings] = True
        wanted = np.minimum(POSITIVES_WANTED, all_show.sum(axis=0))
        assert (shows.sum(axis=0) >= wanted).all()
        assert weights.mean() == pytest.approx(1)
        natural = all_show.any(axis=1).mean()
        assert shows.any(axis=1).mean() > natural
        assert np.average(shows.any(axis=1), weights=weights) == pytest.approx(natural, abs=0.01)


class TestFamily:
    def test_of_more_skill_is_better(self, pool: Pool) -> None:
        rng = np.random.default_rng(3)
        test, weights = pool.frozen_set(rng, 400)
        validation = pool.only(np.arange(300))
        families = (Family.draw(rng, validation), Family.draw(rng, test))

        maps = [measured(rng, families, weights, skill).map40 for skill in (-2.5, -1.0, 1.0)]

        assert maps == sorted(maps, key=lambda one: one or 0.0)
        assert (maps[-1] or 0.0) - (maps[0] or 0.0) > 0.2

    def test_has_members_that_agree_more_than_those_of_another(self, pool: Pool) -> None:
        rng = np.random.default_rng(4)
        part = pool.only(np.arange(1500))
        one, other = Family.draw(rng, part), Family.draw(rng, part)

        def found(family: Family) -> np.ndarray:  # type: ignore[type-arg]
            marks = judged(part, family.marks(rng, -1.0))
            scores = np.zeros(len(marks.lesions.boxes))
            taken = marks.taken()
            scores[taken[taken >= 0]] = marks.marks.scores[taken >= 0]
            return scores

        sisters = np.corrcoef(found(one), found(one))[0, 1]
        strangers = np.corrcoef(found(one), found(other))[0, 1]
        assert sisters > strangers + 0.1
