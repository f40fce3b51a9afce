"""A dataset version: which images with which consensus boxes, frozen and hashed."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from backend.domain.consensus.clusters import Cluster
from backend.domain.images import Image, Split
from backend.domain.skipped import Skipped


@dataclass(frozen=True, slots=True)
class DatasetImage:
    """One image of a dataset version with its boxes.

    Attributes
    ----------
    image : Image
        The image; its split is set.
    clusters : tuple of Cluster
        The consensus boxes that the version contains; none makes the image a negative.
    readers : tuple of str
        Everybody who read the image, sorted.
    is_adjudicated : bool
        Whether an adjudicator settled every dispute and confirmed that nothing is missing.
    weight : float
        How much a test image counts in figures, from 0 on, 1 on average: rare findings are
        over-represented in the test split, and count as often as they occur.
    repeat_factor : float
        How often training shows the image on average, from 1 on.
    """

    image: Image
    clusters: tuple[Cluster, ...]
    readers: tuple[str, ...]
    is_adjudicated: bool = False
    weight: float = 1.0
    repeat_factor: float = 1.0

    @property
    def split(self) -> Split:
        """The part of the data that the image belongs to.

        Raises
        ------
        ValueError
            If the image was never allotted to a split.
        """
        if self.image.split is None:
            raise ValueError(f"image {self.image.id} has no split; cut the dataset version first")
        return self.image.split


@dataclass(frozen=True, slots=True)
class DatasetVersion:
    """An immutable cut of the consensus.

    Attributes
    ----------
    name : str
        For example "d3".
    sha256 : str
        `content_sha256` of the images.
    consensus_method : str
        Method version of the consensus that the boxes come from.
    created_at : datetime
        When it was cut; aware.
    images : tuple of DatasetImage
        By image id.
    seed : int or None
        What decided which new patients went to which split; None where it was not kept.
    left_out : tuple of Skipped
        Images with a consensus that are not in it, and why.
    """

    name: str
    sha256: str
    consensus_method: str
    created_at: datetime
    images: tuple[DatasetImage, ...]
    seed: int | None = None
    left_out: tuple[Skipped, ...] = ()

    def in_split(self, split: Split) -> tuple[DatasetImage, ...]:
        """Return the images of one split.

        Parameters
        ----------
        split : Split
            Which part.

        Returns
        -------
        tuple of DatasetImage
            In the version's order.
        """
        return tuple(member for member in self.images if member.split is split)

    def manifest(self) -> dict[str, object]:
        """Return everything that the version consists of, as plain values.

        Returns
        -------
        dict
            With the content that `sha256` is the hash of: every image with its pixel hash,
            split, readers, weight and repeat factor where they are not 1, and its boxes as
            finding, edges in pixels, score, probability, state and supporters.
        """
        return {
            "name": self.name,
            "sha256": self.sha256,
            "consensus_method": self.consensus_method,
            "created_at": self.created_at.isoformat(),
            "seed": self.seed,
            "content": _content(self.images),
            "left_out": [{"image": each.what, "why": each.why} for each in self.left_out],
        }


def content_sha256(images: Sequence[DatasetImage]) -> str:
    """Return the hash that identifies a dataset version's content.

    Parameters
    ----------
    images : sequence of DatasetImage
        In any order.

    Returns
    -------
    str
        SHA-256, hexadecimal, of the images, splits, weights, repeat factors, boxes and
        supporters as canonical JSON. Coordinates are rounded to 0.01 px and other numbers to
        1e-6, so that the hash does not depend on the machine.
    """
    content = _content(images)
    canonical = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(canonical.encode()).hexdigest()


def _content(images: Sequence[DatasetImage]) -> list[dict[str, object]]:
    return [
        {
            "image": member.image.id,
            "pixels": member.image.pixel_hash,
            "split": member.split,
            "readers": sorted(member.readers),
            # Only where it is so: hashes of earlier versions stay what they are.
            **({"adjudicated": True} if member.is_adjudicated else {}),
            **_unless_one("weight", member.weight),
            **_unless_one("repeat", member.repeat_factor),
            "boxes": sorted(
                [
                    int(cluster.finding),
                    *(round(float(edge), 2) for edge in cluster.box),
                    round(float(cluster.score), 6),
                    round(float(cluster.p_true), 6),
                    cluster.state,
                    ";".join(supporter.reader_id for supporter in cluster.supporters),
                ]
                for cluster in member.clusters
            ),
        }
        for member in sorted(images, key=lambda member: member.image.id)
    ]


def _unless_one(name: str, value: float) -> dict[str, float]:
    rounded = round(float(value), 6)
    return {} if rounded == 1.0 else {name: rounded}
