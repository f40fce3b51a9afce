"""A small one-pass detector without anchors: a heat map per finding, four distances per place."""

from functools import cache

import torch
from torch import Tensor, nn
from torch.nn import functional
from typing_extensions import override

from backend.domain.findings import Finding

STRIDE = 4
"""Pixels of the picture per place of the map."""
BINS = 17
"""Distances are a distribution over 0 … 16 places."""
FOUND_AT_FIRST = 0.02
"""What a fresh network says everywhere, so that the first steps are not spent on that."""


class Convolution(nn.Sequential):
    """Convolution, normalisation, activation."""

    def __init__(self, into: int, out: int, *, size: int = 3, stride: int = 1) -> None:
        super().__init__(
            nn.Conv2d(into, out, size, stride, size // 2, bias=False),
            nn.BatchNorm2d(out),
            nn.ReLU(inplace=True),
        )


class Residual(nn.Module):
    """Two convolutions beside the way around them."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.inner = nn.Sequential(
            Convolution(channels, channels), Convolution(channels, channels)
        )

    @override
    def forward(self, found: Tensor) -> Tensor:
        """Add them."""
        inner: Tensor = self.inner(found)
        return found + inner


class Network(nn.Module):
    """Pictures of shape (b, size, size) in, maps of a quarter of the side out.

    Two further channels tell where in the picture a place is: findings have their places in a
    chest.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        near, middle, far = 2 * width, 3 * width, 4 * width
        self.near = nn.Sequential(nn.PixelUnshuffle(2), Convolution(3 * 4, near, stride=2))
        self.middle = nn.Sequential(Convolution(near, middle, stride=2), Residual(middle))
        self.far = nn.Sequential(Convolution(middle, far, stride=2), Residual(far))
        self.far_across = nn.Conv2d(far, near, 1)
        self.middle_across = nn.Conv2d(middle, near, 1)
        self.merged_middle = Convolution(near, near)
        self.merged = nn.Sequential(Convolution(near, near), Convolution(near, near))
        self.heat = nn.Conv2d(near, len(Finding), 1)
        self.distances = nn.Conv2d(near, 4 * BINS, 1)
        at_first = float(torch.logit(torch.tensor(FOUND_AT_FIRST)))
        nn.init.constant_(self.heat.bias, at_first)  # type: ignore[arg-type]

    @override
    def forward(self, pictures: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return logits by finding, logits of the distances, and pooled features."""
        size = pictures.shape[-1]
        ramp = torch.linspace(-1, 1, size, device=pictures.device, dtype=pictures.dtype)
        across = ramp.expand(len(pictures), size, size)
        seen = torch.stack([pictures, across, across.transpose(1, 2)], dim=1)
        near = self.near(seen.contiguous(memory_format=torch.channels_last))
        middle = self.middle(near)
        far = self.far(middle)
        up = functional.interpolate(self.far_across(far), scale_factor=2, mode="nearest")
        up = self.merged_middle(up + self.middle_across(middle))
        merged = self.merged(near + functional.interpolate(up, scale_factor=2, mode="nearest"))
        pooled = torch.cat([far.mean(dim=(2, 3)), far.amax(dim=(2, 3))], dim=1)
        return self.heat(merged), self.distances(merged), pooled


def loss(found: tuple[Tensor, Tensor, Tensor], boxes: Tensor, findings: Tensor) -> Tensor:
    """Return how wrong the maps are.

    Parameters
    ----------
    found : tuple of Tensor
        What `Network` returns.
    boxes : Tensor of shape (b, m, 4), [places]
        True boxes; rows past an image's last are anything with an area.
    findings : Tensor of shape (b, m)
        Their class ids; -1 past an image's last.

    Returns
    -------
    Tensor of shape ()
        Focal loss of the heat, cross-entropy and overlap of the distances.
    """
    heat, distances = found[0].float(), found[1].float()
    side = heat.shape[-1]
    is_true = findings >= 0
    centres = ((boxes[..., :2] + boxes[..., 2:]) / 2).floor().clamp(0, side - 1)
    wanted = _wanted_heat(boxes, centres, findings, side)
    number = is_true.sum().clamp(min=1)
    return _focal(heat, wanted) / number + _distance_loss(distances, boxes, centres, is_true)


def _wanted_heat(boxes: Tensor, centres: Tensor, findings: Tensor, side: int) -> Tensor:
    """Return 1 at the middle of every true box, falling off with the box's size."""
    place = torch.arange(side, device=boxes.device)
    spread = ((boxes[..., 2:] - boxes[..., :2]) * 0.13).clamp(min=0.5)
    away = (place - centres[..., None]) / spread[..., None]
    bells = torch.exp(-0.5 * away**2)
    hills = bells[..., 1, :, None] * bells[..., 0, None, :]
    hills = hills * (findings >= 0)[..., None, None]
    batch, most = findings.shape
    empty = torch.zeros(batch, len(Finding), side, side, device=boxes.device)
    where = findings.clamp(min=0)[..., None, None].expand(batch, most, side, side)
    return empty.scatter_reduce(1, where, hills, "amax")


def _focal(heat: Tensor, wanted: Tensor) -> Tensor:
    """Return CornerNet's focal loss, summed."""
    p = heat.sigmoid()
    is_middle = wanted > 0.999
    at_middles = functional.logsigmoid(heat) * (1 - p) ** 2
    elsewhere = functional.logsigmoid(-heat) * p**2 * (1 - wanted) ** 4
    return -torch.where(is_middle, at_middles, elsewhere).sum()


@cache
def _steps(device: torch.device) -> Tensor:
    """Return the ways to a place and its four neighbours; kept, as a recording copies nothing."""
    return torch.tensor([[0, 0], [1, 0], [-1, 0], [0, 1], [0, -1]], device=device).float()


def _distance_loss(distances: Tensor, boxes: Tensor, centres: Tensor, is_true: Tensor) -> Tensor:
    """Return how wrong the four distances are at the middle of every box and beside it."""
    side = distances.shape[-1]
    places = (centres[:, :, None] + _steps(boxes.device)).clamp(0, side - 1)
    flat = (places[..., 1] * side + places[..., 0]).long()
    logits = distances.flatten(2).transpose(1, 2)
    picked = logits.gather(1, flat.flatten(1)[..., None].expand(-1, -1, logits.shape[-1]))
    picked = picked.view(*flat.shape, 4, BINS)
    middles = places + 0.5
    wanted = torch.cat([middles - boxes[:, :, None, :2], boxes[:, :, None, 2:] - middles], dim=-1)
    is_inside = (wanted > 0).all(dim=-1) & is_true[..., None]
    wanted = wanted.clamp(0, BINS - 1.01)
    lower = wanted.floor()
    logs = picked.log_softmax(dim=-1)
    near = logs.gather(-1, lower.long()[..., None])[..., 0] * (lower + 1 - wanted)
    next_ = logs.gather(-1, lower.long()[..., None] + 1)[..., 0] * (wanted - lower)
    entropy = -(near + next_).mean(dim=-1)
    own = (logs.exp() * torch.arange(BINS, device=boxes.device)).sum(dim=-1)
    both = torch.minimum(own, wanted)
    shared = (both[..., 0] + both[..., 2]) * (both[..., 1] + both[..., 3])
    areas = [(one[..., 0] + one[..., 2]) * (one[..., 1] + one[..., 3]) for one in (own, wanted)]
    overlap = shared / (areas[0] + areas[1] - shared).clamp(min=1e-3)
    return ((0.3 * entropy + 1 - overlap) * is_inside).sum() / is_inside.sum().clamp(min=1) * 2
