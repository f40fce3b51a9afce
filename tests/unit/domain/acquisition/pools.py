"""Pools to choose from."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backend.domain.acquisition.evidence import Evidence
from backend.domain.acquisition.pool import BoxTable, ScoredPool, pool_from_boxes
from backend.domain.findings import Finding


def pool_of(*scores: float | None, finding: Finding = Finding.ILD) -> ScoredPool:
    """Images i000, i001, … of a patient each, with one box of this score each, None for none."""
    boxes = [(row, finding, one, 0.0) for row, one in enumerate(scores) if one is not None]
    number = len(scores)
    return pool_from_boxes(names("i", number), names("p", number), table_of(boxes))


def table_of(boxes: Sequence[tuple[int, Finding, float, float]]) -> BoxTable:
    """Boxes of row, finding, score and spread each."""
    rows, findings, scores, spreads = np.array(boxes, dtype=np.float64).reshape(-1, 4).T
    return BoxTable(rows.astype(np.int64), findings.astype(np.int64), scores, spreads)


def names(letter: str, number: int) -> NDArray[np.str_]:
    return np.array([f"{letter}{one:03}" for one in range(number)], dtype=np.str_)


def rich_pool(seed: int = 0, *, images: int = 60, patients: int = 40) -> ScoredPool:
    """Images with all that a pool can hold; a few are unscored, disputed or begun."""
    rng = np.random.default_rng(seed)
    boxes = 3 * images
    is_scored = rng.uniform(size=images) < 0.9
    rows = rng.integers(0, images, boxes)
    rows = rows[is_scored[rows]]
    table = BoxTable(rows, rng.integers(0, 14, len(rows)), rng.uniform(size=len(rows)).round(1))
    patient = names("p", patients)[rng.integers(0, patients, images)]
    is_disputed = is_scored & (rng.uniform(size=images) < 0.1)
    return replace(
        pool_from_boxes(names("i", images), patient, table),
        is_scored=is_scored,
        features=rng.normal(size=(images, 8)).astype(np.float32),
        unmatched=np.where(rng.uniform(size=images) < 0.1, 0.5, 0.0),
        disputes=is_disputed[:, None] * rng.uniform(size=(images, 14)),
        is_untouched=~is_disputed & (rng.uniform(size=images) < 0.9),
    )


def rich_evidence(seed: int = 0) -> Evidence:
    rng = np.random.default_rng(seed)
    is_positive = rng.uniform(size=80) < 0.5
    return Evidence(
        rng.integers(0, 50, 14),
        rng.uniform(size=14),
        (rng.normal(size=(80, 8)) + is_positive[:, None]).astype(np.float32),
        is_positive,
    )


def shuffled(pool: ScoredPool, order: NDArray[np.int64]) -> ScoredPool:
    """Return the same pool with its rows in another order."""
    columns: dict[str, Any] = {}
    for name in ScoredPool.__slots__:
        column = getattr(pool, name)
        columns[name] = None if column is None else column[order]
    return ScoredPool(**columns)
