"""Tables of a few readings for the tests of agreement."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from hypothesis import strategies as st

from backend.domain.boxes import Box, stack
from backend.domain.findings import Finding
from backend.domain.reading_table import ReadingTable

PUBLISHED = Path(__file__).parents[5] / "shared" / "data" / "tables" / "vinbigdata_train.csv.gz"

EFFUSION, THICKENING = Finding.PLEURAL_EFFUSION, Finding.PLEURAL_THICKENING
Marks = Sequence[tuple[Finding, Box]]
Readings = Mapping[tuple[str, str], Marks]


def square(x: float, y: float = 0.0, side: float = 100.0) -> Box:
    return Box(x, y, x + side, y + side)


def table_of(readings: Readings) -> ReadingTable:
    """Return the table of image and reader to what the reader marked there."""
    rows = [(*pair, finding, box) for pair, marks in readings.items() for finding, box in marks]
    return ReadingTable.of_rows(
        list(readings), [row[:3] for row in rows], stack([row[3] for row in rows])
    )


def renamed(readings: Readings, names: Mapping[str, str]) -> Readings:
    return {(image, names[reader]): marks for (image, reader), marks in readings.items()}


READERS = ("R1", "R2", "R3", "R4")

# Steps that make equal overlaps and equal boxes common.
_boxes = st.builds(
    square,
    st.integers(0, 4).map(lambda step: 25.0 * step),
    st.integers(0, 1).map(lambda step: 60.0 * step),
    st.sampled_from([100.0, 80.0]),
)
_marks = st.lists(st.tuples(st.sampled_from([EFFUSION, THICKENING]), _boxes), max_size=4)
readings_of_few_images = st.dictionaries(
    st.tuples(st.sampled_from(["a", "b", "c"]), st.sampled_from(READERS)), _marks, max_size=8
)
