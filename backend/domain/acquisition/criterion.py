"""What images are worth reading, and the batch that follows from it."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

import numpy as np

from backend.domain.acquisition.batch import Choice, Shares, check_size
from backend.domain.acquisition.channels import Worth, compose
from backend.domain.acquisition.cost import CostModel
from backend.domain.acquisition.draw import Draw
from backend.domain.acquisition.evidence import Evidence
from backend.domain.acquisition.missed import missed_findings
from backend.domain.acquisition.pool import Numbers, ScoredPool
from backend.domain.acquisition.rarity import finding_weights
from backend.domain.acquisition.serving_order import explain, serving_order
from backend.domain.findings import Finding

DEFAULT_SHARES = Shares()


@dataclass(frozen=True, slots=True)
class Parts:
    """Which parts of the criterion are in use.

    Attributes
    ----------
    quotas, missed, rereads : bool
        Whether these channels have a share; that of the quotas else goes to the uncertain one.
    rarity : bool
        Whether findings weigh by how rare and hard they are.
    diversity : bool
        Whether the uncertain channel takes images that look different.
    cost : bool
        Whether an image's worth is divided by its reading time.
    """

    quotas: bool = True
    missed: bool = True
    rereads: bool = True
    rarity: bool = True
    diversity: bool = True
    cost: bool = True


WHOLE = Parts()
PARTS: Mapping[str, Parts] = MappingProxyType(
    {
        "entropy-sum": Parts(*[False] * 6),
        "overread": WHOLE,
        "overread-without-quotas": replace(WHOLE, quotas=False),
        "overread-without-rarity": replace(WHOLE, rarity=False),
        "overread-without-diversity": replace(WHOLE, diversity=False),
        "overread-without-missed": replace(WHOLE, missed=False),
        "overread-without-rereads": replace(WHOLE, rereads=False),
        "overread-without-cost": replace(WHOLE, cost=False),
    }
)
"""The strategies that differ only in the parts of the criterion that they use."""


def weights_of_findings(evidence: Evidence, parts: Parts = WHOLE) -> Numbers:
    """Return what findings weigh.

    Parameters
    ----------
    evidence : Evidence
        What has been read so far.
    parts : Parts
        Whether rarity counts.

    Returns
    -------
    ndarray of shape (14,)
        See `finding_weights`; all 1 when rarity does not count.
    """
    if not parts.rarity:
        return np.ones(len(Finding))
    return finding_weights(evidence.positive_images, evidence.average_precision)


def image_values(
    pool: ScoredPool, evidence: Evidence, cost: CostModel, parts: Parts = WHOLE
) -> Numbers:
    """Return what images as a whole are worth.

    Parameters
    ----------
    pool : ScoredPool
        The images.
    evidence : Evidence
        What has been read so far.
    cost : CostModel
        How long images take.
    parts : Parts
        Whether rarity and cost count.

    Returns
    -------
    ndarray of shape (n,), [bit]
        From 0 on.

    Notes
    -----
    ``V = sum over findings c of w_c U_c, divided by (E[t] / 60 s)^g``: w from
    `weights_of_findings`, U_c the `shares` of the pool, E[t] and g from the cost model.
    """
    weighted = (pool.shares * weights_of_findings(evidence, parts)).sum(axis=1)
    return np.asarray(weighted / cost.divisor(pool.boxes) if parts.cost else weighted)


def worth_of(pool: ScoredPool, evidence: Evidence, cost: CostModel, parts: Parts = WHOLE) -> Worth:
    """Return what images are worth to the channels, the missed-finding one apart.

    Parameters
    ----------
    pool : ScoredPool
        The images.
    evidence : Evidence
        What has been read so far.
    cost : CostModel
        How long images take.
    parts : Parts
        Which parts of the criterion are in use.

    Returns
    -------
    Worth
        Without `missed`.
    """
    weights = weights_of_findings(evidence, parts)
    disputes = np.zeros(pool.shares.shape) if pool.disputes is None else pool.disputes
    return Worth(
        pool=pool,
        weights=weights,
        values=image_values(pool, evidence, cost, parts),
        disputes=disputes * weights,
        is_diverse=parts.diversity,
    )


def choose_by_criterion(  # noqa: PLR0913 - a strategy, and which parts of it
    pool: ScoredPool,
    evidence: Evidence,
    cost: CostModel,
    *,
    size: int,
    rng: np.random.Generator,
    shares: Shares = DEFAULT_SHARES,
    parts: Parts = WHOLE,
) -> tuple[Choice, ...]:
    """Return the images that teach most per minute of reading.

    Parameters
    ----------
    pool : ScoredPool
        Every image that could be read, in any order; none is normal.
    evidence : Evidence
        What has been read so far.
    cost : CostModel
        How long images take.
    size : int
        How many images are wanted, from 0 on.
    rng : numpy.random.Generator
        Source of chance.
    shares : Shares
        What the batch is made of.
    parts : Parts
        Which parts of the criterion are in use.

    Returns
    -------
    tuple of Choice
        By rank, at most one image per patient.
    """
    check_size(size)
    shares = replace(
        shares,
        quota=shares.quota if parts.quotas else 0.0,
        uncertain=shares.uncertain + (0.0 if parts.quotas else shares.quota),
        missed=shares.missed if parts.missed else 0.0,
        reread=shares.reread if parts.rereads else 0.0,
    )
    worth = worth_of(pool, evidence, cost, parts)
    if shares.missed:
        worth = replace(worth, missed=missed_findings(pool, evidence, rng=rng))
    batch = compose(worth, Draw(pool), shares, size, rng)
    return explain(serving_order(batch, worth, rng), batch, worth, cost)
