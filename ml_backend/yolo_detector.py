"""An ultralytics detector behind our own frame and our own suppression of duplicates.

ultralytics' `predict` is not used: when its suppression runs out of time it returns no boxes for
the images that are left, and an overloaded machine then looks confidently empty.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
import torch
import torchvision

from backend.domain.findings import Finding
from ml_backend.detector import Detections, Radiograph
from ml_backend.letterbox import Letterbox, letterbox
from ml_backend.ultralytics_settings import import_part

DUPLICATE_IOU = 0.5
"""Of two boxes of one finding that overlap more than this, the less confident one goes."""

_BATCH = 16
_CANDIDATES_PER_FINDING = 1000
_BOXES_PER_FINDING = 100


class UnusableWeightsError(ValueError):
    """A weights file holds no detector of our fourteen findings."""


class BrokenDetectorError(RuntimeError):
    """A detector's output is not finite, so nothing can be said about the image."""


class YoloDetector:
    """Runs the weights of one model version; YOLOv8, YOLO11 and YOLO26 alike.

    Parameters
    ----------
    weights_path : Path
        A checkpoint written by ultralytics.
    model_version : str
        Name of the model version.
    device : str
        "auto" for the first GPU or else the CPU, "cpu", or a CUDA index.
    image_size_px : int or None, [px]
        Length of an image's longer side as the detector sees it; the size that the weights were
        trained at when None.
    min_score : float
        Boxes below this confidence are left out.
    """

    def __init__(
        self,
        weights_path: Path,
        model_version: str,
        *,
        device: str = "auto",
        image_size_px: int | None = None,
        min_score: float = 0.05,
    ) -> None:
        self._model_version = model_version
        self.device = choose_device(device)
        self.min_score = min_score
        self._network, trained_px = _load(weights_path, self.device)
        self.image_size_px = image_size_px or trained_px
        self._one_at_a_time = Lock()  # the head caches its anchor grid between calls

    @property
    def model_version(self) -> str:
        """Name of the model version whose weights it runs."""
        return self._model_version

    def detect(self, images: Sequence[Radiograph]) -> list[Detections]:
        """Mark the findings of every image.

        A place may carry several findings: every finding above the lowest score is reported.

        Parameters
        ----------
        images : sequence of ndarray of shape (height, width)
            Grey images of any size.

        Returns
        -------
        list of Detections
            One per image, in order.

        Raises
        ------
        BrokenDetectorError
            If the network returns a number that is not finite.
        """
        frames = [letterbox(image, self.image_size_px) for image in images]
        found: dict[int, Detections] = {}
        for batch in _batches_of_equal_shape(frames):
            outputs = self._forward([frames[index] for index in batch])
            for index, output in zip(batch, outputs, strict=True):
                found[index] = _detections(output, frames[index], self.min_score)
        return [found[index] for index in range(len(frames))]

    def _forward(self, frames: Sequence[Letterbox]) -> torch.Tensor:
        grey = torch.from_numpy(np.stack([frame.pixels for frame in frames])).to(self.device)
        colour = (grey.float() / 255).unsqueeze(1).expand(-1, 3, -1, -1)
        with self._one_at_a_time, torch.inference_mode():
            output: torch.Tensor = self._network(colour)[0]
        if not torch.isfinite(output).all():
            raise BrokenDetectorError(
                f"the weights of {self.model_version} give numbers that are not finite; "
                "roll back with `overread models rollback` and train again"
            )
        return output.float()


def choose_device(wanted: str) -> torch.device:
    """Return the device to run on.

    Parameters
    ----------
    wanted : str
        "auto", "cpu" or a CUDA index.

    Returns
    -------
    torch.device
        With "auto" the first GPU when there is one.
    """
    if wanted == "auto":
        return torch.device("cuda:0" if torch.cuda.is_available() else "cpu")
    return torch.device(f"cuda:{wanted}" if wanted.isdigit() else wanted)


def suppress_duplicates(
    output: torch.Tensor, *, min_score: float, iou: float = DUPLICATE_IOU
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return the boxes of a network's output that no better box of the same finding covers.

    Parameters
    ----------
    output : tensor of shape (4 + findings, places), [px]
        For every place the box as centre, width and height, then a score per finding.
    min_score : float
        Lowest score that counts.
    iou : float
        Overlap in [0, 1] from which two boxes of one finding are duplicates.

    Returns
    -------
    boxes : tensor of shape (n, 4), [px]
        Corners, by falling score.
    findings : tensor of shape (n,)
        Class ids.
    scores : tensor of shape (n,)
        Scores in [0, 1].

    Notes
    -----
    Takes the 1,000 most confident places of every finding and keeps at most 100 of them; there
    is no limit on time.
    """
    places, per_finding = output[:4].T, output[4:]
    top, place = per_finding.topk(min(_CANDIDATES_PER_FINDING, per_finding.shape[1]), dim=1)
    finding = torch.arange(len(per_finding), device=output.device)[:, None].expand_as(place)
    counts = top >= min_score
    scores, findings, boxes = top[counts], finding[counts], places[place[counts]]
    boxes = torchvision.ops.box_convert(boxes, "cxcywh", "xyxy")

    kept = torchvision.ops.batched_nms(boxes, scores, findings, iou)
    rank_within = torch.zeros_like(kept)
    for each in range(len(per_finding)):
        same = findings[kept] == each
        rank_within[same] = torch.arange(int(same.sum()), device=kept.device)
    kept = kept[rank_within < _BOXES_PER_FINDING]
    return boxes[kept], findings[kept], scores[kept]


def _detections(output: torch.Tensor, frame: Letterbox, min_score: float) -> Detections:
    boxes, findings, scores = suppress_duplicates(output, min_score=min_score)
    corners = frame.to_image(boxes.cpu().numpy().astype(np.float64))
    on_image = (corners[:, 2:] - corners[:, :2] >= 1).all(axis=1)  # not only in the border
    return Detections(
        corners[on_image],
        findings.cpu().numpy().astype(np.int64)[on_image],
        scores.cpu().numpy().astype(np.float64)[on_image],
    )


def _batches_of_equal_shape(frames: Sequence[Letterbox]) -> Iterable[list[int]]:
    by_shape: dict[tuple[int, ...], list[int]] = {}
    for index, frame in enumerate(frames):
        by_shape.setdefault(frame.pixels.shape, []).append(index)
    for indices in by_shape.values():
        for start in range(0, len(indices), _BATCH):
            yield indices[start : start + _BATCH]


def _load(weights_path: Path, device: torch.device) -> tuple[Any, int]:
    tasks = import_part("nn.tasks")
    try:
        network, checkpoint = tasks.load_checkpoint(str(weights_path), device=device)
    except (TypeError, FileNotFoundError) as problem:
        raise UnusableWeightsError(f"{weights_path} is no ultralytics checkpoint") from problem
    titles = [finding.title for finding in Finding]
    named = [network.names[key] for key in sorted(network.names)]
    if named != titles:
        raise UnusableWeightsError(
            f"{weights_path} detects {', '.join(named[:4])}, ...; expected the 14 findings in "
            f"their order: {', '.join(titles)}"
        )
    head = network.model[-1]
    head.end2end = False  # YOLO26: score every place, as the other families do
    if head.end2end:
        raise UnusableWeightsError(
            f"{weights_path} was fused for NMS-free output and scores no places; "
            "give the checkpoint that training wrote"
        )
    network.fuse()
    return network.float().eval(), int(checkpoint.get("train_args", {}).get("imgsz", 640))
