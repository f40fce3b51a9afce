"""Readings for the tests of the consensus: few and tied by Hypothesis, many by a generator."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache

import numpy as np
from hypothesis import strategies as st

from backend.domain.boxes import Box, stack
from backend.domain.consensus.panel import Panel, fit_panel, prior_panel
from backend.domain.consensus.survey import Survey
from backend.domain.consensus.verdict import Verdict, reconcile
from backend.domain.findings import Finding
from backend.domain.reading_table import ReadingTable

EFFUSION, THICKENING = Finding.PLEURAL_EFFUSION, Finding.PLEURAL_THICKENING
Marks = Sequence[tuple[Finding, Box]]
Readings = Mapping[tuple[str, str], Marks]

READERS = tuple(f"R{number}" for number in range(1, 18))
SOME, OTHER, FURTHER = READERS[:3]


def square(x: float, y: float = 0.0, side: float = 100.0) -> Box:
    return Box(x, y, x + side, y + side)


HERE = square(0.0)


def table_of(readings: Readings) -> ReadingTable:
    """Return the table of image and reader to what the reader marked there."""
    rows = [(*pair, finding, box) for pair, marks in readings.items() for finding, box in marks]
    return ReadingTable.of_rows(
        list(readings), [row[:3] for row in rows], stack([row[3] for row in rows])
    )


def verdict_of(readings: Readings, panel: Panel | None = None) -> Verdict:
    return reconcile(Survey.of(table_of(readings)), prior_panel() if panel is None else panel)


def votes_of(marked: int, *, of: int, box: Box = HERE) -> Readings:
    """Return the readings of one image by `of` readers, the first of whom mark one box."""
    return {
        ("a", READERS[reader]): [(EFFUSION, box)] if reader < marked else []
        for reader in range(of)
    }


# Places and sizes are so few that boxes meet, repeat and tie.
boxes = st.builds(
    lambda x, y, width, height: Box(x, y, x + width, y + height),
    st.integers(0, 6).map(lambda step: 20.0 * step),
    st.integers(0, 2).map(lambda step: 20.0 * step),
    st.sampled_from([100.0, 80.0, 40.0]),
    st.sampled_from([100.0, 80.0]),
)
_few = st.sampled_from([EFFUSION, THICKENING])
_readers = st.one_of(
    st.lists(st.sampled_from(READERS[:5]), min_size=1, unique=True), st.just(list(READERS))
)


def _marks(finding: st.SearchStrategy[Finding], most: int) -> st.SearchStrategy[Marks]:
    return st.lists(st.tuples(finding, boxes), max_size=most)


@st.composite
def readings_of_images(draw: st.DrawFn, images: Sequence[str] = "abcd") -> Readings:
    """Draw who reads which image, then what each of them marks there."""
    finding = draw(st.sampled_from([_few, st.sampled_from(Finding)]))
    found: dict[tuple[str, str], Marks] = {}
    for image in draw(st.lists(st.sampled_from(images), min_size=1, unique=True)):
        readers = draw(_readers)
        marks = _marks(finding, 3 if len(readers) < 6 else 1)
        found |= {(image, reader): draw(marks) for reader in readers}
    return found


readings_of_one_image = readings_of_images(images="a")


@dataclass(frozen=True, slots=True)
class Crowd:
    """Made-up readings with what is really there, by image."""

    readings: Readings
    lesions: Mapping[str, Marks]


@dataclass(frozen=True, slots=True)
class Reader:
    """How a made-up reader reads: log-odds of seeing, false marks a reading, slips of the hand.

    `swapped` is how often the reader calls effusion thickening and thickening effusion.
    """

    logit: float = 1.0
    false_marks: float = 0.2
    slip: float = 0.05
    swapped: float = 0.0


def read_by(
    rng: np.random.Generator,
    readers: Mapping[str, Reader],
    *,
    images: int,
    per_image: int = 3,
    normal: float = 0.3,
    findings: Sequence[Finding] = tuple(Finding),
) -> Crowd:
    """Let some of the readers read each of many images, of which a share is normal."""
    readings: dict[tuple[str, str], Marks] = {}
    lesions: dict[str, Marks] = {}
    for number in range(images):
        image = f"i{number:04d}"
        # Lesions and false marks lie in cells of their own, so none touches another by chance.
        cells = rng.permutation(36).tolist()
        real = 0 if rng.random() < normal else int(rng.integers(1, 5))
        lesions[image] = [
            (findings[int(rng.integers(len(findings)))], _box(rng, cells.pop()))
            for _ in range(real)
        ]
        difficulty = rng.normal(0.0, 1.0, real)
        for name in rng.choice(list(readers), per_image, replace=False).tolist():
            reader = readers[name]
            seen = rng.random(real) < 1.0 / (1.0 + np.exp(-reader.logit - difficulty))
            marks = [
                (_named(rng, finding, reader), _drawn(rng, box, reader))
                for (finding, box), is_seen in zip(lesions[image], seen, strict=True)
                if is_seen
            ]
            marks += [
                (findings[int(rng.integers(len(findings)))], _box(rng, cells.pop()))
                for _ in range(min(int(rng.poisson(reader.false_marks)), 3))
            ]
            readings[image, name] = marks
    return Crowd(readings, lesions)


def _box(rng: np.random.Generator, cell: int) -> Box:
    x, y = 200.0 * (cell % 6), 200.0 * (cell // 6)
    left, top = rng.uniform(20.0, 60.0, 2)
    width, height = rng.uniform(60.0, 110.0, 2)
    return Box(x + left, y + top, x + left + width, y + top + height)


def _named(rng: np.random.Generator, finding: Finding, reader: Reader) -> Finding:
    swap = {EFFUSION: THICKENING, THICKENING: EFFUSION}
    return swap.get(finding, finding) if rng.random() < reader.swapped else finding


def _drawn(rng: np.random.Generator, box: Box, reader: Reader) -> Box:
    width, height = box.x_max - box.x_min, box.y_max - box.y_min
    slips = rng.normal(0.0, reader.slip, 4) * [width, height, width, height]
    return Box(*(np.array(box) + np.clip(slips, -0.2 * width, 0.2 * width)).tolist())


@cache
def fitted_panel() -> Panel:
    """Return what is learned of seventeen made-up readers, two of them bad, from 400 images."""
    readers = {name: Reader(swapped=0.2) for name in READERS}
    readers |= {"R2": Reader(-0.5, 1.0), "R7": Reader(-1.5, 2.0, 0.12), "R9": Reader(2.5, 0.05)}
    crowd = read_by(np.random.default_rng(5), readers, images=400)
    return fit_panel(Survey.of(table_of(crowd.readings)))


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of readers, short enough to be printed where a property fails.

    The first readers have the given log-odds and false marks, whatever the finding, and case
    mixes; readers such as there should be none, adversaries among them.
    """

    is_fitted: bool
    logits: tuple[float, ...] = ()
    false_marks: tuple[float, ...] = ()
    case_mixes: tuple[float, ...] = ()

    def panel(self) -> Panel:
        """Return the panel."""
        panel = (fitted_panel() if self.is_fitted else prior_panel()).of(READERS)
        logits, false_marks = panel.skill.logits.copy(), panel.skill.false_marks.copy()
        logits[: len(self.logits)] = np.array(self.logits)[:, None]
        false_marks[: len(self.false_marks)] = np.array(self.false_marks)[:, None]
        case_mix = panel.skill.case_mix.copy()
        case_mix[: len(self.case_mixes)] = self.case_mixes
        skill = replace(panel.skill, logits=logits, false_marks=false_marks, case_mix=case_mix)
        return replace(panel, skill=skill)


knowns = st.builds(Known, st.booleans())


def _of_five(values: Sequence[float]) -> st.SearchStrategy[tuple[float, ...]]:
    return st.lists(st.sampled_from(values), min_size=5, max_size=5).map(tuple)


strange_knowns = st.builds(
    Known,
    st.booleans(),
    _of_five([-6.0, -2.0, 0.6, 4.0]),
    _of_five([0.01, 1.0, 100.0]),
    _of_five([-2.0, 0.0, 2.0]),
)
