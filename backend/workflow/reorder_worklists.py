"""Let what waits on the worklists follow the queue: other scores, images that need no reading."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from backend.domain.acquisition import batch, reordering
from backend.domain.acquisition.batch import Candidate, Choice
from backend.domain.acquisition.reordering import Reordering
from backend.domain.worklists import EntryState, WorklistEntry
from backend.label_studio.connection import LabelStudioError
from backend.label_studio.tasks import MalformedTaskError
from backend.store.records import LeaseTakenError
from backend.store.unit_of_work import Store, UnitOfWork
from backend.workflow.candidates import positive_images, score_candidates
from backend.workflow.fill_worklists import QueueRules
from backend.workflow.job_lease import hold_sync_lease
from backend.workflow.label_studio_desk import LabelStudioDesk
from backend.workflow.revise_worklists import revise_worklist


@dataclass(frozen=True, slots=True)
class ReorderReport:
    """What became of the worklists.

    Attributes
    ----------
    reordered : int
        Entries that got another place.
    withdrawn : int
        Entries that were taken off, because their images get enough readings without them.
    problems : tuple of str
        Whose worklist stayed as it was, and why.
    """

    reordered: int
    withdrawn: int
    problems: tuple[str, ...]


def reorder_worklists(
    store: Store, desk: LabelStudioDesk, rules: QueueRules, *, clock: Callable[[], datetime]
) -> ReorderReport:
    """Give open entries the order that the queue has now, withdraw those that nobody needs.

    Gold cases, second looks and what was drawn at random keep their places, and what is being
    read is left alone. A worklist that is in order already is not pushed.

    Parameters
    ----------
    store : Store
        The database.
    desk : LabelStudioDesk
        How to reach Label Studio.
    rules : QueueRules
        How many readings are wanted.
    clock : callable
        Gives the time; aware.

    Returns
    -------
    ReorderReport
        What was done; one reader's trouble does not keep the others waiting.
    """
    with store.snapshot() as unit:
        projects = unit.readers.projects()
        entries = unit.worklists.all(state=EntryState.OPEN)
        readers = unit.images.readers_by_image()
        candidates = _candidates(unit, entries)

    unwanted = reordering.unneeded(entries, readers, readers_per_image=rules.readers_per_image)
    changes = {
        project.reader_id: _change(entries, project.reader_id, candidates, unwanted)
        for project in projects
    }

    with store.transaction() as unit:
        unit.worklists.explain(_explanations(entries, candidates))
    moved = withdrawn = 0
    problems = []
    for project in projects:
        change = changes[project.reader_id]
        if change is None:
            continue
        try:
            with hold_sync_lease(store, project.reader_id, clock=clock):
                done = revise_worklist(
                    store,
                    desk,
                    project,
                    order=change.order,
                    unwanted=change.unwanted,
                    now=clock(),
                )
            moved += len(done.ranks)
            withdrawn += len(done.withdrawn)
        except (LabelStudioError, MalformedTaskError, LeaseTakenError) as error:
            problems.append(f"{project.reader_id}: {error}")
    return ReorderReport(moved, withdrawn, tuple(problems))


def _candidates(unit: UnitOfWork, entries: Sequence[WorklistEntry]) -> dict[str, Candidate]:
    images = unit.images.all(entry.image_id for entry in entries)
    champion = unit.models.champion()
    predictions = unit.predictions.of_model(champion.name, images) if champion else {}
    scored = score_candidates(images.values(), predictions, positive_images(unit))
    return {candidate.image_id: candidate for candidate in scored}


def _change(
    entries: Sequence[WorklistEntry],
    reader_id: str,
    candidates: Mapping[str, Candidate],
    unwanted: Mapping[int, str],
) -> Reordering | None:
    """Return what becomes of a worklist; None if it is in order already."""
    mine = [entry for entry in entries if entry.reader_id == reader_id]
    change = reordering.reorder(mine, candidates, unwanted)
    return change if change.changes(mine) else None


def _explanations(
    entries: Sequence[WorklistEntry], candidates: Mapping[str, Candidate]
) -> dict[int, Choice]:
    """Return what is new about why entries are asked for."""
    found = {}
    for entry in entries:
        candidate = candidates[entry.image_id]
        if reordering.follows_the_queue(entry) and candidate.uncertainty is not None:
            choice = batch.explain(candidate, rank=entry.rank)
            if (choice.score, choice.reason) != (entry.score, entry.reason):
                found[entry.key] = choice
    return found
