"""Reconcile the readings of a file, without a store."""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from backend.domain.consensus import methods, verdict
from backend.domain.consensus.panel import fit_panel
from backend.domain.consensus.reader_estimates import estimate_readers
from backend.domain.consensus.survey import Survey
from backend.domain.skipped import Skipped
from backend.formats import consensus_csv


class FileConsensusError(ValueError):
    """What was asked for cannot be done with files."""


@dataclass(frozen=True, slots=True)
class FileConsensus:
    """What was done.

    Attributes
    ----------
    images, readings, boxes : int
        How many of each were in the file and could be used.
    clusters : mapping of str to int
        State to number of clusters.
    alternatives : int
        How many other findings were thought of.
    repaired, refused : tuple of Skipped
        What was mended, and what was left out.
    """

    images: int
    readings: int
    boxes: int
    clusters: Mapping[str, int]
    alternatives: int
    repaired: tuple[Skipped, ...]
    refused: tuple[Skipped, ...]


def reconcile_file(
    readings: Path,
    output: Path,
    readers_output: Path | None,
    *,
    method: str,
    on_start: Callable[[str, int], None] = lambda _, __: None,
    on_done: Callable[[int], None] = lambda _: None,
) -> FileConsensus:
    """Reconcile the readings of a file and write the common answers beside it.

    Parameters
    ----------
    readings : Path
        VinBigData's table of readings, plain or gzipped.
    output : Path
        CSV file for the answers.
    readers_output : Path or None
        CSV file for what is known about the readers; None for none.
    method : str
        One of `backend.domain.consensus.methods.METHODS`.
    on_start : callable
        Told what comes next, and how many images there are.
    on_done : callable
        Told for how many of them it is done.

    Returns
    -------
    FileConsensus
        What was done.

    Raises
    ------
    FileConsensusError
        If the method is unknown or tells nothing about readers, or a file would be overwritten.
    UnreadableTableError
        If the file is not such a table.
    """
    _check(readings, output, readers_output, method)
    on_start("reading the table", 1)
    found = consensus_csv.read_file(readings)
    on_done(1)
    table, images = found.table, len(found.table.image_ids)

    estimates = None
    if method == methods.OVERREAD:
        on_start("learning about the readers", images)
        survey = Survey.of(table)
        panel = fit_panel(survey)
        on_done(images)
        on_start("reconciling the images", images)
        answers = verdict.reconcile(survey, panel)
        estimates = estimate_readers(survey, panel, answers)
    else:
        on_start("reconciling the images", images)
        answers = methods.METHODS[method](table)
    on_done(images)

    on_start("writing the answers", images)
    consensus_csv.write_answers(output, answers)
    if readers_output is not None and estimates is not None:
        consensus_csv.write_readers(readers_output, estimates)
    on_done(images)
    return FileConsensus(
        images,
        len(table.reading_images),
        len(table.mark_images),
        dict(Counter(state.value for state in answers.states)),
        len(answers.alternatives.clusters),
        found.repaired,
        found.refused,
    )


def _check(readings: Path, output: Path, readers_output: Path | None, method: str) -> None:
    if method not in methods.METHODS:
        raise FileConsensusError(
            f"{method!r} is no method; expected one of {', '.join(methods.METHODS)}"
        )
    if readers_output is not None and method != methods.OVERREAD:
        raise FileConsensusError(
            f"the method {method!r} learns nothing about readers; "
            f"leave --readers-output out, or use --method {methods.OVERREAD}"
        )
    named = [path.resolve() for path in (readings, output, readers_output) if path is not None]
    if len(set(named)) < len(named):
        raise FileConsensusError(
            "input and outputs are the same file; expected a file of its own for each"
        )
