"""Taking images out of a pool, never two of one patient."""

import numpy as np
from numpy.typing import NDArray

from backend.domain.acquisition.pool import Numbers, ScoredPool

Rows = NDArray[np.int64]


class Draw:
    """The images of a pool that are still to be had.

    Rows are always handled in the order of the image ids, so that the order of the pool does not
    matter.

    Parameters
    ----------
    pool : ScoredPool
        The images.
    """

    def __init__(self, pool: ScoredPool) -> None:
        self._by_id: Rows = np.argsort(pool.image_ids, kind="stable")
        names, self._patients = np.unique(pool.patients, return_inverse=True)
        self._is_taken = np.zeros(len(names), dtype=np.bool_)

    @property
    def patients(self) -> int:
        """How many patients there are in all."""
        return len(self._is_taken)

    def ranked(self, values: Numbers, among: NDArray[np.bool_]) -> Rows:
        """Return rows by what they are worth.

        Parameters
        ----------
        values : ndarray of shape (n,)
            What each row is worth.
        among : ndarray of shape (n,) of bool
            Which rows.

        Returns
        -------
        ndarray of int
            The highest first, equal ones by image id; images of patients who have been taken are
            left out.
        """
        rows = self._left(among)
        return rows[np.argsort(-values[rows], kind="stable")]

    def shuffled(self, among: NDArray[np.bool_], rng: np.random.Generator) -> Rows:
        """Return rows in random order.

        Parameters
        ----------
        among : ndarray of shape (n,) of bool
            Which rows.
        rng : numpy.random.Generator
            Source of the order.

        Returns
        -------
        ndarray of int
            Without images of patients who have been taken.
        """
        return rng.permutation(self._left(among))

    def first(self, rows: Rows, size: int) -> Rows:
        """Return the first rows of so many patients, without taking them.

        Parameters
        ----------
        rows : ndarray of int
            In order of preference.
        size : int
            How many are wanted.

        Returns
        -------
        ndarray of int
            At most so many, each of another patient who has not been taken.
        """
        left = rows[~self._is_taken[self._patients[rows]]]
        places = np.sort(np.unique(self._patients[left], return_index=True)[1])
        return left[places[:size]]

    def take(self, rows: Rows, size: int) -> Rows:
        """Take the first rows of so many patients.

        Parameters
        ----------
        rows : ndarray of int
            In order of preference.
        size : int
            How many are wanted.

        Returns
        -------
        ndarray of int
            As from `first`.
        """
        taken = self.first(rows, size)
        self._is_taken[self._patients[taken]] = True
        return taken

    def _left(self, among: NDArray[np.bool_]) -> Rows:
        rows = self._by_id[among[self._by_id]]
        return rows[~self._is_taken[self._patients[rows]]]
