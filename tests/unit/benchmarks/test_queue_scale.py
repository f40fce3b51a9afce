"""The pool that the scale of the queue is measured on."""

import numpy as np

from backend.domain.findings import Finding
from benchmarks import queue_scale


class TestMadeUp:
    pool, evidence = queue_scale.made_up(3000, np.random.default_rng(1))

    def test_is_mostly_empty_and_looks_different_everywhere(self) -> None:
        is_empty = self.pool.best.max(axis=1) == 0
        assert 0.5 < is_empty.mean() < 0.7
        assert self.pool.features is not None
        assert self.pool.features.shape == (3000, queue_scale.FEATURES)
        assert len(np.unique(self.pool.features[:, 0])) > 2900

    def test_comes_with_what_was_read(self) -> None:
        assert self.evidence.positive_images.shape == (len(Finding),)
        assert self.evidence.is_positive is not None
        assert len(self.evidence.is_positive) == queue_scale.READ


class TestMeasured:
    def test_chooses_a_whole_batch(self) -> None:
        found = queue_scale.measured(4000)
        assert found["seconds"] > 0
        assert found["peak_mb"] > 10
