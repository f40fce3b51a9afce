"""How many readings each image is to have, and what further readings of read ones would tell."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from backend.domain.acquisition.panels import FIRST_READERS, PanelRules
from backend.domain.adjudication.request import PENDING
from backend.domain.consensus.clusters import Consensus
from backend.domain.consensus.panel import prior_panel
from backend.domain.further_reading import further_gains, typical_sensitivity
from backend.store.unit_of_work import UnitOfWork


@dataclass(frozen=True, slots=True)
class Panels:
    """How many readings images are to have.

    Attributes
    ----------
    rules : PanelRules
        What holds for images that nobody has read.
    wanted : mapping of str to int
        Image id to readings in all, for images with an answer.
    gains : mapping of str to ndarray of shape (14,), [bit]
        What one more reading would tell, by finding, of the images that are to have one because
        their readers leave them uncertain.
    """

    rules: PanelRules
    wanted: Mapping[str, int]
    gains: Mapping[str, NDArray[np.float64]]

    def of(self, image_id: str) -> int:
        """Return how many readings an image is to have in all.

        Parameters
        ----------
        image_id : str
            Which.

        Returns
        -------
        int
            As far as is known now.
        """
        return self.wanted.get(image_id, self.rules.readings_wanted(0, 0.0))


def gather_panels(store: UnitOfWork, answers: Iterable[Consensus], rules: PanelRules) -> Panels:
    """Return how many readings images are to have.

    Parameters
    ----------
    store : UnitOfWork
        An open transaction.
    answers : iterable of Consensus
        The current ones.
    rules : PanelRules
        How many that are.

    Returns
    -------
    Panels
        What waits for an adjudicator gets no further reader.
    """
    waiting = {
        request.image_id
        for state in PENDING
        for request in store.adjudication_requests.all(state=state)
    }
    fewest = rules.readings_wanted(0, 0.0)
    known = list(answers)
    of_answers = further_gains([answer.clusters for answer in known])
    wanted, gains = {}, {}
    for answer, gain, total in zip(
        known, of_answers, of_answers.sum(axis=1).tolist(), strict=True
    ):
        readings = len(answer.reading_ids)
        is_sent = answer.image_id in waiting and readings >= FIRST_READERS
        number = readings if is_sent else rules.readings_wanted(readings, total)
        wanted[answer.image_id] = number
        if number > max(readings, fewest):
            gains[answer.image_id] = gain
    return Panels(rules, wanted, gains)


def gather_sensitivity(store: UnitOfWork) -> NDArray[np.float64]:
    """Return how probably the next reader marks a lesion of each finding.

    Parameters
    ----------
    store : UnitOfWork
        An open transaction.

    Returns
    -------
    ndarray of shape (14,)
        In (0, 1), as the current panel of readers has it.
    """
    kept = store.panels.current()
    panel = prior_panel() if kept is None else kept[1]
    return typical_sensitivity(panel.skill.next_logit)
