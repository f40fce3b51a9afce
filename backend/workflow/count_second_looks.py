"""How second looks went: asked for, done, and what they changed."""

from backend.domain.second_look_changes import SecondLookNumbers, changes, count
from backend.store.unit_of_work import UnitOfWork


def count_second_looks(store: UnitOfWork, reader_id: str | None = None) -> SecondLookNumbers:
    """Return how second looks went.

    Parameters
    ----------
    store : UnitOfWork
        An open transaction.
    reader_id : str or None
        Whose; None for everybody's.

    Returns
    -------
    SecondLookNumbers
        As of now.
    """
    entries = store.worklists.all(reader_id=reader_id)
    done = [
        pair
        for pair in store.second_looks.done()
        if reader_id is None or pair.first.reader_id == reader_id
    ]
    return count(entries, [changes(pair.first, pair.second) for pair in done])
