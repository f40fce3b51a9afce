"""Check a release folder against its own manifest."""

import csv
import json
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from backend.domain.boxes import Box
from backend.domain.consensus.clusters import Cluster, ClusterState, Supporter
from backend.domain.dataset import DatasetImage, content_sha256
from backend.domain.findings import Finding
from backend.domain.images import Image, Split
from backend.formats.manifest import (
    BOXES,
    FORMAT_VERSION,
    IMAGES,
    MANIFEST,
    ListedFile,
    list_files,
)


@dataclass(frozen=True, slots=True)
class VerificationReport:
    """What a check of a release found.

    Attributes
    ----------
    name : str
        Name of the dataset version; "" when the manifest cannot be read.
    dataset_sha256 : str
        Hash that the manifest states, to be compared with the store's; "" likewise.
    checked_files : int
        How many files the manifest lists.
    problems : tuple of str
        Everything that is not as the manifest says.
    """

    name: str
    dataset_sha256: str
    checked_files: int
    problems: tuple[str, ...]

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong."""
        return not self.problems


def verify(folder: Path) -> VerificationReport:
    """Check a release: every file, the dataset hash, the counts and the patients' splits.

    Parameters
    ----------
    folder : Path
        The release.

    Returns
    -------
    VerificationReport
        All problems, not only the first.
    """
    try:
        manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        listed = tuple(
            ListedFile(entry["path"], entry["sha256"], entry["bytes"])
            for entry in manifest["files"]
        )
        name, sha256 = str(manifest["name"]), str(manifest["dataset_sha256"])
        version, counts = manifest["format_version"], manifest["counts"]
    except OSError as error:
        why = f"{MANIFEST} cannot be read ({error.strerror}); expected a release folder"
        return VerificationReport("", "", 0, (why,))
    except (ValueError, KeyError, TypeError) as error:
        why = f"{MANIFEST} is no manifest ({error!r}); expected a release folder as it was made"
        return VerificationReport("", "", 0, (why,))
    if version != FORMAT_VERSION:
        why = f"{MANIFEST} has format version {version!r}; this product reads {FORMAT_VERSION}"
        return VerificationReport(name, sha256, 0, (why,))
    problems = (*_file_problems(folder, listed), *_content_problems(folder, sha256, counts))
    return VerificationReport(name, sha256, len(listed), problems)


def _file_problems(folder: Path, listed: tuple[ListedFile, ...]) -> Iterator[str]:
    expected = {file.path: file for file in listed}
    present = {file.path: file for file in list_files(folder)}
    for path in sorted(expected.keys() | present.keys()):
        if path not in present:
            yield f"{path} is missing"
        elif path not in expected:
            yield f"{path} is extra: the manifest does not list it"
        elif present[path] != expected[path]:
            yield (
                f"{path} changed: sha256 {present[path].sha256}, expected {expected[path].sha256}"
            )


def _content_problems(folder: Path, sha256: str, counts: object) -> Iterator[str]:
    try:
        members = _read_members(folder)
    except (OSError, ValueError, KeyError, TypeError) as error:
        yield f"{IMAGES} and {BOXES} cannot be read ({error!r}), so the content is unchecked"
        return
    found = content_sha256(members)
    if found != sha256:
        yield f"the content's dataset hash is {found}, expected {sha256} as in {MANIFEST}"
    for split in Split:
        yield from _count_problems(members, split, counts)
    splits_of_patient = defaultdict(set)
    for member in members:
        splits_of_patient[member.image.patient_key].add(member.split.value)
    for patient, splits in sorted(splits_of_patient.items()):
        if len(splits) > 1:
            yield f"patient {patient} is in several splits: {', '.join(sorted(splits))}"


def _count_problems(members: list[DatasetImage], split: Split, counts: object) -> Iterator[str]:
    inside = [member for member in members if member.split is split]
    found = {
        "images": len(inside),
        "boxes": sum(len(member.clusters) for member in inside),
        "negatives": sum(not member.clusters for member in inside),
        "adjudicated": sum(member.is_adjudicated for member in inside),
    }
    stated = counts.get(split.value) if isinstance(counts, dict) else None
    if isinstance(stated, dict) and "adjudicated" not in stated:
        del found["adjudicated"]  # a release of version 0.1 does not count them
    if stated != found:
        yield f"{MANIFEST} counts {stated} in split {split.value}, found {found}"


def _read_members(folder: Path) -> list[DatasetImage]:
    clusters = defaultdict(list)
    for row in _rows(folder / BOXES):
        clusters[row["image_id"]].append(_cluster(row))
    members = [
        DatasetImage(
            image=_image(row),
            clusters=tuple(clusters.pop(row["image_id"], ())),
            readers=_names(row["readers"]),
            is_adjudicated=row.get("adjudicated") == "yes",
            weight=float(row.get("weight") or 1.0),  # releases of version 0.1 have no such columns
            repeat_factor=float(row.get("repeat_factor") or 1.0),
        )
        for row in _rows(folder / IMAGES)
    ]
    if clusters:
        raise ValueError(f"{BOXES} names images that {IMAGES} does not: {', '.join(clusters)}")
    return members


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def _image(row: dict[str, str]) -> Image:
    return Image(
        id=row["image_id"],
        source=row["source"],
        uri=row["file"],
        sha256=row["sha256"],
        pixel_hash=row["pixel_hash"],
        width_px=int(row["width_px"]),
        height_px=int(row["height_px"]),
        patient_key=row["patient_key"],
        split=Split(row["split"]),
    )


def _cluster(row: dict[str, str]) -> Cluster:
    return Cluster(
        finding=Finding(int(row["class_id"])),
        box=Box(*(float(row[edge]) for edge in Box._fields)),
        score=float(row["score"]),
        p_true=float(row["p_true"]),
        state=ClusterState(row["state"]),
        supporters=tuple(Supporter(name) for name in _names(row["supporters"])),
    )


def _names(text: str) -> tuple[str, ...]:
    return tuple(text.split(";")) if text else ()
