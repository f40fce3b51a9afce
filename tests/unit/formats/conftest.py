"""A small dataset version on real files."""

from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Picture
from PIL.PngImagePlugin import PngInfo

from backend.domain.boxes import Box
from backend.domain.consensus.clusters import Cluster, ClusterState, Supporter
from backend.domain.dataset import DatasetImage, DatasetVersion, content_sha256
from backend.domain.findings import Finding
from backend.domain.images import Image, Split
from backend.formats import radiographs

READERS = ("R1", "R2", "R3")


def cluster(finding: Finding, *edges: float, supporters: tuple[str, ...] = READERS) -> Cluster:
    return Cluster(
        finding=finding,
        box=Box(*edges),
        score=len(supporters) / 3,
        p_true=0.75,
        state=ClusterState.UNANIMOUS if supporters == READERS else ClusterState.MAJORITY,
        supporters=tuple(Supporter(reader_id) for reader_id in supporters),
    )


def encoded(image_format: str, *, seed: int, note: str = "") -> bytes:
    pixels = np.random.default_rng(seed).integers(0, 256, size=(60, 80), dtype=np.uint8)
    buffer = BytesIO()
    extra = PngInfo()
    if note:
        extra.add_text("PatientName", note)
    options = {"pnginfo": extra} if image_format == "PNG" else {}
    Picture.fromarray(pixels).save(buffer, format=image_format, **options)
    return buffer.getvalue()


def member(
    path: Path, *, patient: str, split: Split, clusters: tuple[Cluster, ...] = ()
) -> DatasetImage:
    file = radiographs.read_file(path)
    image = Image(
        id=path.stem,
        source="test",
        uri=str(path),
        sha256=file.sha256,
        pixel_hash=file.pixel_hash,
        width_px=file.width_px,
        height_px=file.height_px,
        patient_key=patient,
        split=split,
    )
    return DatasetImage(image=image, clusters=clusters, readers=READERS)


def version(*members: DatasetImage) -> DatasetVersion:
    return DatasetVersion(
        name="d1",
        sha256=content_sha256(members),
        consensus_method="wbf-1",
        created_at=datetime(2026, 1, 2, tzinfo=UTC),
        images=members,
    )


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
