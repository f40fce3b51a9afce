"""What every finding looks like inside its box, as attenuation added to the chest's."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import cv2
import numpy as np

from backend.domain.findings import Finding
from benchmarks.phantom.anatomy import Picture, inside

FINEST_PX = 2.2
"""Finer structure would be averaged away by the pixels; in small pictures it is drawn coarser."""


@dataclass(frozen=True, slots=True)
class Place:
    """The pixels of a lesion.

    Attributes
    ----------
    u, v : ndarray of shape (1, w), (h, 1)
        From -1 at the box's left and upper edge to 1 at its right and lower one.
    outwards : int
        1 where u grows away from the midline, else -1.
    size : int
        Side of the whole picture, in pixels.
    box_px : tuple of float
        Width and height of the box.
    rng : numpy.random.Generator
        What makes each lesion its own.
    """

    u: Picture
    v: Picture
    outwards: int
    size: int
    box_px: tuple[float, float]
    rng: np.random.Generator

    def grain(self, cell: float) -> Picture:
        """Return smooth noise of unit variance whose grains are a share of the picture wide."""
        height, width = self.v.shape[0], self.u.shape[1]
        cell_px = max(cell * self.size, FINEST_PX)
        shape = (max(round(height / cell_px), 1) + 2, max(round(width / cell_px), 1) + 2)
        coarse = self.rng.normal(0, 1, shape).astype(np.float32)
        return np.asarray(
            cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC), dtype=np.float32
        )

    def ellipse(self, edge: float) -> Picture:
        """Return a soft ellipse that fills the box."""
        return inside(1 - np.hypot(self.u, self.v), edge)

    def window(self) -> Picture:
        """Return a soft rectangle that fills the box."""
        return inside(1 - np.abs(self.u), 0.12) * inside(1 - np.abs(self.v), 0.12)


def _aortic_enlargement(at: Place) -> Picture:
    arch = inside(1 - np.hypot(at.u, at.v * 1.02), 0.07)
    rim = np.exp(-(((np.hypot(at.u, at.v) - 0.93) / 0.09) ** 2))
    return 0.34 * arch + 0.12 * rim


def _atelectasis(at: Place) -> Picture:
    tilt = at.rng.uniform(-0.5, 0.5)
    across = at.v - tilt * at.u
    plates = sum(np.exp(-(((across - shift) / 0.11) ** 2)) for shift in (-0.45, 0.35))
    wedge = inside(0.95 - np.abs(at.v) - 0.45 * (at.outwards * at.u + 1), 0.05)
    return (0.2 * plates + 0.24 * wedge) * at.window()


def _calcification(at: Place) -> Picture:
    picture = np.zeros((at.v.shape[0], at.u.shape[1]), dtype=np.float32)
    for x, y in at.rng.uniform(-0.7, 0.7, (int(at.rng.integers(3, 8)), 2)).tolist():
        spot = np.hypot((at.u - x) * at.box_px[0], (at.v - y) * at.box_px[1]) / 2
        radius = max(0.1 * min(at.box_px), 0.6)
        picture = np.maximum(picture, np.exp(-((spot / radius) ** 4)))
    return 0.5 * picture


def _consolidation(at: Place) -> Picture:
    edge = np.hypot(at.u, at.v) + 0.16 * at.grain(0.03)
    dense = inside(0.92 - edge, 0.12)
    tilt = at.rng.uniform(-0.6, 0.6)
    bronchi = sum(
        np.exp(-(((at.v - (tilt + fan) * at.u) / 0.07) ** 2)) for fan in (-0.45, 0.0, 0.45)
    )
    return dense * (0.36 - 0.15 * np.minimum(bronchi, 1.0))


def _ild(at: Place) -> Picture:
    mesh = np.exp(-((at.grain(0.016) / 0.35) ** 2)) + np.exp(-((at.grain(0.028) / 0.3) ** 2))
    return np.asarray(0.2 * (mesh - 0.45) * at.window())


def _infiltration(at: Place) -> Picture:
    patches = np.clip(at.grain(0.05) + 0.35, 0, 1.6)
    return np.asarray(0.22 * patches * np.exp(-1.3 * (at.u**2 + at.v**2)))


def _lung_opacity(at: Place) -> Picture:
    haze: Picture = 0.24 * np.exp(-1.6 * (at.u**2 + at.v**2) ** 1.3)
    return haze


def _nodule_mass(at: Place) -> Picture:
    angle = np.arctan2(at.v, at.u)
    lobes = 0.07 * np.cos(angle * int(at.rng.integers(3, 7)) + at.rng.uniform(0, 6))
    spicules = 0.05 * np.cos(angle * 13) * (at.rng.random() < 0.4)
    return 0.34 * inside(0.93 - np.hypot(at.u, at.v) + lobes + spicules, 0.09)


def _other_lesion(at: Place) -> Picture:
    radius = np.hypot(at.u, at.v)
    kind = int(at.rng.integers(3))
    if kind == 0:  # a cavity: dark with a wall
        return 0.34 * np.exp(-(((radius - 0.8) / 0.14) ** 2)) - 0.14 * inside(0.7 - radius, 0.1)
    if kind == 1:  # a bulla: darker than lung, with a hair line around it
        return 0.16 * np.exp(-(((radius - 0.92) / 0.06) ** 2)) - 0.2 * inside(0.9 - radius, 0.08)
    bands = np.cos((at.u + at.v) * 7 + at.rng.uniform(0, 6))
    return 0.26 * np.clip(bands, 0, 1) * at.window()


def _pleural_effusion(at: Place) -> Picture:
    surface = -0.75 + 0.75 * np.clip(0.5 - 0.5 * at.outwards * at.u, 0, None) ** 1.5
    fluid = inside(at.v - surface, 0.10) * inside(1 - np.abs(at.u), 0.06)
    return 0.46 * fluid * inside(1.05 - at.v, 0.08)


def _pleural_thickening(at: Place) -> Picture:
    bulge = 0.45 + 0.25 * np.cos(at.v * 2.2 + at.rng.uniform(-0.4, 0.4))
    peel = inside(at.outwards * at.u - (1 - 2 * bulge) + 0.1 * at.grain(0.02), 0.12)
    return 0.34 * peel * at.window()


def _pneumothorax(at: Place) -> Picture:
    line = -0.35 + 0.35 * at.v**2 + 0.06 * np.sin(at.v * 4 + at.rng.uniform(0, 6))
    beyond = at.outwards * at.u - line
    pleura = np.exp(-((beyond / 0.05) ** 2))
    return np.asarray((0.2 * pleura - 0.2 * inside(beyond, 0.06)) * at.ellipse(0.3))


def _pulmonary_fibrosis(at: Place) -> Picture:
    tilt = at.rng.uniform(-0.9, 0.9)
    along = (at.u * np.cos(tilt) + at.v * np.sin(tilt)) + 0.12 * at.grain(0.03)
    streaks = np.clip(np.cos(along * at.rng.uniform(9, 13)), 0, 1) ** 2
    return np.asarray(0.3 * streaks * np.exp(-0.9 * (at.u**2 + at.v**2)))


LOOKS: Mapping[Finding, Callable[[Place], Picture]] = {
    Finding.AORTIC_ENLARGEMENT: _aortic_enlargement,
    Finding.ATELECTASIS: _atelectasis,
    Finding.CALCIFICATION: _calcification,
    Finding.CONSOLIDATION: _consolidation,
    Finding.ILD: _ild,
    Finding.INFILTRATION: _infiltration,
    Finding.LUNG_OPACITY: _lung_opacity,
    Finding.NODULE_MASS: _nodule_mass,
    Finding.OTHER_LESION: _other_lesion,
    Finding.PLEURAL_EFFUSION: _pleural_effusion,
    Finding.PLEURAL_THICKENING: _pleural_thickening,
    Finding.PNEUMOTHORAX: _pneumothorax,
    Finding.PULMONARY_FIBROSIS: _pulmonary_fibrosis,
}
"""All but cardiomegaly, which is no addition: the heart itself is larger."""
