"""Write a dataset version to disk as a release that can be checked."""

import hashlib
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from backend.domain.dataset import DatasetVersion
from backend.formats.manifest import MANIFEST
from backend.formats.releases import ReleaseFormat, write_release
from backend.store.datasets import Release
from backend.store.records import AuditEvent
from backend.store.unit_of_work import Store


def release_dataset(
    store: Store,
    version: DatasetVersion,
    release_format: ReleaseFormat,
    folder: Path,
    *,
    now: datetime,
    on_image: Callable[[], None] = lambda: None,
) -> Release:
    """Release a dataset version.

    Parameters
    ----------
    store : Store
        The database.
    version : DatasetVersion
        What to release.
    release_format : ReleaseFormat
        How to write the boxes.
    folder : Path
        Where to; must not exist yet.
    now : datetime
        The time; aware.
    on_image : callable
        Called after every image.

    Returns
    -------
    Release
        The record; the folder is complete.
    """
    write_release(folder, version, release_format, advance=on_image)
    release = Release(
        name=folder.name,
        dataset_version=version.name,
        format=release_format.value,
        uri=str(folder.absolute()),
        manifest_sha256=hashlib.sha256((folder / MANIFEST).read_bytes()).hexdigest(),
        created_at=now,
    )

    with store.transaction() as unit:
        unit.datasets.add_release(release)
        unit.records.note(
            AuditEvent(
                now,
                "system",
                "release",
                f"dataset:{version.name}",
                {"release": release.name, "manifest_sha256": release.manifest_sha256},
            )
        )
    return release
