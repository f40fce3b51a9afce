"""Shares of something, counted in a sample, with exact intervals."""

from math import exp, lgamma, log, log1p

_STEPS = 60


class InvalidCountError(ValueError):
    """More was found than was looked at, or fewer than nothing."""


def share_interval(found: int, number: int, *, level: float = 0.95) -> tuple[float, float]:
    """Return the interval of a share that was counted.

    Parameters
    ----------
    found : int
        How many of the sample have it.
    number : int
        Size of the sample.
    level : float
        Coverage in (0, 1), at least.

    Returns
    -------
    tuple of (float, float)
        Both ends, in [0, 1]; (0, 1) for an empty sample.

    Raises
    ------
    InvalidCountError
        If the counts are impossible.

    Notes
    -----
    Clopper and Pearson's: the shares under which neither so many nor so few would be found with a
    probability below ``(1 - level) / 2``. Where none or all have it, the interval has one end
    only, and all of ``1 - level`` goes to that: with none found it is ``1 - 0.05^(1/n)``, about
    3/n, the rule of three.

    References
    ----------
    C. Clopper, E. Pearson, "The use of confidence or fiducial limits illustrated in the case of
    the binomial", Biometrika 1934.
    J. Hanley, A. Lippman-Hand, "If nothing goes wrong, is everything all right?", JAMA 1983.

    Examples
    --------
    >>> [round(end, 3) for end in share_interval(3, 180)]
    [0.003, 0.048]
    >>> [round(end, 3) for end in share_interval(0, 100)]
    [0.0, 0.03]
    """
    if not 0 <= found <= number:
        raise InvalidCountError(f"expected 0 <= found <= {number}, got {found}")
    if number == 0:
        return 0.0, 1.0
    outside = 1.0 - level
    if found == 0:
        return 0.0, 1.0 - outside ** (1.0 / number)
    if found == number:
        return outside ** (1.0 / number), 1.0
    return (
        1.0 - _highest(number - found, number, outside / 2),
        _highest(found, number, outside / 2),
    )


def _highest(found: int, number: int, probability: float) -> float:
    """Return the share under which so few are found with a given probability."""
    low, high = 0.0, 1.0
    for _ in range(_STEPS):
        middle = (low + high) / 2
        if _at_most(found, number, middle) > probability:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def _at_most(found: int, number: int, share: float) -> float:
    """Return the probability of at most so many."""
    return sum(
        exp(
            lgamma(number + 1)
            - lgamma(k + 1)
            - lgamma(number - k + 1)
            + k * log(share)
            + (number - k) * log1p(-share)
        )
        for k in range(found + 1)
    )
