"""What readings with and without the pre-annotation are held against."""

from collections.abc import Collection, Sequence

from backend.domain import boxes as geometry
from backend.domain.boxes import Box
from backend.domain.findings import Finding
from backend.domain.metrics.bias_outcomes import DrawnReading, Reference
from backend.domain.metrics.judged_readings import truth_table
from backend.domain.reading_table import ReadingTable
from backend.domain.readings import Reading
from backend.store.unit_of_work import UnitOfWork

_FEWEST_OTHERS = 2


def others_as_truth(
    store: UnitOfWork,
    readings: Sequence[Reading],
    drawn: Sequence[DrawnReading],
    *,
    settled: Collection[str],
) -> tuple[Reference, ...]:
    """Return what the other readers say about the images of drawn readings.

    Parameters
    ----------
    store : UnitOfWork
        An open transaction.
    readings : sequence of Reading
        Those that count.
    drawn : sequence of DrawnReading
        Those whose arm was drawn by lot.
    settled : collection of str
        Images with a settled answer; they need no such reference.

    Returns
    -------
    tuple of Reference
        One per reader. A lesion is a cluster of the current consensus that more than half of the
        image's other readers support, of whom there are at least two.
    """
    wanted = {(one.image_id, one.reader_id) for one in drawn if one.image_id not in settled}
    answers = store.consensus.current({image_id for image_id, _ in wanted})
    readers: dict[str, set[str]] = {}
    for one in readings:
        readers.setdefault(one.image_id, set()).add(one.reader_id)
    truths: dict[str, dict[str, list[tuple[Finding, Box]]]] = {}
    for image_id, reader_id in sorted(wanted):
        others = readers[image_id] - {reader_id}
        if image_id not in answers or len(others) < _FEWEST_OTHERS:
            continue
        truths.setdefault(reader_id, {})[image_id] = [
            (cluster.finding, cluster.box)
            for cluster in answers[image_id][1].clusters
            if 2 * len({one.reader_id for one in cluster.supporters} & others) > len(others)
        ]
    own: dict[str, list[Reading]] = {}
    for one in readings:
        if one.image_id in truths.get(one.reader_id, ()):
            own.setdefault(one.reader_id, []).append(one)
    return tuple(
        Reference(ReadingTable.of(own[reader_id]), truth_table(known), is_shared=False)
        for reader_id, known in truths.items()
    )


def model_tables(store: UnitOfWork, drawn: Sequence[DrawnReading]) -> dict[str, ReadingTable]:
    """Return what model versions show on the images of drawn readings.

    Parameters
    ----------
    store : UnitOfWork
        An open transaction.
    drawn : sequence of DrawnReading
        Readings with the model version that was shown, or would have been.

    Returns
    -------
    dict of str to ReadingTable
        Model version to its boxes from the confidence on at which they are shown, as the marks of
        one reader.
    """
    images: dict[str, set[str]] = {}
    for one in drawn:
        images.setdefault(one.model_version, set()).add(one.image_id)
    tables = {}
    for version, image_ids in sorted(images.items()):
        predictions = store.predictions.of_model(version, image_ids).values()
        marks = [(one.image_id, box) for one in predictions for box in one.shown]
        tables[version] = ReadingTable.of_rows(
            [(one.image_id, version) for one in predictions],
            [(image_id, version, int(box.finding)) for image_id, box in marks],
            geometry.stack([box.box for _, box in marks]),
        )
    return tables
