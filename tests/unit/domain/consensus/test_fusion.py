"""Which boxes mean one lesion."""

import subprocess
import sys
from datetime import UTC, datetime

from backend.domain.boxes import Box
from backend.domain.consensus.fusion import find_lesions
from backend.domain.findings import Finding
from backend.domain.readings import ReadBox, Reading


def readings(**boxes: list[tuple[float, float]]) -> list[Reading]:
    """Return readings whose boxes reach from x_min to x_max, all equally high."""
    return [
        Reading(
            image_id="image",
            reader_id=reader_id,
            boxes=tuple(
                ReadBox(finding=Finding.ILD, box=Box(x_min, 0.0, x_max, 100.0))
                for x_min, x_max in sides
            ),
            read_at=datetime(2026, 1, 1, tzinfo=UTC),
        )
        for reader_id, sides in boxes.items()
    ]


def grouped(found: list[Reading]) -> list[list[tuple[str, float]]]:
    """Return reader and left edge of every mark, by lesion."""
    return [
        [(mark.reader_id, mark.box.box.x_min) for mark in lesion.marks]
        for lesion in find_lesions(found)
    ]


class TestFindLesions:
    def test_joins_the_best_matching_pairs_first(self) -> None:
        found = readings(R8=[(0, 100), (20, 120)], R9=[(15, 115)])

        assert grouped(found) == [[("R8", 0)], [("R9", 15), ("R8", 20)]]

    def test_joins_at_an_overlap_of_exactly_the_threshold(self) -> None:
        assert len(grouped(readings(R8=[(0, 70)], R9=[(30, 100)]))) == 1

    def test_leaves_boxes_apart_that_overlap_less(self) -> None:
        assert len(grouped(readings(R8=[(0, 70)], R9=[(31, 101)]))) == 2

    def test_joins_a_chain_of_different_readers(self) -> None:
        found = readings(R8=[(0, 100)], R9=[(40, 140)], R10=[(80, 180)])

        assert grouped(found) == [[("R8", 0), ("R9", 40), ("R10", 80)]]

    def test_finds_nothing_where_nobody_marked_anything(self) -> None:
        assert grouped(readings(R8=[], R9=[])) == []


def test_importing_the_rules_does_not_load_numba() -> None:
    program = (
        "import sys, backend.domain.consensus.verdict\n"
        "print(*sorted({'numba', 'ensemble_boxes', 'scipy'} & set(sys.modules)))"
    )
    result = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert result.stdout.split() == []
