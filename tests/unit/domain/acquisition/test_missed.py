"""Images that the model finds empty, and that may hide something."""

from dataclasses import replace

import numpy as np
import pytest

from backend.domain.acquisition.abnormality import fit_abnormality
from backend.domain.acquisition.evidence import Evidence, InvalidEvidenceError
from backend.domain.acquisition.missed import Doubt, missed_findings
from tests.unit.domain.acquisition.pools import pool_of


def sample(number: int, *, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:  # type: ignore[type-arg]
    """Features of images, the abnormal ones shifted."""
    rng = np.random.default_rng(seed)
    is_positive = rng.uniform(size=number) < 0.4
    return rng.normal(size=(number, 6)) + 2.0 * is_positive[:, None], is_positive


def rng() -> np.random.Generator:
    return np.random.default_rng(0)


class TestFitAbnormality:
    def test_tells_abnormal_images_from_others(self) -> None:
        head = fit_abnormality(*sample(300), rng=rng())
        features, is_positive = sample(300, seed=1)

        assert head is not None
        told = head.probabilities(features)
        assert ((told > 0.5) == is_positive).mean() > 0.95
        assert told[is_positive].mean() > 0.9
        assert head.probabilities(features[:3]).tolist() == told[:3].tolist()

    def test_is_sceptical_with_few_images(self) -> None:
        noise = np.random.default_rng(0).normal(size=(60, 200))
        head = fit_abnormality(noise, np.arange(60) < 25, rng=rng())

        assert head is not None
        fresh = head.probabilities(np.random.default_rng(1).normal(size=(500, 200)))
        assert 0.1 < fresh.mean() < 0.8

    def test_needs_images_of_both_kinds(self) -> None:
        features, _ = sample(100)

        assert fit_abnormality(features, np.arange(100) < 19, rng=rng()) is None
        assert fit_abnormality(features, np.arange(100) >= 19, rng=rng()) is None

    def test_bears_a_feature_that_never_varies(self) -> None:
        features, is_positive = sample(100)
        features[:, 0] = 7.0

        head = fit_abnormality(features, is_positive, rng=rng())

        assert head is not None
        assert np.isfinite(head.coefficients).all()


class TestMissedFindings:
    def test_doubts_empty_images_that_look_abnormal(self) -> None:
        features, is_positive = sample(200)
        evidence = Evidence(features=features, is_positive=is_positive)
        pool = replace(
            pool_of(None, 0.95, None), features=np.array([[2.0] * 6, [2.0] * 6, [-1.0] * 6])
        )

        missed = missed_findings(pool, evidence, rng=rng())

        hidden, marked, normal = missed.scores.tolist()
        assert hidden > 0.9
        assert marked < 0.06
        assert normal < 0.2

    def test_asks_the_read_images_that_look_most_alike(self) -> None:
        # a ring around the normal ones, which no plane divides from them
        angle = np.linspace(0, 2 * np.pi, 100, endpoint=False)
        ring = np.stack([np.cos(angle), np.sin(angle), np.full(100, 0.2)], axis=1)
        centre = np.tile([0.0, 0.0, 1.0], (100, 1)) + 0.01 * ring
        evidence = Evidence(
            features=np.concatenate([ring, centre]), is_positive=np.arange(200) % 50 < 5
        )
        pool = replace(pool_of(None, None), features=np.array([ring[2], centre[30]]))

        missed = missed_findings(pool, evidence, rng=rng())

        assert missed.doubts[0] == Doubt.NEIGHBOURS
        assert missed.scores[0] == pytest.approx(0.25, abs=0.06)

    def test_believes_a_classifier_that_it_is_given(self) -> None:
        pool = replace(pool_of(None, 0.5), abnormality=np.array([0.8, 0.8]))

        missed = missed_findings(pool, Evidence(), rng=rng())

        assert missed.scores.tolist() == [0.8, 0.4]
        assert missed.doubts.tolist() == [Doubt.CLASSIFIER] * 2

    def test_knows_nothing_without_evidence(self) -> None:
        assert missed_findings(pool_of(None, 0.5), Evidence(), rng=rng()).scores.tolist() == [0, 0]

    def test_passes_over_images_of_which_it_is_not_known_what_they_look_like(self) -> None:
        features, is_positive = sample(200)
        pool = replace(pool_of(None), features=np.zeros((1, 6)))

        missed = missed_findings(
            pool, Evidence(features=features, is_positive=~is_positive), rng=rng()
        )

        assert missed.scores.tolist() == [0.0]


class TestEvidence:
    def test_needs_an_answer_for_every_row(self) -> None:
        with pytest.raises(InvalidEvidenceError, match="got 0 for 3"):
            Evidence(features=np.zeros((3, 2)))
