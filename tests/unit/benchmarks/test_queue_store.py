"""The store that the queue's commands are measured on."""

from datetime import timedelta
from pathlib import Path

from backend.store.unit_of_work import Store
from backend.workflow.plan_worklists import QueueRules, plan_worklists
from benchmarks import queue_scale, queue_store


class TestFill:
    def test_gives_the_queue_all_that_it_decides_by(self, tmp_path: Path) -> None:
        with queue_store.empty_store(tmp_path, postgresql=False) as settings:
            store = Store(settings.sqlalchemy_url)
            queue_store.fill(store, 200)
            now = queue_store.FILLED_AT + timedelta(days=1)
            with store.snapshot() as unit:
                plan = plan_worklists(
                    unit, QueueRules(3, 5, 0.05, 0.1, 1, adaptive_panels=True), now=now, size=10
                )
            store.close()

        pool = plan.question.pool
        assert pool.has_score.all()
        assert 0.2 < (pool.best.max(axis=1) > 0).mean() < 0.6
        assert pool.features is not None
        assert pool.features.shape == (len(pool), queue_scale.FEATURES)
        assert pool.disputes is not None
        assert pool.is_disputed.sum() > 0
        assert plan.question.evidence.positive_images.sum() > 0
        assert len({one.image_id for one in plan.entries}) == 10
