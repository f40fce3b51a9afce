"""COCO datasets: one JSON file of images, boxes and categories per split.

Category ids are the class ids of `Finding`, 0 to 13, so that they mean the same in every format.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from backend.domain.consensus.clusters import Cluster
from backend.domain.dataset import DatasetImage, DatasetVersion
from backend.domain.findings import Finding
from backend.domain.images import Split


def write_labels(folder: Path, dataset: DatasetVersion, *, files: Mapping[str, str]) -> None:
    """Write annotations/instances_<split>.json for every split.

    Parameters
    ----------
    folder : Path
        Gets the folder annotations.
    dataset : DatasetVersion
        What to write. Images without boxes are listed too. Besides COCO's own fields, an image
        has its image_id and readers, and an annotation has score, p_true, state and supporters.
    files : mapping of str to str
        Path of every image's file below `folder`, by image id.
    """
    numbers = {member.image.id: number for number, member in enumerate(dataset.images, start=1)}
    target = folder / "annotations"
    target.mkdir()
    for split in Split:
        members = dataset.in_split(split)
        boxes = [(member, cluster) for member in members for cluster in member.clusters]
        content = {
            "info": {
                "description": f"{dataset.name}, {split.value}",
                "version": dataset.sha256,
                "date_created": dataset.created_at.isoformat(),
            },
            "categories": [
                {"id": int(finding), "name": finding.title, "supercategory": "finding"}
                for finding in Finding
            ],
            "images": [
                _image(member, numbers[member.image.id], files[member.image.id])
                for member in members
            ],
            # Ids start at 1, since evaluators take an annotation of id 0 for a missing one.
            "annotations": [
                {"id": number, "image_id": numbers[member.image.id], **_annotation(cluster)}
                for number, (member, cluster) in enumerate(boxes, start=1)
            ],
        }
        path = target / f"instances_{split.value}.json"
        path.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def _image(member: DatasetImage, number: int, file: str) -> dict[str, Any]:
    return {
        "id": number,
        "file_name": file,
        "width": member.image.width_px,
        "height": member.image.height_px,
        "image_id": member.image.id,
        "readers": list(member.readers),
    }


def _annotation(cluster: Cluster) -> dict[str, Any]:
    x_min, y_min, x_max, y_max = (float(edge) for edge in cluster.box)
    width_px, height_px = x_max - x_min, y_max - y_min
    return {
        "category_id": int(cluster.finding),
        "bbox": [x_min, y_min, width_px, height_px],
        "area": width_px * height_px,
        "iscrowd": 0,
        "score": float(cluster.score),
        "p_true": float(cluster.p_true),
        "state": cluster.state.value,
        "supporters": [supporter.reader_id for supporter in cluster.supporters],
    }
