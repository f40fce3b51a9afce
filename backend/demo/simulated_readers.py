"""Simulated readers: programs that mark the sample's published boxes with human-like errors."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from backend.domain import boxes as box_rules
from backend.domain.boxes import Box
from backend.domain.findings import Finding
from backend.domain.readings import Certainty
from backend.formats.placement import MarkedBox
from backend.label_studio import regions, results
from backend.label_studio.regions import Region

_LOOK_ALIKES = {
    Finding.LUNG_OPACITY: (Finding.CONSOLIDATION, Finding.INFILTRATION),
    Finding.INFILTRATION: (Finding.LUNG_OPACITY, Finding.CONSOLIDATION),
    Finding.PNEUMOTHORAX: (Finding.OTHER_LESION,),
}
_SAME_PLACE_IOU = 0.5


@dataclass(frozen=True, slots=True)
class SimulatedReader:
    """How one simulated reader errs.

    Attributes
    ----------
    reader_id : str
        Pseudonym.
    sensitivity : float
        Share of the published boxes that it marks, in [0, 1].
    confusion : float
        Share of its boxes to which it gives the name of a look-alike, in [0, 1].
    edge_noise : float
        Standard deviation of every edge, as a share of the box's side.
    seed : int
        Of all its errors; with the image they decide the answer.
    """

    reader_id: str
    sensitivity: float
    confusion: float
    edge_noise: float
    seed: int

    def marks(
        self, image_id: str, published: Sequence[MarkedBox], *, width_px: int, height_px: int
    ) -> tuple[MarkedBox, ...]:
        """Return what this reader sees on an image.

        Parameters
        ----------
        image_id : str
            The image.
        published : sequence of MarkedBox
            The boxes that are there, in pixels.
        width_px, height_px : int, [px]
            Size of the image.

        Returns
        -------
        tuple of MarkedBox
            Always the same for the same image; empty for "No finding".
        """
        rng = np.random.default_rng([self.seed, *image_id.encode()])
        seen = []
        for mark in published:
            is_seen, is_confused = rng.random(2) < (self.sensitivity, self.confusion)
            noise = rng.normal(0.0, self.edge_noise, 4)
            others = _LOOK_ALIKES[mark.finding]
            other = others[int(rng.integers(len(others)))]
            if is_seen:
                box = _moved(mark.box, noise, width_px, height_px)
                seen.append(MarkedBox(other if is_confused else mark.finding, box))
        return tuple(seen)

    def answer(
        self,
        marks: Sequence[MarkedBox],
        shown: Sequence[Region],
        *,
        width_px: int,
        height_px: int,
    ) -> list[Region]:
        """Return what this reader submits in Label Studio.

        Parameters
        ----------
        marks : sequence of MarkedBox
            What the reader sees.
        shown : sequence of dict
            Regions of the pre-annotation; one that lies where the reader would draw the same
            finding is accepted as it is, the others are deleted.
        width_px, height_px : int, [px]
            Size of the image.

        Returns
        -------
        list of dict
            Items of a Label Studio result; "No finding" when nothing is marked.
        """
        submitted: list[Region] = []
        for number, mark in enumerate(marks):
            accepted = _same(shown, mark, width_px, height_px)
            if accepted:
                submitted.append(accepted)
                continue
            drawn = regions.region_from_box(
                mark.box, mark.finding, width_px, height_px, key=f"{self.reader_id}-{number}"
            )
            submitted += [drawn, regions.certainty_item(drawn, Certainty.PROBABLE)]
        return submitted or [regions.no_finding_item()]


def _moved(box: Box, noise: NDArray[np.float64], width_px: int, height_px: int) -> Box:
    sides = np.array([box.x_max - box.x_min, box.y_max - box.y_min])
    edges = np.array(box) + noise * np.tile(sides, 2)
    low, high = np.zeros(4), np.tile([width_px, height_px], 2)
    return Box(*np.clip(edges, low, high).round(1).tolist())


def _same(
    shown: Sequence[Region], wanted: MarkedBox, width_px: int, height_px: int
) -> Region | None:
    marked = results.boxes_from_result(shown, {}, width_px, height_px).boxes
    for region, box in zip(shown, marked, strict=True):
        overlap = box_rules.pairwise_iou(box_rules.stack([box.box]), box_rules.stack([wanted.box]))
        if box.finding is wanted.finding and overlap.item() >= _SAME_PLACE_IOU:
            return region
    return None


SIMULATED_READERS = (
    SimulatedReader("simulated-1", sensitivity=0.95, confusion=0.05, edge_noise=0.04, seed=1),
    SimulatedReader("simulated-2", sensitivity=0.85, confusion=0.15, edge_noise=0.07, seed=2),
    SimulatedReader("simulated-3", sensitivity=0.75, confusion=0.25, edge_noise=0.10, seed=3),
)
"""The demonstration's readers, from careful to careless."""
