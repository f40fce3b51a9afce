"""A store with made-up radiographs and a champion, in a folder, for benchmarks."""

from datetime import UTC, datetime
from pathlib import Path

from backend.domain.images import Image
from backend.formats.radiographs import encode_png, read_file
from backend.opened import open_store
from backend.settings import Settings
from backend.store import schema
from backend.store.unit_of_work import Store
from backend.workflow.adopt_weights import adopt_weights
from benchmarks.made_up_radiographs import radiograph

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def sized_weights(weights: Path, size_px: int, folder: Path) -> Path:
    """Return the same weights as if they had been trained at another size."""
    # Imported here, because a benchmark that counts memory must not load torch.
    import torch  # noqa: PLC0415

    from ml_backend.ultralytics_settings import import_part  # noqa: PLC0415

    import_part("nn.tasks")  # its classes are in the checkpoint
    checkpoint = torch.load(weights, weights_only=False)
    checkpoint["train_args"]["imgsz"] = size_px
    sized = folder / f"weights-{size_px}.pt"
    torch.save(checkpoint, sized)
    return sized


def filled_store(settings: Settings, weights: Path, images: int) -> Store:
    """Return a migrated store with images, their files, and a champion."""
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    schema.upgrade(settings.sqlalchemy_url)
    store = open_store(settings)
    folder = settings.data_dir / "radiographs"
    folder.mkdir()
    with store.transaction() as unit:
        unit.images.add([_registered(folder, number) for number in range(images)], now=NOW)
        adopt_weights(unit, weights, settings.weights_dir, origin="benchmark", now=NOW)
    return store


def _registered(folder: Path, number: int) -> Image:
    path = folder / f"b{number}.png"
    path.write_bytes(encode_png(radiograph(number)))
    file = read_file(path)
    return Image(
        id=path.stem,
        source="made-up",
        uri=str(path),
        sha256=file.sha256,
        pixel_hash=file.pixel_hash,
        width_px=file.width_px,
        height_px=file.height_px,
        patient_key=path.stem,
    )
