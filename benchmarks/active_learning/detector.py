"""Training the small detector and asking it, on whatever processor there is."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from backend.domain.findings import Finding
from benchmarks.active_learning.network import BINS, STRIDE, Network, loss

PEAKS = 8
"""Places of each finding that are looked at, the hottest."""
KEPT = 5
"""Boxes of each finding that are kept after suppression."""
SAME_LESION_IOU = 0.5
LEAST_SCORE = 0.01
SHIFT, ZOOM = 0.05, 0.08
"""How far pictures are moved and resized in training, as shares."""
AVERAGED_STEPS = 12
"""Weights are averaged over about so many steps."""
RARE_SHARE = 0.1
"""A finding on fewer of the abnormal images than this is shown more often."""


class NotBegunError(RuntimeError):
    """There is nothing yet that a training could go on from."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """How the detector is trained; the same for every method.

    Attributes
    ----------
    width : int
        Channels at a quarter of the side are twice this.
    first, iterations : int
        Steps on the start, from scratch; and after every round, each time from what was learned
        of the start, so that no method profits from how its own rounds followed each other.
    batch : int
        Images per step.
    rate, decay : float
        Highest learning rate, and weight decay.
    """

    width: int
    first: int
    iterations: int
    batch: int
    rate: float = 3e-3
    decay: float = 0.03


@dataclass(frozen=True, slots=True)
class Found:
    """What the detector says of some images.

    Attributes
    ----------
    rows : ndarray of shape (n,)
        Place of each box's image among those asked for.
    findings : ndarray of shape (n,)
        Class ids.
    scores, spreads : ndarray of shape (n,)
        Confidence in [0, 1]; standard deviation of the edges in places of the map.
    boxes : ndarray of shape (n, 4), [px]
        Where.
    features : ndarray of shape (images, d)
        What the images look like to the detector.
    """

    rows: NDArray[np.int64]
    findings: NDArray[np.int64]
    scores: NDArray[np.float64]
    spreads: NDArray[np.float64]
    boxes: NDArray[np.float64]
    features: NDArray[np.float32]

    def only(self, is_wanted: NDArray[np.bool_]) -> "Found":
        """Return some of the images, numbered anew."""
        own = is_wanted[self.rows]
        places = np.cumsum(is_wanted) - 1
        return Found(
            places[self.rows[own]], self.findings[own], self.scores[own], self.spreads[own],
            self.boxes[own], self.features[is_wanted],
        )  # fmt: skip


class Detector:
    """One network and the pictures that it may learn from and be asked about.

    On a GPU the step is recorded once and replayed: everything that chance decides is drawn
    before a training starts.
    """

    def __init__(self, recipe: Recipe, size: int, device: str) -> None:
        self.recipe, self.size, self.device = recipe, size, torch.device(device)
        torch.manual_seed(0)
        self.network, self.averaged = (
            Network(recipe.width).to(self.device).to(memory_format=torch.channels_last)
            for _ in range(2)
        )
        self.averaged.eval()
        self.rate = torch.zeros((), device=self.device)
        self.graphed = self.device.type == "cuda"
        self.optimiser = torch.optim.AdamW(
            self.network.parameters(),
            lr=self.rate if self.graphed else recipe.rate,
            weight_decay=recipe.decay,
            capturable=self.graphed,
            foreach=self.graphed,
            fused=not self.graphed,
        )
        self.step_number = torch.zeros(1, dtype=torch.long, device=self.device)
        most = max(recipe.first, recipe.iterations)
        self.drawn_rows = torch.zeros(most, recipe.batch, dtype=torch.long, device=self.device)
        self.drawn_changes = torch.zeros(most, recipe.batch, 5, device=self.device)
        self.rates = torch.zeros(most, device=self.device)
        self.begun: dict[str, Tensor] | None = None
        self.graph: torch.cuda.CUDAGraph | None = None
        self.pixels = torch.zeros(0)
        self.boxes = torch.zeros(0)
        self.findings = torch.zeros(0)

    def look_at(self, pixels: NDArray[np.uint8], truths: list[NDArray[np.float64]]) -> None:
        """Take pictures and what is on them.

        Parameters
        ----------
        pixels : ndarray of shape (n, size, size)
            Grey values.
        truths : list of ndarray of shape (m, 5)
            Class id and box in pixels of every lesion, by image.
        """
        most = max((len(one) for one in truths), default=1) or 1
        boxes = np.tile(np.array([0.0, 0.0, 4.0, 4.0], dtype=np.float32), (len(truths), most, 1))
        findings = np.full((len(truths), most), -1, dtype=np.int64)
        for row, one in enumerate(truths):
            boxes[row, : len(one)] = one[:, 1:]
            findings[row, : len(one)] = one[:, 0]
        self.graph = None
        self.pixels = torch.from_numpy(pixels).to(self.device)
        self.boxes = torch.from_numpy(boxes).to(self.device)
        self.findings = torch.from_numpy(findings).to(self.device)

    def begin(self, rows: NDArray[np.int64], *, seed: int) -> None:
        """Train from scratch on the start, and keep it for `train` to go on from.

        Parameters
        ----------
        rows : ndarray of int
            Which pictures.
        seed : int
            Decides the first weights and everything that is drawn.
        """
        torch.manual_seed(seed)
        self.begun = Network(self.recipe.width).state_dict()
        self._train(rows, seed, self.recipe.first)
        self.begun = {name: value.clone() for name, value in self.averaged.state_dict().items()}

    def train(self, rows: NDArray[np.int64], *, seed: int) -> None:
        """Train on some of the pictures, from what was learned of the start.

        Parameters
        ----------
        rows : ndarray of int
            Which.
        seed : int
            Decides everything that is drawn.
        """
        self._train(rows, seed, self.recipe.iterations)

    def _train(self, rows: NDArray[np.int64], seed: int, steps: int) -> None:
        self._start(rows, seed, steps)
        if self.graphed:
            if self.graph is None:
                self._record()
                self._start(rows, seed, steps)
            assert self.graph is not None  # noqa: S101 - recorded just now
            for _ in range(steps):
                self.graph.replay()
        else:
            for rate in self.rates[:steps].tolist():
                self.optimiser.param_groups[0]["lr"] = rate
                self._step()
        buffers = dict(self.network.named_buffers())
        for name, buffer in self.averaged.named_buffers():
            buffer.copy_(buffers[name])

    @torch.no_grad()
    def ask(self, rows: NDArray[np.int64], *, at_once: int = 512) -> Found:
        """Mark some of the pictures.

        Parameters
        ----------
        rows : ndarray of int
            Which.
        at_once : int
            How many at a time.

        Returns
        -------
        Found
            At most `KEPT` boxes per image and finding.
        """
        parts = []
        for start in range(0, len(rows), at_once):
            chosen = torch.from_numpy(rows[start : start + at_once]).to(self.device)
            with self._half_precision():
                heat, distances, pooled = self.averaged(_scaled(self.pixels[chosen]))
            parts.append((*_peaks(heat.float(), distances.float()), pooled.float()))
        scores, spreads, boxes, is_kept, features = (
            torch.cat(part).cpu().numpy() for part in zip(*parts, strict=True)
        )
        images, findings, peaks = np.nonzero(is_kept & (scores >= LEAST_SCORE))
        where = images, findings, peaks
        pixels = np.clip(boxes[where].astype(np.float64) * STRIDE, 0, self.size)
        pixels[:, 2:] = np.maximum(pixels[:, 2:], pixels[:, :2] + 0.5)
        return Found(
            images, findings, scores[where].astype(np.float64),
            spreads[where].astype(np.float64), pixels, features,
        )  # fmt: skip

    def _start(self, rows: NDArray[np.int64], seed: int, steps: int) -> None:
        """Set weights, moments, chance and counters to where a training begins."""
        if self.begun is None:
            raise NotBegunError("expected `begin` before `train`")
        for network in (self.network, self.averaged):
            network.load_state_dict(self.begun)
        self.network.train()
        for moments in self.optimiser.state.values():
            for moment in moments.values():
                moment.zero_()
        rng = np.random.default_rng(seed)
        findings = self.findings.cpu().numpy()[rows]
        shape = (steps, self.recipe.batch)
        drawn = rows[rng.choice(len(rows), shape, p=_shares(findings))]
        changes = rng.uniform(-1, 1, (*shape, 5)).astype(np.float32)
        self.drawn_rows[:steps] = torch.from_numpy(drawn).to(self.device)
        self.drawn_changes[:steps] = torch.from_numpy(changes).to(self.device)
        self.rates[:steps] = torch.from_numpy(_rates(self.recipe.rate, steps)).to(self.rates)
        self.step_number.zero_()

    def _step(self) -> None:
        """Do one step of training; reads and moves the counter on the device."""
        rows = self.drawn_rows.index_select(0, self.step_number)[0]
        changes = self.drawn_changes.index_select(0, self.step_number)[0]
        if self.graphed:
            self.rate.copy_(self.rates.index_select(0, self.step_number)[0])
        findings = self.findings[rows]
        # A recorded step has one shape; elsewhere the widest image of the batch is enough.
        most = findings.shape[1] if self.graphed else int((findings >= 0).sum(dim=1).max()) or 1
        pictures, boxes = _changed(self.pixels[rows], self.boxes[rows, :most], changes)
        self.optimiser.zero_grad(set_to_none=False)
        with self._half_precision():
            found = self.network(pictures)
        loss(found, boxes / STRIDE, findings[:, :most]).backward()  # type: ignore[no-untyped-call]
        self.optimiser.step()
        with torch.no_grad():
            slow: list[Tensor] = list(self.averaged.parameters())
            fast: list[Tensor] = list(self.network.parameters())
            torch._foreach_lerp_(slow, fast, 1 / AVERAGED_STEPS)
        self.step_number += 1

    def _record(self) -> None:
        """Record the step: a few warm ones on a side stream, then the recording."""
        side = torch.cuda.Stream()  # type: ignore[no-untyped-call]
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            for _ in range(3):
                self._step()
        torch.cuda.current_stream().wait_stream(side)
        self.graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self.graph):
            self._step()

    def _half_precision(self) -> torch.autocast:
        return torch.autocast(self.device.type, dtype=torch.bfloat16, cache_enabled=False)


def _rates(highest: float, steps: int) -> NDArray[np.float64]:
    """Return the learning rate of every step: up over a tenth, down along a cosine."""
    done = (np.arange(steps) + 0.5) / steps
    falling = 0.5 + 0.5 * np.cos(np.pi * np.clip((done - 0.1) / 0.9, 0, 1))
    return np.asarray(highest * np.minimum(done / 0.1, 1.0) * falling, dtype=np.float64)


def _shares(findings: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return how often each picture is drawn: half of them abnormal, rare findings more often."""
    there = np.stack([(findings == finding).any(axis=1) for finding in Finding], axis=1)
    is_abnormal = there.any(axis=1)
    frequency = there[is_abnormal].mean(axis=0) if is_abnormal.any() else np.ones(len(Finding))
    factors = np.sqrt(np.maximum(RARE_SHARE / np.maximum(frequency, 1e-3), 1.0))
    wanted = np.where(is_abnormal, (there * factors).max(axis=1), 0.0)
    normal = (~is_abnormal).astype(np.float64)
    if not is_abnormal.any() or is_abnormal.all():
        return np.full(len(findings), 1 / len(findings))
    return np.asarray(0.5 * wanted / wanted.sum() + 0.5 * normal / normal.sum())


def _scaled(pixels: Tensor) -> Tensor:
    return pixels.float() / 64 - 2


def _changed(pixels: Tensor, boxes: Tensor, changes: Tensor) -> tuple[Tensor, Tensor]:
    """Return pictures and boxes moved and resized a little, exposed otherwise."""
    size = pixels.shape[-1]
    zoom = 1 + ZOOM * changes[:, 0]
    shift = 2 * SHIFT * changes[:, 1:3]
    nothing = torch.zeros_like(zoom)
    rows = [
        torch.stack([zoom, nothing, shift[:, 0]], dim=1),
        torch.stack([nothing, zoom, shift[:, 1]], dim=1),
    ]
    grid = functional.affine_grid(
        torch.stack(rows, dim=1), [len(pixels), 1, size, size], align_corners=False
    )
    moved = functional.grid_sample(
        _scaled(pixels)[:, None], grid, padding_mode="border", align_corners=False
    )[:, 0]
    exposed = moved * (1 + 0.15 * changes[:, 3, None, None]) + 0.2 * changes[:, 4, None, None]
    centred = boxes * (2 / size) - 1
    back = (centred - shift.repeat(1, 2)[:, None]) / zoom[:, None, None]
    return exposed, ((back + 1) * (size / 2)).clamp(0, size)


def _peaks(heat: Tensor, distances: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return scores, spreads, boxes and which to keep, of shape (b, 14, peaks, ...)."""
    p = heat.sigmoid()
    p = p * (functional.max_pool2d(p, 3, 1, 1) == p)
    batch, findings, side, _ = p.shape
    scores, flat = p.flatten(2).topk(PEAKS, dim=2)
    shares = distances.view(batch, 4, BINS, side * side).softmax(dim=2)
    bins = torch.arange(BINS, device=heat.device)[:, None]
    mean = (shares * bins).sum(dim=2)
    deviation = ((shares * bins**2).sum(dim=2) - mean**2).clamp(min=0).sqrt().mean(dim=1)
    spreads = deviation.gather(1, flat.flatten(1)).view_as(scores)
    where = flat.flatten(1)[:, None].expand(-1, 4, -1)
    sides = mean.gather(2, where).view(batch, 4, findings, PEAKS).permute(0, 2, 3, 1)
    middle = torch.stack([flat % side, flat // side], dim=3) + 0.5
    boxes = torch.cat([middle - sides[..., :2], middle + sides[..., 2:]], dim=3)
    return scores, spreads, boxes, _kept(boxes)


def _kept(boxes: Tensor) -> Tensor:
    """Tell which boxes, sorted by score, overlap no better one that is kept."""
    low = torch.maximum(boxes[..., :, None, :2], boxes[..., None, :, :2])
    high = torch.minimum(boxes[..., :, None, 2:], boxes[..., None, :, 2:])
    shared = (high - low).clamp(min=0).prod(dim=-1)
    areas = (boxes[..., 2:] - boxes[..., :2]).prod(dim=-1)
    overlap = shared / (areas[..., :, None] + areas[..., None, :] - shared).clamp(min=1e-6)
    is_kept = torch.ones_like(areas, dtype=torch.bool)
    for better in range(PEAKS):
        is_near = overlap[..., better, better + 1 :] > SAME_LESION_IOU
        is_kept[..., better + 1 :] &= ~(is_near & is_kept[..., better, None])
    return is_kept & (is_kept.cumsum(dim=-1) <= KEPT)
