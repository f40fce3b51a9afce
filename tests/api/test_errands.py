"""Errands wait in order, each once."""

from threading import Thread

from backend.api.errands import Errand, ErrandQueue, errands_of
from backend.label_studio.events import Hint


class TestErrandsOf:
    def test_is_one_per_named_task(self) -> None:
        hint = Hint("ANNOTATION_UPDATED", 3, task_ids=(7, 8), annotation_ids=(1, 2))
        assert list(errands_of(hint)) == [Errand(3, (7,)), Errand(3, (8,))]

    def test_is_one_for_all_annotations_when_no_task_is_named(self) -> None:
        hint = Hint("ANNOTATIONS_DELETED", 3, task_ids=(), annotation_ids=(1, 2))
        assert list(errands_of(hint)) == [Errand(3, annotation_ids=(1, 2))]

    def test_is_none_when_nothing_is_named(self) -> None:
        assert list(errands_of(Hint("PROJECT_UPDATED", 3, (), ()))) == []


class TestErrandQueue:
    def test_gives_first_what_came_first_and_everything_once(self) -> None:
        queue = ErrandQueue()
        for task_id in (1, 2, 1, 3, 2):
            assert queue.offer(Errand(3, (task_id,)))
        assert [queue.take() for _ in range(3)] == [Errand(3, (n,)) for n in (1, 2, 3)]

    def test_takes_an_errand_again_once_it_was_taken(self) -> None:
        queue = ErrandQueue()
        queue.offer(Errand(3, (1,)))
        queue.take()
        queue.offer(Errand(3, (1,)))
        assert queue.take() == Errand(3, (1,))

    def test_says_when_it_is_full(self) -> None:
        queue = ErrandQueue(capacity=1)
        assert queue.offer(Errand(3, (1,)))
        assert not queue.offer(Errand(3, (2,)))
        assert queue.offer(Errand(3, (1,))), "it waits already, so nothing is lost"

    def test_lets_the_worker_go_when_it_is_closed(self) -> None:
        queue = ErrandQueue()
        worker = Thread(target=queue.take)
        worker.start()
        queue.close()
        worker.join(5)
        assert not worker.is_alive()
