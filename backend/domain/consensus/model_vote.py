"""What a model's vote changes: how probable the readers' clusters are, and nothing else."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from backend.domain.consensus import (
    alternatives,
    no_finding,
    peer_calibration,
    surroundings,
    verdict,
)
from backend.domain.consensus.grouping import SAME_FINDING_IOU, Groups
from backend.domain.consensus.model_reader import ModelReader, is_model, join
from backend.domain.consensus.panel import Panel, fit_panel
from backend.domain.consensus.survey import Survey
from backend.domain.consensus.verdict import Verdict
from backend.domain.consensus.votes import count_votes
from backend.domain.overlaps import Overlaps, find_overlaps
from backend.domain.reading_table import Numbers, ReadingTable


@dataclass(frozen=True, slots=True)
class JointSurvey:
    """Readings as people see them, and with a model's marks laid to their clusters.

    Attributes
    ----------
    people : Survey
        The people's readings alone.
    both : Survey
        The same clusters with the votes of the model, and the clusters that it alone marks.
    clusters : ndarray of shape (k,)
        For each cluster of `people`, its number in `both`.
    """

    people: Survey
    both: Survey
    clusters: Numbers

    @classmethod
    def of(cls, people: Survey, model: ModelReader) -> "JointSurvey":
        """Survey readings with those of a model.

        Parameters
        ----------
        people : Survey
            Readings of people.
        model : ModelReader
            It may vote on all images that it has predictions of.

        Returns
        -------
        JointSurvey
            A mark of the model votes for the people's cluster of its finding that it overlaps
            most, if by more than `grouping.SAME_FINDING_IOU`, and at most one for each. Thus
            it neither joins nor parts what people have drawn.

        Raises
        ------
        ModelMayNotVoteError
            If it may not.
        """
        table = join(people.table, model)
        groups, clusters = _lay_to(people.groups, table, find_overlaps(table))
        votes = count_votes(table, groups)
        described = surroundings.describe(table, groups, votes)
        return cls(people, Survey(table, groups, votes, *described), clusters)

    @property
    def images(self) -> int:
        """On how many images the model votes."""
        return int(_is_by_model(self.both.table)[self.both.table.reading_readers].sum())

    @property
    def model_only(self) -> int:
        """How many clusters the model alone marks."""
        return len(self.both.groups.first_marks) - len(self.clusters)


def fit_joint_panel(survey: JointSurvey) -> Panel:
    """Learn about the readers and the model from their readings alone.

    Parameters
    ----------
    survey : JointSurvey
        All readings there are.

    Returns
    -------
    Panel
        With the model among the readers. What it says about boxes, names and normal images was
        learned from people, and "a further reader" is a person.
    """
    own, joint = fit_panel(survey.people), fit_panel(survey.both)
    readers = survey.both.table.reader_ids
    exposures = np.where(_is_by_model(survey.both.table), 0, survey.both.exposures)
    skill = joint.skill
    if exposures.any():
        skill = replace(skill, next_logit=exposures / exposures.sum() @ skill.logits)
    return replace(own.of(readers), skill=skill, calibration=joint.calibration)


def reconcile_joint(survey: JointSurvey, panel: Panel) -> Verdict:
    """Return the people's common answers, in the light of what the model says.

    Parameters
    ----------
    survey : JointSurvey
        Readings, of one image or of thousands.
    panel : Panel
        What is known about the readers and the model.

    Returns
    -------
    Verdict
        Of the people's table: the clusters, boxes, states and supporters that
        `verdict.reconcile` gives without a model. Score, p_true, alternatives and P(no finding)
        take its votes into account. Clusters that it alone marks are no consensus of readers;
        `JointSurvey.model_only` counts them.
    """
    people, both = survey.people, survey.both
    found = verdict.reconcile(people, panel)
    known = panel.of(both.table.reader_ids)
    chances = peer_calibration.calibrate(both.votes, known.skill, known.calibration, both.by_all)
    scores, p_true = chances.score[survey.clusters], chances.p_true[survey.clusters]
    others = alternatives.find_alternatives(
        people.table, people.groups, people.votes, panel.transfer, boxes=found.boxes, scores=scores
    )
    normality = panel.of(people.table.reader_ids).normality
    return replace(
        found,
        scores=scores,
        p_true=p_true,
        alternatives=others,
        p_no_finding=no_finding.p_no_finding(people.table, people.images, p_true, normality),
    )


def _is_by_model(table: ReadingTable) -> NDArray[np.bool_]:
    """Tell for every reader of a table whether it is a model."""
    return np.array([is_model(reader_id) for reader_id in table.reader_ids], dtype=np.bool_)


def _lay_to(people: Groups, table: ReadingTable, overlaps: Overlaps) -> tuple[Groups, Numbers]:
    """Return the people's clusters with the model's marks, and their numbers in there."""
    by_model = _is_by_model(table)[table.mark_readers]
    clusters = np.full(len(by_model), -1, dtype=np.int64)
    clusters[~by_model] = people.cluster_of_mark  # marks of people keep their order
    taken: set[int] = set()
    for mark, cluster in _pairs(table, overlaps, clusters):
        if clusters[mark] < 0 and cluster not in taken:
            clusters[mark] = cluster
            taken.add(cluster)
    alone = np.flatnonzero(clusters < 0)
    known = len(people.first_marks)
    clusters[alone] = known + np.arange(len(alone))
    own_places = people.places.max(initial=-1) + 1 + np.arange(len(alone))
    places = np.append(people.places, own_places)

    _, first_marks = np.unique(clusters, return_index=True)
    order = np.argsort(first_marks)
    number = np.empty_like(order)
    number[order] = np.arange(len(order))
    groups = Groups(number[clusters], first_marks[order].astype(np.int64), places[order])
    return groups, number[:known]


def _pairs(table: ReadingTable, overlaps: Overlaps, clusters: Numbers) -> list[tuple[int, int]]:
    """Return which mark of the model may vote for which cluster, by falling overlap."""
    is_left = clusters[overlaps.lefts] < 0
    is_pair = (
        (is_left != (clusters[overlaps.rights] < 0))
        & (table.mark_findings[overlaps.lefts] == table.mark_findings[overlaps.rights])
        & (overlaps.ious > SAME_FINDING_IOU)
    )
    pairs, is_left = overlaps.take(is_pair), is_left[is_pair]
    marks = np.where(is_left, pairs.lefts, pairs.rights)
    people = clusters[np.where(is_left, pairs.rights, pairs.lefts)]
    # lexsort takes the last key first.
    order = np.lexsort((people, marks, -pairs.ious))
    return list(zip(marks[order].tolist(), people[order].tolist(), strict=True))
