"""Slip adjudicated images into the worklists, to measure how well readers read."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace

import numpy as np

from backend.domain.acquisition import gold
from backend.domain.acquisition.batch import Channel, Choice
from backend.domain.worklists import EntryKind, WorklistEntry
from backend.store.unit_of_work import UnitOfWork
from backend.workflow.adjudicated_images import adjudicated_images


def draw_gold_cases(
    store: UnitOfWork,
    open_slots: Mapping[str, int],
    *,
    share: float,
    seed: tuple[int, int],
    already: Mapping[str, Collection[str]],
    usable: Collection[str],
) -> dict[str, tuple[str, ...]]:
    """Draw each reader's gold cases.

    Parameters
    ----------
    store : UnitOfWork
        An open transaction.
    open_slots : mapping of str to int
        Reader id to the number of entries that the worklist has room for.
    share : float
        Share of gold cases, in [0, 1].
    seed : tuple of (int, int)
        Of the queue, and of how far it has come.
    already : mapping of str to collection of str
        Image id to the readers who read it or have it on their worklist, as adjudicators too.
    usable : collection of str
        Images that may be taken: those that the champion has answered, when there is one. Any
        other would stand out by opening without boxes in the assisted arm.

    Returns
    -------
    dict of str to tuple of str
        Reader id to image ids; no reader gets an image that they have read or adjudicated.
    """
    if not share:
        return {}
    truths = adjudicated_images(store)
    return {
        reader_id: gold.draw_gold(
            reader_id,
            [
                image_id
                for image_id, truth in truths.items()
                if image_id in usable
                and reader_id not in already.get(image_id, ())
                and reader_id not in truth.adjudicators
            ],
            slots=slots,
            share=share,
            seed=seed,
        )
        for reader_id, slots in open_slots.items()
    }


def slip_in(
    entries: Sequence[WorklistEntry],
    gold_cases: Mapping[str, Sequence[str]],
    new_entry: Callable[[Choice, str], WorklistEntry],
    *,
    other_slots: Mapping[str, int],
    rng: np.random.Generator,
) -> list[WorklistEntry]:
    """Put each gold case behind a new entry of its reader, as if it had been chosen there.

    Parameters
    ----------
    entries : sequence of WorklistEntry
        The other new entries, by rank.
    gold_cases : mapping of str to sequence of str
        From `draw_gold_cases`.
    new_entry : callable
        Makes an entry of a choice and a reader id; it draws the arm as of any other entry.
    other_slots : mapping of str to int
        Reader id to the slots that were left to other entries; where fewer came, fewer gold cases
        are taken.
    rng : numpy.random.Generator
        Source of the places.

    Returns
    -------
    list of WorklistEntry
        All of them, by rank. They are kept in this order, so that neither rank nor key nor
        score of an entry tells its reader what it is.
    """
    found = list(entries)
    for reader_id in sorted(gold_cases):
        mine = [entry for entry in entries if entry.reader_id == reader_id]
        filled = len(mine) / other_slots[reader_id] if other_slots[reader_id] else 1.0
        wanted = int(len(gold_cases[reader_id]) * filled + rng.uniform())
        for image_id in gold_cases[reader_id][:wanted]:
            before = mine[int(rng.integers(len(mine)))] if mine else None
            choice = Choice(
                image_id, 1, before.score if before else 0.0, Channel.GOLD, gold.REASON
            )
            entry = new_entry(choice, reader_id)
            rank = before.rank if before else entry.rank
            found.append(replace(entry, rank=rank, kind=EntryKind.GOLD))
    return sorted(found, key=lambda entry: entry.rank)
