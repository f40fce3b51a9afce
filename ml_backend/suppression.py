"""From a network's raw numbers to boxes: own decoding and suppression, without a time limit."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torchvision

from ml_backend.runtimes.raw_output import RawOutput

DUPLICATE_IOU = 0.5
"""Of two boxes of one finding that overlap more than this, the less confident one goes."""

CANDIDATES_PER_FINDING = 1000
BOXES_PER_FINDING = 100

_SPREAD_CANDIDATES = 300


@dataclass(frozen=True, slots=True, eq=False)
class Marks:
    """Boxes on the frames of a batch, by image and falling score.

    Attributes
    ----------
    images : tensor of shape (n,)
        Index of the frame.
    findings : tensor of shape (n,)
        Class ids.
    logits : tensor of shape (n,)
        Before the sigmoid.
    boxes : tensor of shape (n, 4), [px]
        Corners in the frame.
    spreads : tensor of shape (n,), [px]
        How far an edge may be off: standard deviation, mean over the four edges. Not a number
        where nothing is known.
    """

    images: torch.Tensor
    findings: torch.Tensor
    logits: torch.Tensor
    boxes: torch.Tensor
    spreads: torch.Tensor

    def take(self, chosen: torch.Tensor) -> "Marks":
        """Return some of them.

        Parameters
        ----------
        chosen : tensor
            Indices or a mask.

        Returns
        -------
        Marks
            In the order of the indices.
        """
        return Marks(
            self.images[chosen],
            self.findings[chosen],
            self.logits[chosen],
            self.boxes[chosen],
            self.spreads[chosen],
        )


def find_marks(
    raw: RawOutput, frame: tuple[int, int], *, strides: Sequence[int], min_score: float
) -> Marks:
    """Return the boxes that no better box of the same finding covers.

    Parameters
    ----------
    raw : RawOutput
        What a network says of a batch.
    frame : (int, int), [px]
        Height and width of the frames.
    strides : sequence of int, [px]
        Distance of two places, per level of the head.
    min_score : float
        Lowest score in [0, 1] that counts.

    Returns
    -------
    Marks
        By image and falling score; a place may carry several findings.

    Notes
    -----
    Takes the 1,000 most confident places of every finding and keeps at most 100 of them. Nothing
    is decoded but these. The spread comes from the distribution over bins where the head has
    one. A head without bins (YOLO26) is asked through its neighbouring places: the spread is the
    score-weighted deviation of the boxes of the same finding that a kept box suppresses.
    """
    candidates = _decode(raw, *_select(raw.logits, min_score), frame, strides)
    group = candidates.images * raw.logits.shape[1] + candidates.findings
    best = torchvision.ops.batched_nms(candidates.boxes, candidates.logits, group, DUPLICATE_IOU)
    kept = candidates.take(best[_ranks(group[best]) < BOXES_PER_FINDING])
    kept = kept.take(torch.argsort(kept.images, stable=True))
    if raw.distances.shape[1] > 4:
        return kept
    return _with_spread_of_duplicates(kept, candidates)


def _select(
    logits: torch.Tensor, min_score: float
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return image, finding and place of the candidates."""
    least = float(np.log(min_score) - np.log1p(-min_score)) if min_score > 0 else -np.inf
    if logits.device.type == "cpu":
        # numpy, because torch would wake threads that spin on the cores the network runs on.
        found = np.nonzero(logits.numpy() >= least)
        image, finding, place = (torch.from_numpy(each) for each in found)
    else:
        image, finding, place = (logits >= least).nonzero(as_tuple=True)
    group = image * logits.shape[1] + finding
    if len(group) <= CANDIDATES_PER_FINDING:
        return image, finding, place
    order = torch.argsort(logits[image, finding, place], descending=True, stable=True)
    chosen = order[_ranks(group[order]) < CANDIDATES_PER_FINDING]
    return image[chosen], finding[chosen], place[chosen]


def _decode(
    raw: RawOutput,
    image: torch.Tensor,
    finding: torch.Tensor,
    place: torch.Tensor,
    frame: tuple[int, int],
    strides: Sequence[int],
) -> Marks:
    centre_x, centre_y, stride = _grid(place, frame, strides)
    distances = raw.distances[image, :, place].double()
    bins = distances.shape[1] // 4
    if bins > 1:
        shares = distances.view(-1, 4, bins).softmax(2)
        values = torch.arange(bins, device=shares.device, dtype=shares.dtype)
        distances = shares @ values
        variances = (shares @ values**2 - distances**2).clamp(min=0)
        spreads = variances.sqrt().mean(1) * stride
    else:
        spreads = torch.full_like(centre_x, torch.nan)
    left, top, right, bottom = (distances * stride[:, None]).unbind(1)
    boxes = torch.stack(
        [centre_x - left, centre_y - top, centre_x + right, centre_y + bottom], dim=1
    )
    return Marks(image, finding, raw.logits[image, finding, place].double(), boxes, spreads)


def _grid(
    place: torch.Tensor, frame: tuple[int, int], strides: Sequence[int]
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return where places lie, and the stride of their level."""
    height_px, width_px = frame
    x, y, size = (torch.zeros(len(place), dtype=torch.float64, device=place.device) for _ in "xys")
    first = 0
    for stride in strides:
        columns, rows = width_px // stride, height_px // stride
        here = (place >= first) & (place < first + columns * rows)
        within = place - first
        x = torch.where(here, (within % columns + 0.5) * stride, x)
        y = torch.where(here, (within // columns + 0.5) * stride, y)
        size = torch.where(here, float(stride), size)
        first += columns * rows
    return x, y, size


def _ranks(group: torch.Tensor) -> torch.Tensor:
    """Return how many elements of the same group stand before each element."""
    order = torch.argsort(group, stable=True)
    grouped = group[order]
    position = torch.arange(len(group), device=group.device)
    is_first = torch.ones_like(group, dtype=torch.bool)
    is_first[1:] = grouped[1:] != grouped[:-1]
    ranks = torch.empty_like(order)
    ranks[order] = position - torch.where(is_first, position, 0).cummax(0).values
    return ranks


def _with_spread_of_duplicates(kept: Marks, candidates: Marks) -> Marks:
    if not len(kept.images):
        return kept
    near = candidates.take(torch.argsort(candidates.logits, descending=True))
    rank = _ranks(near.images)
    near, rank = near.take(rank < _SPREAD_CANDIDATES), rank[rank < _SPREAD_CANDIDATES]
    table = (int(candidates.images.max()) + 1, int(rank.max()) + 1)
    boxes = near.boxes.new_zeros((*table, 4))
    findings = torch.full(table, -1, device=boxes.device)
    scores = near.logits.new_zeros(table)
    boxes[near.images, rank] = near.boxes
    findings[near.images, rank] = near.findings
    scores[near.images, rank] = near.logits.sigmoid()

    boxes, findings, scores = boxes[kept.images], findings[kept.images], scores[kept.images]
    is_duplicate = _overlap(kept.boxes[:, None], boxes) >= DUPLICATE_IOU
    is_duplicate &= findings == kept.findings[:, None]
    weight = (is_duplicate * scores)[:, None]
    weight = weight / weight.sum(2, keepdim=True)
    mean = weight @ boxes
    variance = weight @ (boxes - mean) ** 2
    spread = variance.sqrt().mean((1, 2))
    spread = torch.where(is_duplicate.sum(1) > 1, spread, torch.nan)
    return Marks(kept.images, kept.findings, kept.logits, kept.boxes, spread)


def _overlap(one: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
    """Return the IoU of boxes, pair by pair."""
    inner = torch.minimum(one[..., 2:], other[..., 2:]) - torch.maximum(
        one[..., :2], other[..., :2]
    )
    shared = inner.clamp(min=0).prod(-1)
    areas = (one[..., 2:] - one[..., :2]).prod(-1) + (other[..., 2:] - other[..., :2]).prod(-1)
    return shared / (areas - shared)
