"""A small dataset version on real files."""

from pathlib import Path

import pytest

from backend.domain.dataset import DatasetVersion
from backend.domain.findings import Finding
from backend.domain.images import Split
from tests.unit.formats.samples import cluster, encoded, member, version


@pytest.fixture
def dataset(tmp_path: Path) -> DatasetVersion:
    source = tmp_path / "source"
    source.mkdir()
    (source / "a.jpg").write_bytes(encoded("JPEG", seed=1))
    (source / "b.png").write_bytes(encoded("PNG", seed=2, note="Doe^Jane"))
    (source / "c.bmp").write_bytes(encoded("BMP", seed=3))
    (source / "d.png").write_bytes(encoded("PNG", seed=4))
    nodule = cluster(Finding.NODULE_MASS, 1.25, 2.5, 30.125, 20.0, supporters=("R1", "R3"))
    heart = cluster(Finding.CARDIOMEGALY, 20, 30, 79.5, 60)
    return version(
        member(source / "a.jpg", patient="p1", split=Split.TRAIN, clusters=(nodule, heart)),
        member(source / "b.png", patient="p1", split=Split.TRAIN),
        member(source / "c.bmp", patient="p2", split=Split.VALIDATION, clusters=(heart,)),
        member(source / "d.png", patient="p3", split=Split.TEST),
    )
