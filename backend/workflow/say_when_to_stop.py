"""Say what further reading would bring, and what is hidden from it."""

from statistics import fmean

from backend.domain import reading_time
from backend.domain.acquisition.learning_curve import (
    FEWEST_POINTS,
    CurvePoint,
    Forecast,
    NoForecastError,
    forecast,
)
from backend.domain.acquisition.stop_signal import EMPTY_BELOW, HiddenFindings, StopSignal
from backend.store.unit_of_work import UnitOfWork

_COUNTS_AS_POSITIVE = 0.5
"""A cluster counts as a finding of its image from this `p_true` on."""


def say_when_to_stop(store: UnitOfWork, *, readers_per_image: int, more_images: int) -> StopSignal:
    """Return what speaks for reading more, and what against.

    Parameters
    ----------
    store : UnitOfWork
        An open transaction.
    readers_per_image : int
        Readings that an image takes, while none has been read.
    more_images : int
        How many more images the forecast is for.

    Returns
    -------
    StopSignal
        For the queue and the report.
    """
    lessons = store.learning.lessons()
    hidden = _hidden(store)
    readers = store.images.readers_by_image()
    seconds = [
        reading_time.seconds_per_image(store.readings.lead_times(project.reader_id))
        for project in store.readers.projects()
    ]

    same = [one for one in lessons if one.test_images == lessons[-1].test_images]
    has_same_test = len({one.images for one in same}) >= FEWEST_POINTS or same == lessons
    points = [
        CurvePoint(one.model_version, one.images, one.map40)
        for one in sorted(same if has_same_test else lessons, key=lambda one: one.images)
    ]
    expected, because = _forecast(points, more_images)
    again, _ = _forecast(points, points[-1].read_images if points else 0)
    return StopSignal(
        hidden=hidden,
        points=tuple(points),
        forecast=expected,
        as_many_again=again,
        no_forecast_because=because,
        has_same_test=has_same_test,
        readings_per_image=fmean(map(len, readers.values())) if readers else readers_per_image,
        seconds_per_reading=fmean(seconds) if seconds else reading_time.FIRST_GUESS_SECONDS,
    )


def _hidden(store: UnitOfWork) -> HiddenFindings:
    empty = [image for image, score in store.learning.audited().items() if score < EMPTY_BELOW]
    answers = store.consensus.current(empty)
    champion = store.models.champion()
    return HiddenFindings(
        audited=len(answers),
        with_findings=sum(
            any(cluster.p_true >= _COUNTS_AS_POSITIVE for cluster in answer.clusters)
            for _, answer in answers.values()
        ),
        unread=store.learning.unread_empty(champion.name, below=EMPTY_BELOW) if champion else 0,
    )


def _forecast(points: list[CurvePoint], more_images: int) -> tuple[Forecast | None, str | None]:
    try:
        return forecast(points, more_images=more_images), None
    except NoForecastError as error:
        return None, str(error)
