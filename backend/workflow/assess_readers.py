"""How well readers read, and how far they agree."""

from dataclasses import dataclass
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


def _check(table: ReadingTable) -> None:
    if not len(table.reading_images):
        raise NothingReadError(
            "nothing has been read yet; expected readings from an import or from Label Studio"
        )
