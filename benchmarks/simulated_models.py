"""Made-up detectors on made-up images, and test sets drawn from these.

What there is to see follows the layouts that were fitted on VinBigData (`simulated_crowd`). A
detector's score for a lesion is high where readers find it easy; what it learned from its data is
common to all detectors of a family, the rest is its own seed's. Skill is one number, so that a
challenger can be made worse by a known mAP.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from backend.domain.boxes import Boxes
from backend.domain.findings import Finding
from backend.domain.metrics.box_table import BoxTable
from backend.domain.metrics.judged_marks import JudgedMarks, judge_tables
from backend.domain.promotion.measured import MeasuredModel
from backend.domain.score_calibration import Scoring, fit_scoring
from benchmarks.simulated_crowd import CrowdParameters, Lesions, fitted
from benchmarks.simulated_crowd import lesions as lesion_model
from benchmarks.simulated_crowd.crowd import _image_sizes

EASINESS = 1.0
"""How much of what readers find easy is easy for a detector."""
OF_THE_DATA, OF_THE_SEED = 1.2, 1.0
"""Spread of a lesion's score from family to family, and from seed to seed."""
FALSE_MARKS = 10.0
"""Per image, most of them with scores near 0."""
FALSE_LEVEL, FALSE_SPREAD = -3.0, 1.2
EDGE_OF_THE_DATA, EDGE_OF_THE_SEED = 0.17, 0.12
"""How far an edge is off, as a share of the box's side."""
POSITIVES_WANTED = 40
"""Of each finding in a frozen set, as far as the pool has them."""

Integers = NDArray[np.int64]
Numbers = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Pool:
    """Many images and what they show.

    Attributes
    ----------
    lesions : Lesions
        By image.
    image_sizes : ndarray of shape (images, 2), [px]
        Width and height.
    parameters : CrowdParameters
        What they were drawn from.
    """

    lesions: Lesions
    image_sizes: Numbers
    parameters: CrowdParameters

    @classmethod
    def draw(cls, rng: np.random.Generator, images: int) -> "Pool":
        """Draw images."""
        parameters = fitted()
        sizes = _image_sizes(rng, parameters, images)
        abnormal = np.flatnonzero(rng.random(images) < parameters.abnormal_share)
        lesions = lesion_model.draw(rng, parameters, abnormal=abnormal, image_sizes=sizes)
        return cls(lesions, sizes, parameters)

    def only(self, chosen: Integers) -> "Pool":
        """Return some images, numbered anew."""
        number = np.full(len(self.image_sizes), -1)
        number[chosen] = np.arange(len(chosen))
        own = self.lesions.only(number[self.lesions.images] >= 0)
        moved = replace(own, images=number[own.images])
        return Pool(moved, self.image_sizes[chosen], self.parameters)

    def frozen_set(self, rng: np.random.Generator, images: int) -> tuple["Pool", Numbers]:
        """Draw a test set that is enriched in rare findings, and its natural weights."""
        total = len(self.image_sizes)
        shows = np.zeros((total, len(Finding)), dtype=np.bool_)
        shows[self.lesions.images, self.lesions.findings] = True
        order = np.argsort(shows.sum(axis=0), kind="stable")
        rarest = np.full(total, len(Finding))
        for finding in order[::-1]:
            rarest[shows[:, finding]] = finding
        chosen = np.zeros(total, dtype=np.bool_)
        for finding in order:
            missing = POSITIVES_WANTED - int((chosen & shows[:, finding]).sum())
            own = np.flatnonzero(shows[:, finding] & ~chosen)
            chosen[rng.permutation(own)[: max(missing, 0)]] = True
        rest = rng.permutation(np.flatnonzero(~chosen))
        chosen[rest[: images - int(chosen.sum())]] = True
        natural = np.bincount(rarest, minlength=len(Finding) + 1) / total
        tested = np.bincount(rarest[chosen], minlength=len(Finding) + 1) / images
        weights = natural[rarest[chosen]] / tested[rarest[chosen]]
        return self.only(np.flatnonzero(chosen)), weights / weights.mean()


@dataclass(frozen=True, slots=True)
class Family:
    """What detectors that learned from the same data have in common on some images."""

    pool: Pool
    lesion_logits: Numbers
    edges: Boxes
    false_images: Integers
    false_findings: Integers
    false_boxes: Boxes
    false_logits: Numbers

    @classmethod
    def draw(cls, rng: np.random.Generator, pool: Pool) -> "Family":
        """Draw what the data teach."""
        lesions, parameters = pool.lesions, pool.parameters
        easy = parameters.sensitivity[lesions.findings] + lesions.difficulty
        number = len(lesions.findings)
        images = len(pool.image_sizes)
        per_image = rng.poisson(FALSE_MARKS, images)
        false_images = np.repeat(np.arange(images), per_image)
        often = np.sqrt(parameters.lesions_per_image)
        false_findings = rng.choice(len(Finding), len(false_images), p=often / often.sum())
        places = lesion_model.places(rng, parameters, false_findings)
        return cls(
            pool=pool,
            lesion_logits=EASINESS * easy + rng.normal(0, OF_THE_DATA, number),
            edges=rng.normal(0, EDGE_OF_THE_DATA, (number, 4)),
            false_images=false_images,
            false_findings=false_findings,
            false_boxes=lesion_model.to_pixels(places, pool.image_sizes[false_images]),
            false_logits=rng.normal(FALSE_LEVEL, FALSE_SPREAD, len(false_images)),
        )

    def marks(self, rng: np.random.Generator, skill: float) -> BoxTable:
        """Return what a detector of this family marks, by a seed of its own."""
        lesions = self.pool.lesions
        sides = lesions.boxes[:, 2:] - lesions.boxes[:, :2]
        own = self.edges + rng.normal(0, EDGE_OF_THE_SEED, self.edges.shape)
        boxes = lesions.boxes + own * np.tile(sides, 2)
        logits = self.lesion_logits + rng.normal(0, OF_THE_SEED, len(self.lesion_logits)) + skill
        false_logits = self.false_logits + rng.normal(0, OF_THE_SEED, len(self.false_logits))
        corners = np.concatenate([boxes, self.false_boxes])
        is_box = (corners[:, 2:] > corners[:, :2]).all(axis=1)
        return BoxTable.of_columns(
            np.concatenate([lesions.findings, self.false_findings])[is_box],
            np.concatenate([lesions.images, self.false_images])[is_box],
            corners[is_box],
            (1 / (1 + np.exp(-np.concatenate([logits, false_logits]))))[is_box],
        )


def true_boxes(pool: Pool) -> BoxTable:
    """Return what there is to see, for the metrics."""
    lesions = pool.lesions
    return BoxTable.of_columns(
        lesions.findings, lesions.images, lesions.boxes, np.ones(len(lesions.findings))
    )


def judged(pool: Pool, marks: BoxTable, weights: Numbers | None = None) -> JudgedMarks:
    """Hold marks against what there is to see."""
    images = len(pool.image_sizes)
    names = tuple(f"i{number:06}" for number in range(images))
    own = np.ones(images) if weights is None else weights
    return judge_tables(names, own, true_boxes(pool), marks)


def learned_scoring(validation: JudgedMarks) -> Scoring:
    """Return how a detector's scores are to be read, as a retrain learns it."""
    is_hit = validation.taken() >= 0
    rows = {finding: validation.marks.findings == finding for finding in Finding}
    return fit_scoring(
        {finding: (validation.marks.scores[own], is_hit[own]) for finding, own in rows.items()},
        images=validation.images,
        false_marks_per_image=1.0,
    )


def measured(
    rng: np.random.Generator,
    families: tuple[Family, Family],
    weights: Numbers,
    skill: float,
) -> MeasuredModel:
    """Train, so to say, a detector: calibrated on validation images, measured on test images."""
    validation, test = families
    scoring = learned_scoring(judged(validation.pool, validation.marks(rng, skill)))
    raw = test.marks(rng, skill)
    marks = BoxTable.of_columns(
        raw.findings, raw.images, raw.boxes, scoring.calibrate(raw.findings, raw.scores)
    )
    return MeasuredModel(judged(test.pool, marks, weights), scoring.thresholds)
