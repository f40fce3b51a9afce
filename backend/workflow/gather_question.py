"""All that decides what is read next."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from backend.domain.acquisition.assignment import Past
from backend.domain.acquisition.cost import CostModel
from backend.domain.acquisition.evidence import Evidence
from backend.domain.acquisition.panels import PanelRules
from backend.domain.acquisition.pool import ScoredPool
from backend.domain.consensus.clusters import Consensus
from backend.store.unit_of_work import UnitOfWork
from backend.workflow.candidates import look_closer, score_candidates
from backend.workflow.further_readings import gather_panels, gather_sensitivity
from backend.workflow.gather_demand import Demand
from backend.workflow.gather_evidence import gather_cost, gather_evidence
from backend.workflow.gather_past import gather_past

_UNKNOWN_IMAGES = 10.0
"""A finding is taken to be on one image of so many, until images tell otherwise."""


@dataclass(frozen=True, slots=True)
class Question:
    """All that decides what is read next.

    Attributes
    ----------
    pool : ScoredPool
        The images that could be.
    evidence : Evidence
        What has been read so far.
    cost : CostModel
        How long images take.
    wanted : mapping of str to int
        Image id to how many further readers it wants, of the images of the pool.
    panel : PanelRules
        How many readers an image gets.
    past : Past
        What the readers have read so far.
    sensitivity : ndarray of shape (14,)
        How probably the next reader marks a lesion of each finding.
    prevalence : ndarray of shape (14,)
        Share in (0, 1) of images that show each finding.
    drawn : frozenset of str
        Images of the pool that belong to the random sample, and still lack readers.
    begun : frozenset of str
        These, and images of which the queue asked for a panel of readers that is not complete
        any more.
    """

    pool: ScoredPool
    evidence: Evidence
    cost: CostModel
    wanted: Mapping[str, int]
    panel: PanelRules
    past: Past
    sensitivity: NDArray[np.float64]
    prevalence: NDArray[np.float64]
    drawn: frozenset[str]
    begun: frozenset[str]


def gather_question(store: UnitOfWork, demand: Demand, panel: PanelRules) -> Question:
    """Return all that decides what is read next.

    Parameters
    ----------
    store : UnitOfWork
        An open transaction.
    demand : Demand
        Who could read what.
    panel : PanelRules
        How many readers an image gets.

    Returns
    -------
    Question
        Of the images that want a reader and that somebody could read.
    """
    answers: list[Consensus] = [answer for _, answer in store.consensus.current().values()]
    panels = gather_panels(store, answers, panel)
    asked = {image_id: demand.asked.get(image_id, 0) for image_id in demand.images}
    wanted = {
        image_id: (panel.most if image_id in demand.drawn else panels.of(image_id)) - number
        for image_id, number in asked.items()
    }
    candidates = [
        image
        for image_id, image in demand.images.items()
        if wanted[image_id] > 0 and demand.could_be_read(image_id)
    ]
    drawn = demand.drawn & {image.id for image in candidates}
    fewest = panel.readings_wanted(0, 0.0)
    begun = {
        image.id
        for image in candidates
        if image.id in demand.queued and 0 < asked[image.id] < fewest
    }
    pool = look_closer(
        store,
        score_candidates(store, candidates),
        {image_id: gain for image_id, gain in panels.gains.items() if image_id not in drawn},
    )
    is_untouched = [asked[image.id] == 0 and image.id not in drawn for image in candidates]
    evidence = gather_evidence(store, answers, with_features=True)
    return Question(
        pool=replace(pool, is_untouched=np.array(is_untouched, dtype=np.bool_)),
        evidence=evidence,
        cost=gather_cost(store),
        wanted={image.id: wanted[image.id] for image in candidates},
        panel=panel,
        past=gather_past(store, answers, demand.already),
        sensitivity=gather_sensitivity(store),
        prevalence=np.asarray(
            (evidence.positive_images + 1.0) / (len(answers) + _UNKNOWN_IMAGES), dtype=np.float64
        ),
        drawn=drawn,
        begun=drawn | begun,
    )
