"""How well readers read, and how far they agree."""

from dataclasses import asdict, dataclass
from math import isfinite
from pathlib import Path

import numpy as np

from backend.domain.consensus import verdict
from backend.domain.consensus.panel import fit_panel
from backend.domain.consensus.reader_estimates import ReaderEstimates, estimate_readers
from backend.domain.consensus.survey import Survey
from backend.domain.metrics import agreement, box_agreement, place_agreement
from backend.domain.metrics.agreement import Agreement
from backend.domain.metrics.box_agreement import ReaderMatrix
from backend.domain.metrics.place_agreement import PlaceAgreement
from backend.domain.reading_table import ReadingTable
from backend.formats import consensus_csv
from backend.store.unit_of_work import UnitOfWork

_SEED = 20261124


class NothingReadError(ValueError):
    """There is no reading to look at."""


@dataclass(frozen=True, slots=True)
class ReaderAgreement:
    """How far readers agree.

    Attributes
    ----------
    findings : Agreement
        By finding, with bootstrap intervals over images.
    places : PlaceAgreement
        On what is there at all, and on its name.
    matrix : ReaderMatrix
        By pair of readers.
    """

    findings: Agreement
    places: PlaceAgreement
    matrix: ReaderMatrix


def readings_in_store(store: UnitOfWork) -> ReadingTable:
    """Return the readings that count.

    Parameters
    ----------
    store : UnitOfWork
        An open transaction.

    Returns
    -------
    ReadingTable
        Of all images.
    """
    return ReadingTable.of(store.readings.counting())


def readings_in_file(path: Path) -> ReadingTable:
    """Return the readings of a VinBigData table.

    Parameters
    ----------
    path : Path
        CSV file, plain or gzipped.

    Returns
    -------
    ReadingTable
        What of it can be used.
    """
    return consensus_csv.read_file(path).table


def assess_readers(table: ReadingTable) -> ReaderEstimates:
    """Estimate how well each reader reads.

    Parameters
    ----------
    table : ReadingTable
        All readings there are.

    Returns
    -------
    ReaderEstimates
        One row per reader.

    Raises
    ------
    NothingReadError
        If there is no reading.
    """
    _check(table)
    survey = Survey.of(table)
    panel = fit_panel(survey)
    return estimate_readers(survey, panel, verdict.reconcile(survey, panel))


def compare_readers(table: ReadingTable, *, iou_threshold: float = 0.4) -> ReaderAgreement:
    """Measure how far readers agree.

    Parameters
    ----------
    table : ReadingTable
        All readings there are.
    iou_threshold : float
        Of the matrix: two boxes agree if they overlap by more than this.

    Returns
    -------
    ReaderAgreement
        The same for the same readings; the bootstrap is seeded.

    Raises
    ------
    NothingReadError
        If there is no reading.
    """
    _check(table)
    rng = np.random.default_rng(_SEED)
    return ReaderAgreement(
        agreement.reader_agreement(table, rng),
        place_agreement.place_agreement(table, rng),
        box_agreement.reader_matrix(table, iou_threshold=iou_threshold),
    )


def plain_agreement(found: ReaderAgreement) -> dict[str, object]:
    """Return the agreement of readers as values that JSON knows.

    Parameters
    ----------
    found : ReaderAgreement
        From `compare_readers`.

    Returns
    -------
    dict of str to object
        By finding, on places, and the matrix of the readers; None where nothing is defined.
    """
    matrix = found.matrix
    f1: list[list[float]] = matrix.f1.tolist()
    return {
        "findings": {
            finding.title: asdict(one) for finding, one in found.findings.by_finding.items()
        },
        "micro_on_boxes": asdict(found.findings.micro_on_boxes),
        "places": asdict(found.places),
        "matrix": {
            "readers": list(matrix.reader_ids),
            "images": matrix.images.tolist(),
            "f1": [[one if isfinite(one) else None for one in row] for row in f1],
        },
    }


def _check(table: ReadingTable) -> None:
    if not len(table.reading_images):
        raise NothingReadError(
            "nothing has been read yet; expected readings from an import or from Label Studio"
        )
