"""Layouts from VinBigData's own table, for those who have it; nothing of it is kept."""

from pathlib import Path

import pandas as pd

from backend.formats.consensus_csv import read_file
from benchmarks.phantom.layouts import Layouts, MissingSizeError, of_readings

SIZES = "vinbigdata_train_info_sizes.csv.gz"
"""Looked for beside the table."""


def read_layouts(labels: Path, sizes: Path | None = None) -> Layouts:
    """Read layouts.

    Parameters
    ----------
    labels : Path
        Readings in the form of VinBigData's train.csv, plain or gzipped.
    sizes : Path, optional
        Table with image_id, height, width; `SIZES` beside the labels if not given.

    Returns
    -------
    Layouts
        Of every image that has a reading.

    Raises
    ------
    MissingSizeError
        If the sizes do not name every image.
    """
    table = read_file(labels).table
    path = sizes or labels.parent / SIZES
    known = pd.read_csv(path).drop_duplicates("image_id").set_index("image_id")
    missing = set(table.image_ids) - set(known.index)
    if missing:
        raise MissingSizeError(f"{path} has no size of {len(missing)} images of {labels}")
    own = known.loc[list(table.image_ids), ["width", "height"]]
    return of_readings(table, own.to_numpy(dtype="float64"))
