"""What the readers have read so far, which the next worklists are to even out."""

from collections.abc import Collection, Iterable, Mapping

from backend.domain.acquisition.roster import Past, count_meetings, measure_surplus
from backend.domain.consensus.clusters import Consensus
from backend.store.unit_of_work import UnitOfWork


def gather_past(
    store: UnitOfWork, answers: Iterable[Consensus], already: Mapping[str, Collection[str]]
) -> Past:
    """Return what the readers have read so far.

    Parameters
    ----------
    store : UnitOfWork
        An open transaction.
    answers : iterable of Consensus
        The current ones; they tell how many findings an image has.
    already : mapping of str to collection of str
        Image id to the readers who read it or were asked to.

    Returns
    -------
    Past
        Of everybody, imported readers as well.
    """
    findings = {
        answer.image_id: sum(cluster.p_true for cluster in answer.clusters) for answer in answers
    }
    return Past(
        met=count_meetings(already.values()),
        surplus=measure_surplus(already, findings),
        specialities={
            reader_id: duty.specialities
            for reader_id, duty in store.duties.all().items()
            if duty.specialities
        },
    )
