"""Read the little tables in which the rules are specified."""

from datetime import UTC, datetime

from backend.domain.boxes import Box
from backend.domain.consensus import verdict
from backend.domain.consensus.clusters import Consensus
from backend.domain.consensus.panel import prior_panel
from backend.domain.consensus.survey import Survey
from backend.domain.findings import Finding
from backend.domain.reading_table import ReadingTable
from backend.domain.readings import ReadBox, Reading

READ_AT = datetime(2026, 1, 1, tzinfo=UTC)


def readings_in(table: str) -> list[Reading]:
    """Turn ``reader | FINDING x y width height; …`` lines into readings of one image."""
    readings = []
    for line in table.strip().splitlines():
        reader, marks = (part.strip() for part in line.split("|"))
        boxes = tuple(_read_box(mark) for mark in marks.split(";") if mark.strip())
        readings.append(Reading(image_id="image", reader_id=reader, boxes=boxes, read_at=READ_AT))
    return readings


def agree(readings: list[Reading]) -> Consensus:
    """Reconcile the readings of one image, when nothing is known of the readers."""
    survey = Survey.of(ReadingTable.of(readings))
    [consensus] = verdict.answers(verdict.reconcile(survey, prior_panel()), "prior", {})
    return consensus


def answer_in(table: str) -> list[tuple[str, str, str]]:
    """Turn ``FINDING | state | readers`` lines into sorted rows."""
    return sorted(
        (finding.strip(), state.strip(), " ".join(readers.split()))
        for finding, state, readers in (
            line.split("|") for line in table.strip().splitlines() if line.strip()
        )
    )


def answer_of(consensus: Consensus) -> list[tuple[str, str, str]]:
    """Return a consensus in the form of `answer_in`."""
    return sorted(
        (
            cluster.finding.name,
            cluster.state.value,
            " ".join(supporter.reader_id for supporter in cluster.supporters),
        )
        for cluster in consensus.clusters
    )


def _read_box(mark: str) -> ReadBox:
    name, *numbers = mark.split()
    x, y, width, height = (float(number) for number in numbers)
    return ReadBox(finding=Finding[name], box=Box(x, y, x + width, y + height))
