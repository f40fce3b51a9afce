"""A layout as a radiograph."""

from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from multiprocessing import get_context

import cv2
import numpy as np
from numpy.typing import NDArray

from backend.domain.findings import Finding
from benchmarks.phantom.anatomy import Build, Canvas, Picture, attenuation, draw_build, inside
from benchmarks.phantom.layouts import Layouts, Numbers
from benchmarks.phantom.looks import LOOKS, Place

SMALLEST_PX = 5.0
"""A smaller side of a box could not be seen; box and lesion are made larger."""
BEYOND = 1.2
"""How far past its box a lesion is drawn, so that soft edges are not cut."""
STRENGTHS = (0.4, 0.75, 1.0)
"""Contrast of a lesion with one, two, three votes."""
FULL_CONTRAST_PX = 128
"""In smaller pictures lesions are of few pixels, so they are drawn with more contrast."""
AT_ONCE = 64

Radiograph = NDArray[np.uint8]


class UnusableSizeError(ValueError):
    """The picture would be too small to show anything, or needlessly large."""


@dataclass(frozen=True, slots=True)
class Phantoms:
    """Rendered radiographs.

    Attributes
    ----------
    pixels : ndarray of shape (count, size, size)
        Grey values.
    boxes : ndarray of shape (n, 4), [px]
        Where the lesions of the layouts are, in their order.
    """

    pixels: NDArray[np.uint8]
    boxes: Numbers


def boxes_px(layouts: Layouts, size: int) -> Numbers:
    """Return where lesions are in pictures of a size.

    Parameters
    ----------
    layouts : Layouts
        Any.
    size : int
        Side of the picture, in pixels.

    Returns
    -------
    ndarray of shape (n, 4), [px]
        Inside the picture, no side below `SMALLEST_PX`.
    """
    low, high = layouts.boxes[:, :2] * size, layouts.boxes[:, 2:] * size
    sides = np.maximum(high - low, SMALLEST_PX)
    centres = np.clip((low + high) / 2, sides / 2, size - sides / 2)
    return np.hstack([centres - sides / 2, centres + sides / 2])


def render(layout: Layouts, size: int, rng: np.random.Generator) -> Radiograph:
    """Draw one radiograph.

    Parameters
    ----------
    layout : Layouts
        Of one image.
    size : int
        Side in pixels, from 64 to 512.
    rng : numpy.random.Generator
        The only source of chance: the same state gives the same picture.

    Returns
    -------
    ndarray of shape (size, size)
        Grey values; bright is dense.

    Raises
    ------
    UnusableSizeError
        If the size is out of range.
    """
    if not 64 <= size <= 512:
        raise UnusableSizeError(f"expected a side from 64 to 512 pixels, got {size}")
    # Streams of their own: the same person with and without lesions.
    of_person, of_lesions, of_film = rng.spawn(3)
    canvas = Canvas.of(size)
    boxes = boxes_px(layout, size)
    varied = of_lesions.uniform(0.85, 1.15, len(layout.votes))
    contrast = max(np.sqrt(FULL_CONTRAST_PX / size), 1.0)
    strengths = contrast * np.array(STRENGTHS)[layout.votes - 1] * varied
    build = draw_build(of_person)
    is_heart = layout.findings == Finding.CARDIOMEGALY
    if is_heart.any():
        largest = int(np.argmax(np.where(is_heart, strengths, 0.0)))
        strength = min(float(strengths[largest]), 1.0)
        build = _with_larger_heart(build, boxes[largest] / size, strength)
    picture, air = attenuation(canvas, build, of_person)
    for finding, box, strength in zip(layout.findings, boxes, strengths, strict=True):
        if finding != Finding.CARDIOMEGALY:
            lesion = (Finding(int(finding)), box, float(strength))
            _add(picture, air, lesion, of_lesions)
    _add_what_is_harmless(picture, canvas, air, of_film)
    return _exposed(picture, of_film)


def render_all(layouts: Layouts, size: int, *, seed: int, processes: int = 1) -> Phantoms:
    """Draw the radiographs of many layouts.

    Parameters
    ----------
    layouts : Layouts
        Of any number of images.
    size : int
        Side in pixels, from 64 to 512.
    seed : int
        Every image has its own generator, of this and its number.
    processes : int
        How many draw; what they draw does not depend on it.

    Returns
    -------
    Phantoms
        In the order of the layouts.
    """
    pixels = np.zeros((layouts.count, size, size), dtype=np.uint8)
    starts = range(0, layouts.count, AT_ONCE)
    for start, drawn in zip(starts, _drawn(layouts, size, seed, processes), strict=True):
        pixels[start : start + len(drawn)] = drawn
    return Phantoms(pixels, boxes_px(layouts, size))


def _drawn(layouts: Layouts, size: int, seed: int, processes: int) -> Iterator[NDArray[np.uint8]]:
    draw = partial(_some, size=size, seed=seed)
    parts = [
        (start, [layouts.of(image) for image in range(start, min(start + AT_ONCE, layouts.count))])
        for start in range(0, layouts.count, AT_ONCE)
    ]
    if processes == 1:
        yield from map(draw, parts)
        return
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        yield from pool.map(draw, parts)


def _some(part: tuple[int, list[Layouts]], *, size: int, seed: int) -> NDArray[np.uint8]:
    cv2.setNumThreads(1)
    first, layouts = part
    return np.stack(
        [
            render(layout, size, np.random.default_rng([seed, first + place]))
            for place, layout in enumerate(layouts)
        ]
    )


def _with_larger_heart(build: Build, box: Numbers, strength: float) -> Build:
    """Return the person with a heart as wide as a box, or wider part of the way there.

    The box holds the widest part of the heart, as readers draw it; the heart lies on the
    diaphragm, which moves with it.
    """
    x, y, half, rise = build.heart
    right = x + strength * ((box[0] + box[2]) / 2 - x)
    lower = strength * ((box[1] + box[3]) / 2 - y)
    wider = half + strength * ((box[2] - box[0]) / 2 - half)
    higher = max(rise, strength * (box[3] - box[1]) * 0.6)
    return replace(
        build,
        heart=(float(right), float(y + lower), float(wider), float(higher)),
        domes=(float(build.domes[0] + lower), float(build.domes[1] + lower)),
    )


def _add(
    picture: Picture,
    air: Picture,
    lesion: tuple[Finding, Numbers, float],
    rng: np.random.Generator,
) -> None:
    """Draw a lesion into the picture; where there is little air to replace, it shows less."""
    finding, box, strength = lesion
    size = len(picture)
    centre, half = (box[:2] + box[2:]) / 2, (box[2:] - box[:2]) / 2
    low = np.clip(np.floor(centre - BEYOND * half), 0, size).astype(int)
    high = np.clip(np.ceil(centre + BEYOND * half), 0, size).astype(int)
    u = (np.arange(low[0], high[0]) + 0.5 - centre[0]) / half[0]
    v = (np.arange(low[1], high[1]) + 0.5 - centre[1]) / half[1]
    place = Place(
        u=u.astype(np.float32)[None, :],
        v=v.astype(np.float32)[:, None],
        outwards=1 if centre[0] > size / 2 else -1,
        size=size,
        box_px=(float(2 * half[0]), float(2 * half[1])),
        rng=rng,
    )
    here = slice(low[1], high[1]), slice(low[0], high[0])
    picture[here] += strength * LOOKS[finding](place) * (0.35 + 0.65 * air[here])


def _add_what_is_harmless(
    picture: Picture, canvas: Canvas, air: Picture, rng: np.random.Generator
) -> None:
    """Draw what is no finding but may look like one: nipples, electrodes, a letter's mark."""
    if rng.random() < 0.10:
        for side in (-1, 1):
            x, y = 0.5 + side * rng.normal(0.22, 0.015), rng.normal(0.66, 0.02)
            spot = np.hypot(canvas.x - x, canvas.y - y)
            picture += 0.13 * inside(0.018 - spot, 0.006) * air
    if rng.random() < 0.06:
        x, y = rng.uniform(0.2, 0.8), rng.uniform(0.2, 0.7)
        picture += 0.5 * inside(0.012 - np.hypot(canvas.x - x, canvas.y - y), 0.003)
        wire = np.abs(canvas.x - x - 0.12 * np.sin((canvas.y - y) * 5))
        picture += 0.18 * inside(0.003 - wire, 0.002) * inside(canvas.y - y, 0.01)
    if rng.random() < 0.5:
        corner = 0.03 + 0.86 * (rng.random() < 0.5)
        mark = inside(0.025 - np.abs(canvas.x - corner - 0.04), 0.004)
        picture += 0.7 * mark * inside(0.02 - np.abs(canvas.y - 0.06), 0.004)


def _exposed(picture: Picture, rng: np.random.Generator) -> Radiograph:
    """Return attenuation as grey values: focus, photons, exposure, the film's curve."""
    size = len(picture)
    blurred = cv2.GaussianBlur(picture, (0, 0), rng.uniform(0.35, 0.6) * max(size / 160, 1.0))
    tilt = rng.normal(0, 0.04) * np.linspace(-1, 1, size, dtype=np.float32)[None, :]
    blurred = blurred + tilt + np.float32(rng.normal(0, 0.03))
    grain = rng.normal(0, 1, picture.shape).astype(np.float32)
    blurred = blurred + grain * rng.uniform(0.012, 0.03) * np.sqrt(np.clip(blurred, 0.1, 1.5))
    shown = np.clip(1 - np.exp(-1.55 * rng.uniform(0.85, 1.15) * np.clip(blurred, 0, None)), 0, 1)
    shown = shown ** rng.uniform(1.0, 1.45)
    return np.asarray(np.round(shown * 255), dtype=np.uint8)
