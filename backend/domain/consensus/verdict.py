"""The readers' common answer for images, from their readings."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from backend.domain.boxes import Box, Boxes
from backend.domain.consensus import (
    alternatives,
    fusion,
    no_finding,
    peer_calibration,
    states,
)
from backend.domain.consensus.alternatives import Alternatives
from backend.domain.consensus.clusters import (
    Alternative,
    Cluster,
    ClusterState,
    Consensus,
    Supporter,
)
from backend.domain.consensus.panel import Panel
from backend.domain.consensus.survey import Survey
from backend.domain.findings import Finding
from backend.domain.reading_table import Numbers, ReadingTable


@dataclass(frozen=True, slots=True)
class Verdict:
    """The common answers for the images of a table, as columns.

    Attributes
    ----------
    table : ReadingTable
        The readings.
    images, findings, places : ndarray of shape (k,)
        Image, finding and place of every cluster; clusters of one place mean one lesion.
    boxes : ndarray of shape (k, 4), [px]
        Where each is.
    scores : ndarray of shape (k,)
        Probability in [0, 1] that a further reader would mark the finding there.
    p_true : ndarray of shape (k,)
        Probability in [0, 1] that it is real.
    states : tuple of ClusterState
        How the readers stand to each cluster.
    cluster_of_mark : ndarray of shape (n,)
        The cluster that each mark of the table supports; -1 if none.
    alternatives : Alternatives
        What else clusters may be.
    p_no_finding : ndarray of shape (i,)
        Probability in [0, 1] that each image of the table shows no finding.
    """

    table: ReadingTable
    images: Numbers
    findings: Numbers
    places: Numbers
    boxes: Boxes
    scores: NDArray[np.float64]
    p_true: NDArray[np.float64]
    states: tuple[ClusterState, ...]
    cluster_of_mark: Numbers
    alternatives: Alternatives
    p_no_finding: NDArray[np.float64]

    def supporters(self) -> list[list[int]]:
        """Return the marks that support each cluster, by reader.

        Returns
        -------
        list of list of int
            Rows of the table's marks, one list per cluster.
        """
        found: list[list[int]] = [[] for _ in self.states]
        for mark in np.argsort(self.table.mark_readers, kind="stable").tolist():
            if (cluster := int(self.cluster_of_mark[mark])) >= 0:
                found[cluster].append(mark)
        return found


def reconcile(survey: Survey, panel: Panel) -> Verdict:
    """Return the common answers for the images of a survey.

    Parameters
    ----------
    survey : Survey
        Readings, of one image or of thousands.
    panel : Panel
        What is known about the readers; those that it does not know are typical ones.

    Returns
    -------
    Verdict
        One cluster per finding and place that anybody marked.

    See Also
    --------
    backend.domain.consensus.grouping.group : Which marks mean one lesion.
    backend.domain.consensus.fusion.fuse : The box.
    backend.domain.consensus.peer_calibration.calibrate : The two probabilities.
    """
    table, groups, votes = survey.table, survey.groups, survey.votes
    known = panel.of(table.reader_ids)
    boxes = fusion.fuse(table, groups, known.precision)
    found = peer_calibration.calibrate(votes, known.skill, known.calibration, survey.by_all)
    others = alternatives.find_alternatives(
        table, groups, votes, known.transfer, boxes=boxes, scores=found.score
    )
    return Verdict(
        table,
        survey.images,
        votes.findings,
        groups.places,
        boxes,
        found.score,
        found.p_true,
        states.states_of(table, groups, votes),
        groups.cluster_of_mark,
        others,
        no_finding.p_no_finding(table, survey.images, found.p_true, known.normality),
    )


def answers(
    verdict: Verdict, method_version: str, reading_ids: Mapping[str, Iterable[int]]
) -> Iterator[Consensus]:
    """Return a verdict image by image.

    Parameters
    ----------
    verdict : Verdict
        The common answers.
    method_version : str
        The method and what it knew, for example "overread-2-3f9a2c71".
    reading_ids : mapping of str to iterable of int
        By image id, the keys of the readings that it was made of.

    Yields
    ------
    Consensus
        By image id; clusters by falling score.
    """
    table, supporters = verdict.table, verdict.supporters()
    others: dict[int, list[Alternative]] = {}
    for cluster, finding, score in zip(
        verdict.alternatives.clusters.tolist(),
        verdict.alternatives.findings.tolist(),
        verdict.alternatives.scores.tolist(),
        strict=True,
    ):
        others.setdefault(cluster, []).append(Alternative(Finding(finding), score))
    by_image: dict[int, list[Cluster]] = {}
    first_place: dict[int, dict[int, int]] = {}
    for row, image in enumerate(verdict.images.tolist()):
        places = first_place.setdefault(image, {})
        cluster = Cluster(
            finding=Finding(int(verdict.findings[row])),
            box=Box(*verdict.boxes[row].tolist()),
            score=float(verdict.scores[row]),
            p_true=float(verdict.p_true[row]),
            state=verdict.states[row],
            supporters=tuple(_supporter(table, mark) for mark in supporters[row]),
            place=places.setdefault(int(verdict.places[row]), len(places)),
            alternatives=tuple(others.get(row, ())),
        )
        by_image.setdefault(image, []).append(cluster)
    for image, image_id in enumerate(table.image_ids):
        clusters = sorted(
            by_image.get(image, ()), key=lambda one: (-one.score, one.finding, one.box)
        )
        yield Consensus(
            image_id=image_id,
            method_version=method_version,
            clusters=tuple(clusters),
            p_no_finding=float(verdict.p_no_finding[image]),
            reading_ids=tuple(sorted(reading_ids.get(image_id, ()))),
        )


def _supporter(table: ReadingTable, mark: int) -> Supporter:
    key = int(table.mark_keys[mark])
    reader_id = table.reader_ids[int(table.mark_readers[mark])]
    return Supporter(reader_id, None if key < 0 else key)
