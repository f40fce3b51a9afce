"""What is known about the readers who read together."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from backend.domain.consensus import (
    alternatives,
    fusion,
    no_finding,
    peer_calibration,
    skill_learning,
)
from backend.domain.consensus import reader_skill as skills
from backend.domain.consensus.alternatives import Transfer
from backend.domain.consensus.fusion import Precision
from backend.domain.consensus.logistic import sigmoid
from backend.domain.consensus.no_finding import Normality
from backend.domain.consensus.peer_calibration import Calibration
from backend.domain.consensus.reader_skill import Skill
from backend.domain.consensus.survey import Survey


@dataclass(frozen=True, slots=True)
class Panel:
    """Everything that a consensus needs beside the readings of its image.

    Attributes
    ----------
    reader_ids : tuple of str
        Sorted; `skill`, `precision` and `normality` are in their order.
    skill : Skill
        How well each reader sees each finding.
    precision : Precision
        How exactly each reader draws.
    calibration : Calibration
        What was learned by holding readers against their peers.
    transfer : Transfer
        How often one finding is called another.
    normality : Normality
        How common normal images are.
    """

    reader_ids: tuple[str, ...]
    skill: Skill
    precision: Precision
    calibration: Calibration
    transfer: Transfer
    normality: Normality

    def of(self, reader_ids: Sequence[str]) -> "Panel":
        """Return what is known about certain readers.

        Parameters
        ----------
        reader_ids : sequence of str
            Readers, known or not.

        Returns
        -------
        Panel
            In their order; an unknown reader is a typical one.
        """
        known = {reader_id: row for row, reader_id in enumerate(self.reader_ids)}
        rows = np.array([known.get(reader_id, len(known)) for reader_id in reader_ids], np.int64)
        skill, precision = self.skill, self.precision
        typical = skills.prior_skill(1)
        return replace(
            self,
            reader_ids=tuple(reader_ids),
            skill=replace(
                skill,
                reader_logit=np.append(skill.reader_logit, 0.0)[rows],
                logits=np.vstack([skill.logits, skill.finding_logit])[rows],
                information=np.vstack([skill.information, typical.information])[rows],
                false_marks=np.vstack([skill.false_marks, typical.false_marks])[rows],
                case_mix=np.append(skill.case_mix, typical.case_mix)[rows],
            ),
            precision=replace(
                precision,
                reader_factor=np.append(precision.reader_factor, 1.0)[rows],
                bias=np.vstack([precision.bias, np.zeros((1, 4))])[rows],
            ),
            normality=replace(
                self.normality,
                silence=np.append(self.normality.silence, no_finding.usual_normality(1).silence)[
                    rows
                ],
            ),
        )


def prior_panel() -> Panel:
    """Return what is known before anything was read.

    Returns
    -------
    Panel
        Without readers; `Panel.of` gives typical ones.
    """
    return Panel(
        (),
        skills.prior_skill(0),
        fusion.usual_precision(0),
        peer_calibration.no_calibration(),
        alternatives.no_transfer(),
        no_finding.usual_normality(0),
    )


def fit_panel(survey: Survey) -> Panel:
    """Learn about the readers from their readings alone.

    Parameters
    ----------
    survey : Survey
        All readings there are.

    Returns
    -------
    Panel
        Where the readings say little, close to `prior_panel`.
    """
    table, groups, votes = survey.table, survey.groups, survey.votes
    skill = skill_learning.fit_skill(votes, survey.exposures)
    real = sigmoid(skills.weigh(votes, skill).log_odds)
    skill = replace(skill, case_mix=no_finding.fit_case_mix(table, survey.images, real))
    precision = fusion.fit_precision(table, groups)
    calibration = peer_calibration.fit_calibration(table, groups, votes, skill, survey.by_others)
    next_mark = skills.weigh_without(votes, skill).next_mark
    transfer = alternatives.fit_transfer(table, groups, votes, next_mark)
    probabilities = peer_calibration.calibrate(votes, skill, calibration, survey.by_all)
    normality = no_finding.fit_normality(table, survey.images, probabilities.p_true)
    return Panel(table.reader_ids, skill, precision, calibration, transfer, normality)
