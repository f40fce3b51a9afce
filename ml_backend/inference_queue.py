"""Keeps the device busy: images are decoded ahead, and looked at in batches across requests."""

import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from enum import Enum
from threading import Condition, Lock, Thread
from typing import Protocol, Self

from backend.formats.image_cache import SmallCopy
from ml_backend.detector import Detections, Detector
from ml_backend.letterbox import Letterbox
from ml_backend.runtimes.usable_cores import cores

_FEWEST_FRAMES_AHEAD = 16
_BATCHES_AHEAD = 4
_FETCHERS = 32

_FEWEST_READERS, _CORES_PER_READER = 4, 4
"""Reading a copy takes so little that many threads mostly wait for Python's own lock: on 16 cores
and a GPU, 16 threads got 2,250 images a second through and 4 got 2,556."""


class Source(Enum):
    """Where an image has to be had from, which decides how many are loaded at a time."""

    COPY = "a small copy on this machine, which is there at once"
    FILE = "a file on this machine, which has to be decoded"
    SERVER = "another machine, which may be slow and then keeps nobody else waiting"


class Observer(Protocol):
    """Is told what the queue does."""

    def batch_done(self, *, images: int, seconds: float) -> None:
        """Hear that a batch was looked at.

        Parameters
        ----------
        images : int
            How many.
        seconds : float, [s]
            How long it took.
        """
        ...


class _Nobody:
    def batch_done(self, *, images: int, seconds: float) -> None:
        pass


@dataclass(slots=True, eq=False)
class _Wish:
    detector: Detector
    frame: Letterbox
    answer: "Future[Detections]" = field(default_factory=Future)


class QueueClosedError(RuntimeError):
    """The queue was closed before the image was looked at."""


class InferenceQueue:
    """Looks at images for everybody who asks; a context, which ends its threads.

    Every wish names its detector, so a batch never mixes two model versions.

    Parameters
    ----------
    observer : Observer or None
        Who is told.
    decoders : int or None
        How many threads decode files; one per core when None.
    """

    def __init__(self, observer: Observer | None = None, *, decoders: int | None = None) -> None:
        self._observer = observer or _Nobody()
        readers = min(cores(), max(_FEWEST_READERS, cores() // _CORES_PER_READER))
        self._loaders = {
            Source.COPY: ThreadPoolExecutor(readers, "reader"),
            Source.FILE: ThreadPoolExecutor(decoders or cores(), "decoder"),
            Source.SERVER: ThreadPoolExecutor(_FETCHERS, "fetcher"),
        }
        self._waiting: deque[_Wish] = deque()
        lock = Lock()
        self._has_work, self._has_room = Condition(lock), Condition(lock)
        self._workers: list[Thread] = []
        self._is_closed = False

    def __enter__(self) -> Self:
        return self

    def __len__(self) -> int:
        return len(self._waiting)

    def __exit__(self, *_: object) -> None:
        self.close()

    def look(
        self,
        load: Callable[[], SmallCopy],
        detector: Detector,
        *,
        source: Source = Source.FILE,
    ) -> "Future[Detections]":
        """Ask a detector about an image.

        Parameters
        ----------
        load : callable
            Gives the image; is called in a thread of the queue. What it raises, the answer
            raises.
        detector : Detector
            Whom to ask.
        source : Source
            Where `load` gets it from.

        Returns
        -------
        Future of Detections
            The answer.
        """
        answer: Future[Detections] = Future()
        if source is Source.SERVER or detector.batch_size > 1:
            self._employ(detector.workers)
            pool = self._loaders[source]
            decoding = pool.submit(self._decode, load, detector, answer, self._let_wait)
        else:  # one thread per core does both: nobody has to be woken in between
            pool = self._loaders[Source.FILE]
            decoding = pool.submit(self._decode, load, detector, answer, self._fulfil)
        decoding.add_done_callback(lambda done: _refuse(answer) if done.cancelled() else None)
        return answer

    def close(self) -> None:
        """Finish what waits for the device and end all threads; what is not decoded is refused."""
        for pool in self._loaders.values():
            pool.shutdown(cancel_futures=True)
        with self._has_work:
            self._is_closed = True
            self._has_work.notify_all()
        for worker in self._workers:
            worker.join()

    def _employ(self, workers: int) -> None:
        with self._has_work:
            while len(self._workers) < workers:
                worker = Thread(target=self._work, name="inference", daemon=True)
                self._workers.append(worker)
                worker.start()

    def _decode(
        self,
        load: Callable[[], SmallCopy],
        detector: Detector,
        answer: "Future[Detections]",
        then: Callable[[_Wish], None],
    ) -> None:
        try:
            image = load()
            frame = detector.frame(image.pixels, image.size_px)
        except BaseException as problem:  # noqa: BLE001 - whoever waits for the answer gets it
            answer.set_exception(problem)
            return
        then(_Wish(detector, frame, answer))

    def _let_wait(self, wish: _Wish) -> None:
        with self._has_room:
            self._has_room.wait_for(lambda: len(self._waiting) < _frames_ahead(wish.detector))
            self._waiting.append(wish)
            self._has_work.notify()

    def _work(self) -> None:
        while batch := self._next_batch():
            self._fulfil(*batch)

    def _fulfil(self, *batch: _Wish) -> None:
        started = time.perf_counter()
        _answer(batch)
        self._observer.batch_done(
            images=len(batch),
            seconds=time.perf_counter() - started,
        )

    def _next_batch(self) -> list[_Wish]:
        """Return the oldest wish and those that can be fulfilled with it; none at the end."""
        with self._has_work:
            self._has_work.wait_for(lambda: self._waiting or self._is_closed)
            batch: list[_Wish] = []
            others: deque[_Wish] = deque()
            while self._waiting:
                wish = self._waiting.popleft()
                if not batch or (
                    len(batch) < batch[0].detector.batch_size and _fit(batch[0], wish)
                ):
                    batch.append(wish)
                else:
                    others.append(wish)
            self._waiting = others
            self._has_room.notify(len(batch))
            return batch


def _answer(batch: Sequence[_Wish]) -> None:
    """Look at a batch; when that fails, at its frames one by one, so that one fails alone."""
    try:
        found = batch[0].detector.detect_in([wish.frame for wish in batch])
        answers = list(zip(batch, found, strict=True))
    except BaseException as problem:  # noqa: BLE001 - whoever waits for the answer gets it
        if len(batch) == 1:
            batch[0].answer.set_exception(problem)
            return
        for wish in batch:
            _answer([wish])
        return
    for wish, detections in answers:
        wish.answer.set_result(detections)


def _frames_ahead(detector: Detector) -> int:
    """Return how many frames may wait for the device; whoever decodes more has to wait."""
    return max(_FEWEST_FRAMES_AHEAD, _BATCHES_AHEAD * detector.workers * detector.batch_size)


def _refuse(answer: "Future[Detections]") -> None:
    answer.set_exception(QueueClosedError("the detector is shutting down; ask again"))


def _fit(one: _Wish, other: _Wish) -> bool:
    return one.detector is other.detector and one.frame.pixels.shape == other.frame.pixels.shape
