"""Who reads: good readers, bad ones, and an adversary."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from backend.domain.findings import Finding
from benchmarks.simulated_crowd.parameters import CrowdParameters, Numbers

GOOD, BAD, ADVERSARY = "good", "bad", "adversary"


@dataclass(frozen=True, slots=True)
class SimulatedReaders:
    """The true qualities of some readers, one entry each.

    Attributes
    ----------
    ids : tuple of str
        Sorted.
    kinds : tuple of str
        "good", "bad" or "adversary".
    sensitivity : ndarray of shape (r, 14)
        Logit of the chance to mark a lesion of difficulty 0, by finding.
    false_marks : ndarray of shape (r, 14)
        Expected number per reading of an abnormal image, by the name that is given.
    edge_noise : ndarray of shape (r,)
        Factor on the error of every edge; 1 is typical.
    size_bias : ndarray of shape (r,)
        How far every edge is put outwards, as a share of the box's width or height.
    """

    ids: tuple[str, ...]
    kinds: tuple[str, ...]
    sensitivity: Numbers
    false_marks: Numbers
    edge_noise: Numbers
    size_bias: Numbers

    @property
    def is_adversary(self) -> NDArray[np.bool_]:
        """Whether each gives random names and looks in wrong places."""
        return np.array([kind == ADVERSARY for kind in self.kinds], dtype=np.bool_)

    def only(self, rows: NDArray[np.intp]) -> "SimulatedReaders":
        """Return some of the readers.

        Parameters
        ----------
        rows : ndarray of shape (k,)
            Which, ascending.

        Returns
        -------
        SimulatedReaders
            Those.
        """
        return SimulatedReaders(
            tuple(self.ids[row] for row in rows),
            tuple(self.kinds[row] for row in rows),
            self.sensitivity[rows],
            self.false_marks[rows],
            self.edge_noise[rows],
            self.size_bias[rows],
        )


def draw(
    rng: np.random.Generator, parameters: CrowdParameters, *, readers: int
) -> SimulatedReaders:
    """Draw a crowd.

    Parameters
    ----------
    rng : numpy.random.Generator
        The only source of chance.
    parameters : CrowdParameters
        What to draw from.
    readers : int
        How many in all, the bad ones and the adversaries among them.

    Returns
    -------
    SimulatedReaders
        They; who is bad is drawn too.
    """
    kinds = _kinds(rng, parameters, readers)
    is_bad, is_adversary = kinds == BAD, kinds == ADVERSARY
    raised = is_bad * parameters.bad_sensitivity + is_adversary * parameters.adversary_sensitivity
    own = rng.normal(0, parameters.reader_sd, readers) + raised
    by_finding = rng.normal(0, parameters.reader_finding_sd, (readers, len(Finding)))
    # The mean of a log-normal is above its median; the factor's is to be 1.
    false = np.exp(
        rng.normal(-(parameters.reader_false_sd**2) / 2, parameters.reader_false_sd, readers)
    )
    false = false * np.where(is_bad, parameters.bad_false_factor, 1.0)
    false = false * np.where(is_adversary, parameters.adversary_false_factor, 1.0)
    false_marks = false[:, None] * parameters.false_marks
    # An adversary names at random, so every name is as frequent.
    false_marks[is_adversary] = false_marks[is_adversary].mean(axis=1, keepdims=True)
    noise = np.exp(rng.normal(0, parameters.reader_noise_sd, readers))
    return SimulatedReaders(
        ids=tuple(f"reader-{number:02}" for number in range(1, readers + 1)),
        kinds=tuple(kinds.tolist()),
        sensitivity=parameters.sensitivity + own[:, None] + by_finding,
        false_marks=false_marks,
        edge_noise=noise * np.where(kinds == GOOD, 1.0, parameters.bad_noise_factor),
        size_bias=rng.normal(0, parameters.size_bias_sd, readers),
    )


def _kinds(
    rng: np.random.Generator, parameters: CrowdParameters, readers: int
) -> NDArray[np.str_]:
    """Return who is what, in random order."""
    fewest, most = parameters.bad_readers
    bad = int(rng.integers(fewest, most + 1))
    kinds = [BAD] * bad + [ADVERSARY] * parameters.adversaries
    kinds += [GOOD] * (readers - len(kinds))
    return rng.permutation(np.array(kinds[:readers]))
