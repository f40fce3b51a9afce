"""`overread queue signal`: what further reading would bring, and what is hidden from it."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from backend.desk import queue_rules
from backend.domain.acquisition.stop_signal import StopSignal
from backend.opened import open_store
from backend.settings import Settings
from backend.store.unit_of_work import Store
from backend.terminal import console, print_json, print_table
from backend.workflow.say_when_to_stop import say_when_to_stop

MORE_IMAGES = 300


def signal(
    *,
    images: Annotated[int, typer.Option(min=1, help="Look so many images ahead.")] = MORE_IMAGES,
    figure: Annotated[
        Path | None, typer.Option(help="Draw the learning curve into this PNG.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Say whether to go on: what the empty images hide, what more reading brings."""
    settings = Settings()
    found = weigh(open_store(settings), settings, images=images)
    if figure is not None and found.forecast is not None:
        from backend.formats.figures import learning_curve  # noqa: PLC0415 - loads matplotlib

        learning_curve(figure, found.points, found.forecast)
    if as_json:
        print_json(as_plain(found))
        return
    print_table(
        "Learning curve",
        ("model version", "images", "mAP@0.4"),
        [(one.model_version, one.read_images, f"{one.map40:.3f}") for one in found.points],
    )
    tell(found)
    if figure is not None:
        console.print(
            f"the curve is in {figure}" if found.forecast else "no picture: there is no forecast",
            markup=False,
        )


def weigh(store: Store, settings: Settings, *, images: int = MORE_IMAGES) -> StopSignal:
    """Return the stop signal.

    Parameters
    ----------
    store : Store
        The database.
    settings : Settings
        Says how many readers an image has.
    images : int
        How far to look ahead.

    Returns
    -------
    StopSignal
        As it is now.
    """
    usual = queue_rules(settings).panel.readings_wanted(0, 0.0)
    with store.snapshot() as unit:
        return say_when_to_stop(unit, readers_per_image=usual, more_images=images)


def tell(found: StopSignal) -> None:
    """Tell people.

    Parameters
    ----------
    found : StopSignal
        What speaks for reading more, and what against.
    """
    for sentence in found.sentences():
        console.print(sentence, markup=False)


def as_plain(found: StopSignal) -> dict[str, object]:
    """Return the stop signal as plain values.

    Parameters
    ----------
    found : StopSignal
        What speaks for reading more, and what against.

    Returns
    -------
    dict
        For `--json`.
    """
    low, high = found.hidden.interval
    return {
        "hidden": {**asdict(found.hidden), "low": low, "high": high},
        "curve": [asdict(point) for point in found.points],
        "forecast": None if found.forecast is None else asdict(found.forecast),
        "as_many_again": None if found.as_many_again is None else asdict(found.as_many_again),
        "no_forecast_because": found.no_forecast_because,
        "same_test_images": found.has_same_test,
        "reader_hours": found.hours,
        "readings_per_image": found.readings_per_image,
        "seconds_per_reading": found.seconds_per_reading,
        "is_flat": found.is_flat,
        "sentences": list(found.sentences()),
    }
