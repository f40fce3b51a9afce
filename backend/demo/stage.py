"""Sets the stage: sample radiographs, sample model, simulated readers."""

from collections.abc import Callable
from dataclasses import replace

from backend.demo import sample
from backend.demo.simulated_readers import SIMULATED_READERS
from backend.desk import open_reading_room
from backend.domain.images import Split
from backend.formats.original_sizes import SizePx
from backend.formats.placement import PlacedReadings
from backend.settings import Settings
from backend.store.unit_of_work import Store
from backend.terminal import Steps, now
from backend.workflow.add_readers import AddedReader, NewReader, add_readers
from backend.workflow.adopt_weights import adopt_weights
from backend.workflow.register_images import register_images


def prepare(store: Store, settings: Settings, steps: Steps) -> None:
    """Register the sample radiographs and the sample model; repeatable.

    The test part comes with the simulated readers' readings, because a frozen test set is read
    before the first model is judged by it.

    Parameters
    ----------
    store : Store
        The demonstration's database.
    settings : Settings
        The demonstration's.
    steps : Steps
        Shows progress.
    """
    images = replace(sample.sample_images(), place_readings=_test_readings)
    steps.step("registering the sample radiographs", len(images.files))
    register_images(store, images, now=now(), on_image=steps.advance_by)
    with store.transaction() as unit:
        adopt_weights(
            unit,
            sample.WEIGHTS,
            settings.weights_dir,
            origin="sample model, trained on the training part of the sample radiographs",
            now=now(),
        )


def set_up_readers(
    store: Store, settings: Settings, new_reader: Callable[[str], NewReader]
) -> list[tuple[NewReader, AddedReader]]:
    """Add the simulated readers to Label Studio.

    Parameters
    ----------
    store : Store
        The demonstration's database.
    settings : Settings
        The demonstration's.
    new_reader : callable
        Makes a reader of a name.

    Returns
    -------
    list of (NewReader, AddedReader)
        Log-ins and links.
    """
    new = [new_reader(reader.reader_id) for reader in SIMULATED_READERS]
    return list(
        zip(new, add_readers(store, open_reading_room(settings), new, now=now()), strict=True)
    )


def _test_readings(image_id: str, stored: SizePx) -> tuple[PlacedReadings, SizePx | None]:
    readings = {}
    if sample.sample_images().splits[image_id] is Split.TEST:
        published = sample.published_boxes().get(image_id, ())
        readings = {
            simulated.reader_id: simulated.marks(
                image_id, published, width_px=stored.width_px, height_px=stored.height_px
            )
            for simulated in SIMULATED_READERS
        }
    return PlacedReadings(readings, (), is_size_assumed=False), None
