"""What needs an adjudicator?"""

from dataclasses import replace
from itertools import count
from pathlib import Path

import pytest

from backend.domain.adjudication.conflicts import Conflict, find_conflicts
from backend.domain.adjudication.severity import SEVERITY
from backend.domain.consensus.clusters import Consensus
from backend.domain.findings import Finding
from backend.domain.readings import Reading
from tests.spec.adjudication import CASES, Case, as_markdown, severities
from tests.spec.tables import agree, readings_in


def kept(readings: list[Reading]) -> list[Reading]:
    """Give every box a key, as the store does."""
    keys = count(1)
    return [
        replace(one, boxes=tuple(replace(box, id=next(keys)) for box in one.boxes))
        for one in readings
    ]


def told(consensus: Consensus, conflicts: tuple[Conflict, ...]) -> list[str]:
    return [
        f"{one.kind.value} | "
        + " ".join(sorted(consensus.clusters[row].finding.name for row in one.clusters))
        for one in conflicts
    ]


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_conflicts(case: Case) -> None:
    readings = kept(readings_in(case.readings))
    marks = {box.id or 0: box.box for one in readings for box in one.boxes}
    consensus = agree(readings)

    found = find_conflicts(consensus, marks, readings=len(readings))

    expected = [" ".join(line.split()) for line in case.answer.strip().splitlines()]
    assert told(consensus, found) == expected
    weights = [round(one.consequence, 9) for one in found]
    assert weights == sorted(weights, reverse=True)


def test_every_finding_has_a_severity() -> None:
    assert set(SEVERITY) == set(Finding)


def test_a_changed_second_look_is_a_reason_of_its_own() -> None:
    readings = readings_in("R8 |\nR9 |")

    [found] = find_conflicts(agree(readings), {}, readings=2, changed_on_second_look=True)

    assert (found.kind.value, found.clusters) == ("second-look", ())


def test_documentation_prints_the_tables() -> None:
    text = (Path(__file__).parents[2] / "docs" / "adjudication.md").read_text(encoding="utf-8")

    assert severities() in text, "print them anew: python -m tests.spec.adjudication"
    assert as_markdown() in text, "print them anew: python -m tests.spec.adjudication"
