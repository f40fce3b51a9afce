"""A chest without findings, as attenuation: 0 air … 1 soft tissue, bone above it."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.floating]

LUNG_AIR = 0.62
"""How much less than soft tissue a lung attenuates."""
HILUM = (0.085, 0.45)
"""Distance from the midline, and height."""


@dataclass(frozen=True, slots=True)
class Build:
    """What differs between people; places as shares of the picture."""

    midline: float
    half_width: float
    apex: float
    domes: tuple[float, float]
    heart: tuple[float, float, float, float]
    knob: tuple[float, float, float]
    rib_spacing: float
    rib_start: float
    rib_contrast: float
    breast: float
    bubble: float


def draw_build(rng: np.random.Generator) -> Build:
    """Draw a person.

    Parameters
    ----------
    rng : numpy.random.Generator
        The only source of chance.

    Returns
    -------
    Build
        With a heart and an aorta of normal size.
    """
    midline = 0.5 + rng.normal(0, 0.012)
    half_width = rng.uniform(0.375, 0.43)
    dome = rng.normal(0.715, 0.03)
    heart_half = half_width * rng.uniform(0.40, 0.47)
    return Build(
        midline=midline,
        half_width=half_width,
        apex=rng.normal(0.10, 0.018),
        domes=(dome, dome + rng.uniform(0.01, 0.04)),
        heart=(midline + 0.055, dome - 0.10, heart_half, rng.uniform(0.125, 0.155)),
        knob=(midline + rng.uniform(0.045, 0.06), rng.normal(0.335, 0.015), 0.036),
        rib_spacing=rng.uniform(0.078, 0.092),
        rib_start=rng.uniform(0, 1),
        rib_contrast=rng.uniform(0.6, 1.2),
        breast=rng.uniform(0.03, 0.09) * (rng.random() < 0.45),
        bubble=rng.uniform(0.1, 0.3) * (rng.random() < 0.5),
    )


@dataclass(frozen=True, slots=True)
class Canvas:
    """Coordinates of a picture's pixels.

    Attributes
    ----------
    size : int
        Side in pixels.
    x, y : ndarray of shape (1, size), (size, 1)
        Centres of the pixels, as shares of the side.
    """

    size: int
    x: Picture
    y: Picture

    @classmethod
    def of(cls, size: int) -> "Canvas":
        """Make one of a side in pixels."""
        centres = (np.arange(size, dtype=np.float32) + 0.5) / size
        return cls(size, centres[None, :], centres[:, None])


def inside(distance: Picture, softness: float) -> Picture:
    """Return a soft mask: 1 where a signed distance is well above 0.

    Parameters
    ----------
    distance : ndarray of any shape
        Above 0 inside.
    softness : float
        Distance over which the edge fades.

    Returns
    -------
    ndarray of the same shape
        In [0, 1].
    """
    return np.asarray(0.5 + 0.5 * np.tanh(distance / softness), dtype=np.float32)


def attenuation(canvas: Canvas, build: Build, rng: np.random.Generator) -> tuple[Picture, Picture]:
    """Draw the chest.

    Parameters
    ----------
    canvas : Canvas
        The pixels.
    build : Build
        The person.
    rng : numpy.random.Generator
        For what has no name: vessels, clutter.

    Returns
    -------
    attenuation : ndarray of shape (size, size)
        Of the chest.
    air : ndarray of shape (size, size)
        Where aerated lung lies in the beam, in [0, 1].
    """
    aside = canvas.x - build.midline
    away = np.abs(aside)
    body = inside(_half_body(canvas.y) - away, 0.015)
    air = _lungs(canvas, build, away) * (1 - _mediastinum(canvas, build, aside))
    picture = body * (1 - LUNG_AIR * air)
    picture += _bones(canvas, build, away) * body
    picture += _vessels(canvas.size, build, rng) * air
    picture -= 0.2 * np.exp(-((aside / 0.019) ** 2)) * inside(0.36 - canvas.y, 0.03) * body
    picture += _soft_tissue(canvas, build, away, air)
    clutter = rng.normal(0, 0.03, (7, 7)).astype(np.float32)
    smooth = cv2.resize(clutter, (canvas.size, canvas.size), interpolation=cv2.INTER_CUBIC)
    return np.asarray(picture + body * smooth, dtype=np.float32), air


def _half_body(y: Picture) -> Picture:
    """Return how far the body reaches to each side: neck, shoulders, trunk."""
    rise = np.clip((y - 0.015) / 0.15, 0, 1)
    return np.asarray(0.13 + 0.42 * rise * rise * (3 - 2 * rise), dtype=np.float32)


def _lungs(canvas: Canvas, build: Build, away: Picture) -> Picture:
    """Return both lung fields: between ribs and mediastinum, under the apex, over the dome."""
    is_left = canvas.x > build.midline
    dome = np.where(is_left, build.domes[1], build.domes[0])
    share = np.clip((canvas.y - build.apex) / (build.domes[0] - build.apex), 0, 1.4)
    wall = build.half_width * (0.42 + 0.58 * np.sqrt(1 - np.clip(1 - share, 0, 1) ** 2.4))
    middle = build.half_width * 0.45
    top = build.apex + 2.6 * (away - middle * 0.85) ** 2
    bottom = dome + 1.1 * np.clip(away - middle, 0, 1) ** 1.6 + 0.5 * (away - middle) ** 2
    lung = inside(wall - away, 0.01) * inside(away - 0.045 - 0.02 * share, 0.012)
    return np.asarray(
        lung * inside(canvas.y - top, 0.012) * inside(bottom - canvas.y, 0.008), dtype=np.float32
    )


def _mediastinum(canvas: Canvas, build: Build, aside: Picture) -> Picture:
    """Return what lies before the lungs: great vessels, knob of the aorta, heart."""
    centre, height, half, rise = build.heart
    heart = np.abs((canvas.x - centre) / half) ** 2.1 + np.abs((canvas.y - height) / rise) ** 2.1
    knob = np.hypot(canvas.x - build.knob[0], canvas.y - build.knob[1])
    stem = 0.052 + 0.03 * np.clip(canvas.y - 0.3, 0, 1)
    below = inside(canvas.y - height + rise * 0.3, 0.06)
    masks = (
        inside(1 - heart, 0.16),
        inside(build.knob[2] - knob, 0.008),
        inside(stem - np.abs(aside - 0.006), 0.012),
        0.9 * below * inside(half * 0.62 - np.abs(canvas.x - centre), 0.05),
    )
    return np.asarray(np.maximum.reduce(np.broadcast_arrays(*masks)), dtype=np.float32)


def _bones(canvas: Canvas, build: Build, away: Picture) -> Picture:
    """Return ribs behind and before, collar bones, and the spine."""
    cage = inside(build.half_width + 0.03 - away, 0.012) * inside(away - 0.03, 0.02)
    cage = cage * inside(canvas.y - build.apex + 0.03, 0.03) * inside(0.86 - canvas.y, 0.06)
    behind = canvas.y - 0.75 * away + 1.25 * away**2
    before = canvas.y + 0.30 * away - 1.5 * (away - 0.2) ** 2
    ribs = 0.085 * _stripes(behind / build.rib_spacing + build.rib_start)
    ribs = ribs + 0.05 * _stripes(before / (build.rib_spacing * 1.15) + build.rib_start * 3)
    collar = np.abs(canvas.y - build.apex - 0.075 + 0.28 * (away - 0.05) - 0.35 * away**2)
    collar = np.exp(-((collar / 0.014) ** 4)) * inside(away - 0.03, 0.01)
    spine = np.exp(-((away / 0.04) ** 4)) * (0.5 + 0.5 * np.cos(canvas.y * 2 * np.pi / 0.055))
    bones = build.rib_contrast * cage * ribs + 0.09 * collar * inside(0.4 - away, 0.02)
    return np.asarray(bones + 0.035 * spine, dtype=np.float32)


def _stripes(phase: Picture) -> Picture:
    """Return ribs across one axis: a band with brighter edges at every whole phase."""
    from_middle = np.abs(phase - np.round(phase))
    band = np.exp(-((from_middle / 0.23) ** 6))
    return np.asarray(
        0.6 * band + 0.5 * np.exp(-(((from_middle - 0.2) / 0.05) ** 2)), dtype=np.float32
    )


def _vessels(size: int, build: Build, rng: np.random.Generator) -> Picture:
    """Return vessels that fan out of both hila and thin out."""
    drawn = np.zeros((size, size), dtype=np.uint8)
    for side in (-1, 1):
        start = np.array([build.midline + side * HILUM[0], HILUM[1] + rng.normal(0, 0.015)])
        for angle in rng.normal(np.linspace(-1.25, 1.35, 9), 0.12).tolist():
            _branch(drawn, start, (side, angle), rng)
    blurred = cv2.GaussianBlur(drawn.astype(np.float32), (0, 0), max(0.004 * size, 0.45))
    return np.asarray(blurred * np.float32(0.30 / 255), dtype=np.float32)


def _branch(
    drawn: NDArray[np.uint8],
    start: NDArray[np.float64],
    towards: tuple[int, float],
    rng: np.random.Generator,
) -> None:
    """Draw one vessel with a fork, piece by piece, each thinner and fainter than the last."""
    size = len(drawn)
    side, angle = towards
    at, length, width = start, rng.uniform(0.045, 0.07), 0.013
    for piece in range(5):
        angle += float(rng.normal(0, 0.18))
        ends = [at + length * np.array([side * np.cos(angle), np.sin(angle)])]
        if piece in {1, 3}:
            fork = angle + 0.5 * float(rng.choice([-1, 1]))
            ends.append(at + length * np.array([side * np.cos(fork), np.sin(fork)]))
        for end in ends:
            _line(drawn, (at, end), width * size, strength=0.9 - 0.14 * piece)
        at, width = ends[0], width * 0.74


def _line(
    drawn: NDArray[np.uint8],
    ends: tuple[NDArray[np.float64], NDArray[np.float64]],
    width_px: float,
    *,
    strength: float,
) -> None:
    """Draw a line; one thinner than a pixel is drawn fainter instead."""
    thickness = max(round(width_px), 1)
    value = round(255 * strength * min(width_px / thickness, 1.0))
    first, last = (tuple(np.round(end * len(drawn) * 16).astype(int).tolist()) for end in ends)
    cv2.line(drawn, first, last, value, thickness, cv2.LINE_AA, 4)


def _soft_tissue(canvas: Canvas, build: Build, away: Picture, air: Picture) -> Picture:
    """Return breasts over the lungs, and the bubble of air in the stomach."""
    breast = np.hypot((away - 0.23) / 0.17, (canvas.y - 0.62) / 0.19)
    bubble = np.hypot(
        (canvas.x - build.midline - 0.19) / 0.075, (canvas.y - build.domes[1] - 0.075) / 0.04
    )
    added = build.breast * inside(1 - breast, 0.1) * (0.4 + 0.6 * air)
    return np.asarray(added - build.bubble * inside(1 - bubble, 0.15), dtype=np.float32)
