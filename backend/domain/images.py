"""A registered radiograph."""

from dataclasses import dataclass, field
from enum import StrEnum

from backend.domain.image_metadata import ImageMetadata


class Split(StrEnum):
    """The part of the data that an image's patient belongs to; never changed once set."""

    TRAIN = "train"
    VALIDATION = "val"
    TEST = "test"


@dataclass(frozen=True, slots=True)
class Image:
    """One radiograph as it is registered; its pixels stay where they are.

    Attributes
    ----------
    id : str
        Letters, digits, dot, dash and underscore; from the source, or made of the pixel hash.
    source : str
        Where it came from, for example "vinbigdata" or "nih-sample".
    uri : str
        Absolute path or URL of the pixels.
    sha256 : str
        Hash of the file's bytes, hexadecimal.
    pixel_hash : str
        Hash of the decoded 8-bit grey pixels and their shape; equal for the same radiograph
        in another file format.
    width_px, height_px : int, [px]
        Size of the decoded image; every box is in these pixels.
    patient_key : str
        Pseudonym of the patient; the image's own id where the source names no patient.
    split : Split or None
        None until the image first enters a dataset version.
    original_width_px, original_height_px : int or None, [px]
        Size of the original that this file was resized from; None when it was not.
    look_hash : str or None
        What it looks like, see `near_duplicates.look_hash`; None where nobody has looked yet.
    metadata : ImageMetadata
        Sex, age group and view, where a table named them.
    """

    id: str
    source: str
    uri: str
    sha256: str
    pixel_hash: str
    width_px: int
    height_px: int
    patient_key: str
    split: Split | None = None
    original_width_px: int | None = None
    original_height_px: int | None = None
    look_hash: str | None = None
    metadata: ImageMetadata = field(default_factory=ImageMetadata)
