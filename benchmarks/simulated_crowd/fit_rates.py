"""Rates that cannot be counted, moved until what is simulated looks like the real table."""

from dataclasses import fields, replace

import numpy as np

from backend.domain.findings import Finding
from benchmarks.simulated_crowd import statistics as crowd_statistics
from benchmarks.simulated_crowd.crowd import simulate
from benchmarks.simulated_crowd.parameters import CrowdParameters, Numbers
from benchmarks.simulated_crowd.statistics import ReadingStatistics

FINDINGS = len(Finding)
ROUNDS, TRIPLES, IMAGES, SEED = 24, 24, 1000, 11
"""Rounds of matching, simulated triples of readers in each, and what each triple reads."""


def matched(parameters: CrowdParameters, real: ReadingStatistics) -> CrowdParameters:
    """Move the rates until simulated votes, overlaps and pairs are the real ones.

    Parameters
    ----------
    parameters : CrowdParameters
        First guesses.
    real : ReadingStatistics
        What to come close to.

    Returns
    -------
    CrowdParameters
        The same with other rates.
    """
    for number in range(ROUNDS):
        # The same triples every time, or their luck would hide what a step does.
        now = simulated(parameters, SEED)
        parameters = _moved(parameters, real, now, 0.8 if number < ROUNDS // 2 else 0.3)
    return parameters


def simulated(parameters: CrowdParameters, seed: int) -> ReadingStatistics:
    """Return the mean statistics of some simulated triples.

    Parameters
    ----------
    parameters : CrowdParameters
        Of a whole crowd; its good readers are drawn from them.
    seed : int
        Another one for other readers and images.

    Returns
    -------
    ReadingStatistics
        Means; the readers of a triple are in order of how much they mark.
    """
    made = []
    for number in range(TRIPLES):
        rng = np.random.default_rng([seed, number])
        crowd = simulate(rng, images=IMAGES, readers=3, parameters=_triple_of(parameters))
        made.append(crowd_statistics.measure(crowd.readings))
    return ReadingStatistics(
        **{
            field.name: np.mean([getattr(one, field.name) for one in made], axis=0)
            for field in fields(ReadingStatistics)
        }
    )


def _moved(
    parameters: CrowdParameters, real: ReadingStatistics, now: ReadingStatistics, gain: float
) -> CrowdParameters:
    """Take one step: each rate by the statistic that it governs most."""
    agreed, agreed_now = real.clusters[:, 1:].sum(axis=1), now.clusters[:, 1:].sum(axis=1)
    ratio = _logit(real.clusters[:, 2] / agreed)
    ratio_now = _logit(np.clip(now.clusters[:, 2] / agreed_now, 0.02, 0.98))
    single = (real.clusters[:, 0] - now.clusters[:, 0]) / 3
    too_wide = (now.found_by_any - real.found_by_any) / real.found_by_any
    noise = np.log((1 - real.mean_iou[:FINDINGS]) / (1 - now.mean_iou[:FINDINGS]))
    most = np.where(np.isinf(parameters.lesion_spread), 0.97, 20.0)
    lesions = parameters.lesions_per_image * (agreed / agreed_now) ** gain
    crossed = (real.cross_class / now.cross_class) ** (gain / 2)
    twice = (real.same_rectangles / now.same_rectangles) ** (gain / 2)
    return replace(
        parameters,
        sensitivity=parameters.sensitivity + gain * (ratio - ratio_now),
        lesions_per_image=np.clip(lesions, 0.003, most),
        false_marks=np.maximum(parameters.false_marks + gain * single, 0.001),
        false_beside_true=np.clip(parameters.false_beside_true + gain * too_wide, 0.0, 0.95),
        edge_noise=parameters.edge_noise * np.exp(gain * noise)[:, None],
        confusion=_at_most_a_half(parameters.confusion * crossed),
        second_name=_at_most_a_half(parameters.second_name * twice),
    )


def _at_most_a_half(shares: Numbers) -> Numbers:
    held: Numbers = shares / np.maximum(shares.sum(axis=1, keepdims=True) / 0.5, 1.0)
    return held


def _logit(shares: Numbers) -> Numbers:
    logits: Numbers = np.log(shares / (1 - shares))
    return logits


def _triple_of(parameters: CrowdParameters) -> CrowdParameters:
    """Return the parameters of three typical good readers on abnormal images only."""
    return replace(parameters, abnormal_share=1.0, bad_readers=(0, 0), adversaries=0)
