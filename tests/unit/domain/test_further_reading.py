"""What one more reading of read images is worth, beside a first one of others."""

from dataclasses import replace

import numpy as np
import pytest

from backend.domain.acquisition.panels import COINCIDENCE, first_gains, vote_gain
from backend.domain.boxes import Box
from backend.domain.consensus.clusters import Cluster, ClusterState
from backend.domain.consensus.reader_skill import prior_skill
from backend.domain.findings import Finding
from backend.domain.further_reading import further_gains, typical_sensitivity

SENSITIVITY = np.full(len(Finding), 0.6)


def gain(p_true: float, sensitivity: float) -> float:
    next_mark = p_true * sensitivity + (1 - p_true) * COINCIDENCE
    return float(vote_gain(np.array([p_true]), np.array([next_mark]))[0])


def cluster(p_true: float, finding: Finding = Finding.ILD) -> Cluster:
    score = 0.6 * p_true + COINCIDENCE * (1 - p_true)
    return Cluster(finding, Box(0, 0, 1, 1), score, p_true, ClusterState.SINGLE_READER, ())


class TestFurtherGains:
    def test_add_up_by_image_and_finding(self) -> None:
        found = further_gains(
            [[], [cluster(0.4), cluster(0.4), cluster(0.9, Finding.PNEUMOTHORAX)]]
        )

        assert found[1, Finding.ILD] == pytest.approx(2 * gain(0.4, 0.6))
        assert found[1, Finding.PNEUMOTHORAX] == pytest.approx(gain(0.9, 0.6))
        assert np.count_nonzero(found) == 2

    def test_are_nothing_where_an_adjudicator_decided(self) -> None:
        decided = replace(cluster(0.4), state=ClusterState.ADJUDICATED)

        assert not further_gains([[decided], []]).any()
        assert further_gains([]).shape == (0, len(Finding))


class TestFirstGains:
    def test_are_in_the_same_unit_as_that_of_a_further_reading(self) -> None:
        probabilities = np.zeros((3, len(Finding)))
        probabilities[0, Finding.ILD] = 0.4
        probabilities[1, [Finding.ILD, Finding.PNEUMOTHORAX]] = 0.4, 0.9

        found = first_gains(probabilities, SENSITIVITY)

        assert found.tolist() == pytest.approx(
            further_gains([[cluster(0.4)], [cluster(0.4), cluster(0.9, Finding.PNEUMOTHORAX)], []])
            .sum(axis=1)
            .tolist()
        )


class TestTypicalSensitivity:
    def test_is_less_extreme_than_that_for_lesions_of_usual_difficulty(self) -> None:
        logits = np.linspace(-3.0, 3.0, len(Finding)).astype(np.float64)

        found = typical_sensitivity(logits)

        assert (np.diff(found) > 0).all()
        assert found[0] > 1 / (1 + np.exp(3.0))
        assert found[-1] < 1 / (1 + np.exp(-3.0))
        assert typical_sensitivity(prior_skill(0).next_logit).shape == (len(Finding),)
