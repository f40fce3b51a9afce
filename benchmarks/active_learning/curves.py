"""What a curve of quality over cost says: how much cheaper than another method, how surely."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backend.domain.metrics.bootstrap import Interval

COSTS = ("images", "boxes", "minutes")
QUERIES = 600
"""The rare images are counted among so many chosen ones, or among all if there are fewer."""
LEVEL = 0.95
DRAWS = 1000
"""Of seeds; the stored resamples of test images are used by turns."""

Numbers = NDArray[np.float64]
Rounds = Sequence[Mapping[str, Any]]
Replays = Mapping[int, Mapping[str, Rounds]]
"""By seed and method."""


@dataclass(frozen=True, slots=True)
class Curve:
    """One method, averaged over seeds: a cost and the quality reached with it, by round."""

    costs: Numbers
    qualities: Numbers

    def cost_to_reach(self, quality: float) -> float:
        """Return what a quality costs.

        Parameters
        ----------
        quality : float
            In [0, 1].

        Returns
        -------
        float
            Interpolated between the two rounds between which the best quality so far passes it;
            the first round's cost if that reaches it; infinity if none does.

        Examples
        --------
        >>> curve = Curve(np.array([200.0, 400.0, 600.0]), np.array([0.1, 0.2, 0.3]))
        >>> curve.cost_to_reach(0.25), curve.cost_to_reach(0.05), curve.cost_to_reach(0.4)
        (500.0, 200.0, inf)
        """
        best = np.maximum.accumulate(self.qualities)
        after = int(np.searchsorted(best, quality, side="left"))
        if after == len(best):
            return float("inf")
        if after == 0:
            return float(self.costs[0])
        share = (quality - best[after - 1]) / (best[after] - best[after - 1])
        return float(self.costs[after - 1] + share * (self.costs[after] - self.costs[after - 1]))

    def area(self, last: float) -> float:
        """Return the mean quality from the first cost to another.

        Parameters
        ----------
        last : float
            Where to stop; past the last round the quality stays what it was.

        Returns
        -------
        float
            In [0, 1].
        """
        inner = self.costs[(self.costs > self.costs[0]) & (self.costs < last)]
        at = np.array([self.costs[0], *inner, last])
        quality = np.interp(at, self.costs, self.qualities)
        return float(np.trapezoid(quality, at) / (last - self.costs[0]))


def curve(
    replays: Replays, method: str, cost: str, *, seeds: Sequence[int], resample: int | None = None
) -> Curve:
    """Return a method's curve over some seeds.

    Parameters
    ----------
    replays : mapping of int to mapping of str to rounds
        Everything.
    method, cost : str
        Which; the cost is one of `COSTS`.
    seeds : sequence of int
        Averaged over; one may come several times.
    resample : int, optional
        Which resample of the test images is judged; all of them once if not given.

    Returns
    -------
    Curve
        Means by round.
    """
    rounds = [replays[seed][method] for seed in seeds]
    costs = np.array([[one[cost] for one in own] for own in rounds], dtype=np.float64)
    qualities = np.array(
        [
            [
                one["judged"]["map40"]
                if resample is None
                else one["judged"]["resampled"][resample]
                for one in own
            ]
            for own in rounds
        ],
        dtype=np.float64,
    )
    return Curve(costs.mean(axis=0), qualities.mean(axis=0))


def cost_ratio_at_best(replays: Replays, method: str, baseline: str, cost: str) -> float:
    """Return the same as `cost_ratio` for the best that a baseline reaches, where it reaches it.

    Parameters
    ----------
    replays : mapping of int to mapping of str to rounds
        Everything.
    method, baseline, cost : str
        Which.

    Returns
    -------
    float
        Stricter than `cost_ratio` when the baseline's curve is flat or falls at its end; 1 for
        the baseline itself.
    """
    seeds = sorted(replays)
    ours, theirs = (curve(replays, name, cost, seeds=seeds) for name in (method, baseline))
    best = float(theirs.qualities.max())
    return ours.cost_to_reach(best) / theirs.cost_to_reach(best)


def cost_ratio(
    replays: Replays, method: str, baseline: str, cost: str, *, goal: str | None = None,
    rng: np.random.Generator,
) -> Interval:  # fmt: skip
    """Return what a method pays for the quality that a baseline ends with, against the baseline.

    Parameters
    ----------
    replays : mapping of int to mapping of str to rounds
        Everything.
    method, baseline, cost : str
        Which.
    goal : str, optional
        The method whose last quality both have to reach; the baseline itself if not given.
    rng : numpy.random.Generator
        Draws seeds.

    Returns
    -------
    Interval
        Below 1 the method is cheaper; infinity when it never gets there, or when the baseline
        finds nothing, so that there is nothing to reach.

    Notes
    -----
    A resample draws seeds with replacement, and takes a resample of each seed's test images that
    is the same for both methods.
    """
    seeds = sorted(replays)
    resamples = len(replays[seeds[0]][method][0]["judged"]["resampled"])
    drawn = [
        _ratio(
            replays, method, baseline, cost, goal or baseline,
            rng.choice(seeds, len(seeds)).tolist(), number % resamples,
        )
        for number in range(DRAWS)
    ]  # fmt: skip
    low, high = np.quantile(drawn, [(1 - LEVEL) / 2, (1 + LEVEL) / 2], method="nearest")
    estimate = _ratio(replays, method, baseline, cost, goal or baseline, seeds, None)
    return Interval(estimate, float(low), float(high))


def _ratio(  # noqa: PLR0913, PLR0917 - of one caller
    replays: Replays, method: str, baseline: str, cost: str, goal: str, seeds: Sequence[int],
    resample: int | None,
) -> float:  # fmt: skip
    ours, theirs, last = (
        curve(replays, name, cost, seeds=seeds, resample=resample)
        for name in (method, baseline, goal)
    )
    wanted = float(last.qualities[-1])
    if not wanted > 0.0:
        return float("inf")
    paid = float(theirs.costs[-1]) if goal == baseline else theirs.cost_to_reach(wanted)
    return ours.cost_to_reach(wanted) / paid


def rare_images(replays: Replays, method: str, seed: int) -> int:
    """Return how many of the first chosen images show one of the rarest findings."""
    rounds = replays[seed][method]
    start = rounds[0]
    within = [one for one in rounds if one["images"] - start["images"] <= QUERIES]
    return int(within[-1]["rare"] - start["rare"])


def rare_ratio(
    replays: Replays, method: str, baseline: str, *, rng: np.random.Generator
) -> Interval:
    """Return how many times as many rare images a method chooses as a baseline.

    Parameters
    ----------
    replays : mapping of int to mapping of str to rounds
        Everything.
    method, baseline : str
        Which.
    rng : numpy.random.Generator
        Draws seeds.

    Returns
    -------
    Interval
        Over the seeds.
    """
    seeds = sorted(replays)
    counts = np.array(
        [[rare_images(replays, name, seed) for name in (method, baseline)] for seed in seeds],
        dtype=np.float64,
    )
    drawn = counts[rng.integers(0, len(seeds), (DRAWS, len(seeds)))].sum(axis=1)
    ratios = drawn[:, 0] / np.maximum(drawn[:, 1], 1.0)
    low, high = np.quantile(ratios, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    total = counts.sum(axis=0)
    return Interval(float(total[0] / max(total[1], 1.0)), float(low), float(high))
