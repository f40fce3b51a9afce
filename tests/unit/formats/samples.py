"""Small dataset versions, and boxes to fill them with."""

import hashlib
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path

import numpy as np
from hypothesis import strategies as st
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
        box=Box(*map(float, edges)),
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
        consensus_method="overread-2-prior",
        created_at=datetime(2026, 1, 2, tzinfo=UTC),
        images=members,
    )


def one_image(clusters: tuple[Cluster, ...], *, split: Split = Split.TRAIN) -> DatasetImage:
    """Image "a" of 3000 x 2000 pixels, which no file holds."""
    image = Image(
        id="a",
        source="test",
        uri="/nowhere/a.png",
        sha256=hashlib.sha256(b"a").hexdigest(),
        pixel_hash="a",
        width_px=3000,
        height_px=2000,
        patient_key="p1",
        split=split,
    )
    return DatasetImage(image=image, clusters=clusters, readers=READERS)


def boxes() -> st.SearchStrategy[Box]:
    """Boxes inside image "a", with edges on quarters of a pixel and sides of at least one."""
    corners = st.tuples(st.integers(0, 11_996), st.integers(0, 7_996))
    return corners.flatmap(
        lambda corner: st.builds(
            lambda right, lower: Box(corner[0] / 4, corner[1] / 4, right / 4, lower / 4),
            st.integers(corner[0] + 4, 12_000),
            st.integers(corner[1] + 4, 8_000),
        )
    )
