"""Truths and predictions for tests: a few boxes on a few places, so that they often meet."""

import numpy as np
from hypothesis import strategies as st

from backend.domain.boxes import Box
from backend.domain.findings import Finding
from backend.domain.predictions import PredictedBox

Truths = dict[str, list[tuple[Finding, Box]]]
Predictions = dict[str, list[PredictedBox]]

_SIDE = 100.0


def square(x: float, y: float = 0.0, side: float = _SIDE) -> Box:
    return Box(x, y, x + side, y + side)


few_boxes = st.builds(
    square,
    st.integers(0, 5).map(lambda step: 25.0 * step),
    st.integers(0, 1).map(lambda step: 60.0 * step),
    st.sampled_from([100.0, 80.0]),
)
findings = st.sampled_from([Finding.ILD, Finding.NODULE_MASS])
evaluations = st.lists(
    st.tuples(
        st.lists(st.tuples(findings, few_boxes), max_size=4),
        st.lists(
            st.builds(PredictedBox, findings, few_boxes, st.sampled_from([0.1, 0.5, 0.5, 0.9])),
            max_size=6,
        ),
    ),
    min_size=1,
    max_size=4,
).map(
    lambda images: (
        {f"i{number}": true for number, (true, _) in enumerate(images)},
        {f"i{number}": found for number, (_, found) in enumerate(images)},
    )
)


def made_up_test_set(seed: int, images: int) -> Truths:
    """Return images of which half show one to three of four findings."""
    rng = np.random.default_rng(seed)
    return {
        f"i{number:04}": [
            (
                Finding(int(rng.choice([0, 3, 8, 12], p=[0.5, 0.3, 0.15, 0.05]))),
                square(300 * place),
            )
            for place in range(int(rng.integers(1, 4)) * int(rng.random() < 0.5))
        ]
        for number in range(images)
    }


def made_up_model(
    truths: Truths, seed: int, *, sensitivity: float = 0.7, false_marks: float = 1.0
) -> Predictions:
    """Return what a model marks that finds so many lesions and makes so many false marks."""
    rng = np.random.default_rng(seed)
    return {
        image: [
            PredictedBox(finding, _moved(box, rng.normal(0, 0.12)), float(rng.beta(4, 2)))
            for finding, box in rows
            if rng.random() < sensitivity
        ]
        + [
            PredictedBox(
                Finding(int(rng.choice([0, 3, 8, 12]))),
                square(float(rng.uniform(1000, 2000))),
                float(rng.beta(1, 4)),
            )
            for _ in range(rng.poisson(false_marks))
        ]
        for image, rows in truths.items()
    }


def _moved(box: Box, widths: float) -> Box:
    step = widths * (box.x_max - box.x_min)
    return box._replace(x_min=box.x_min + step, x_max=box.x_max + step)
