"""Let what waits on the worklists follow the queue: other scores, images that need no reading."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from backend.domain.acquisition import reordering, reservation
from backend.domain.acquisition.batch import Channel, Choice
from backend.domain.acquisition.channels import Batch, Worth
from backend.domain.acquisition.cost import CostModel
from backend.domain.acquisition.criterion import PARTS, WHOLE, worth_of
from backend.domain.acquisition.reordering import Reordering
from backend.domain.acquisition.serving_order import explain
from backend.domain.consensus.clusters import Consensus
from backend.domain.worklists import EntryState, WorklistEntry
from backend.label_studio.connection import LabelStudioError
from backend.label_studio.tasks import MalformedTaskError
from backend.store.records import LeaseTakenError
from backend.store.unit_of_work import Store, UnitOfWork
from backend.workflow.candidates import score_candidates
from backend.workflow.further_readings import gather_panels
from backend.workflow.gather_demand import gather_waits
from backend.workflow.gather_evidence import gather_cost, gather_evidence
from backend.workflow.job_lease import hold_sync_lease
from backend.workflow.label_studio_desk import LabelStudioDesk
from backend.workflow.plan_worklists import QueueRules
from backend.workflow.revise_worklists import revise_worklist


@dataclass(frozen=True, slots=True)
class ReorderReport:
    """What became of the worklists.

    Attributes
    ----------
    reordered : int
        Entries that got another place.
    withdrawn : int
        Entries that were taken off: their images get enough readings without them, or have
        waited too long for this reader.
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
        How many readings are wanted, and by which strategy images are chosen.
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
        answers = [answer for _, answer in unit.consensus.current().values()]
        worth, cost = _value_entries(unit, entries, answers, rules)
        panels = gather_panels(unit, answers, rules.panel)
        waits = gather_waits(unit, entries, now=clock(), reservation=rules.reservation)

    kept = reservation.kept_for_a_return(entries, waits.stopped)
    unwanted = {
        **dict.fromkeys(waits.overdue - kept, reservation.NOBODY_STARTED),
        **reordering.unneeded(
            entries, readers, wanted=panels.of, overdue=waits.overdue, kept=kept
        ),
    }
    values = _values(worth)
    changes = {
        project.reader_id: _change(entries, project.reader_id, values, unwanted)
        for project in projects
    }

    with store.transaction() as unit:
        unit.worklists.explain(_explanations(entries, worth, cost))
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


def _value_entries(
    unit: UnitOfWork,
    entries: Sequence[WorklistEntry],
    answers: Sequence[Consensus],
    rules: QueueRules,
) -> tuple[Worth, CostModel]:
    """Return what the images of entries are worth now, as the strategy in use has it."""
    images = unit.images.all(entry.image_id for entry in entries)
    cost = gather_cost(unit)
    worth = worth_of(
        score_candidates(unit, images.values()),
        gather_evidence(unit, answers, with_features=False),
        cost,
        PARTS.get(rules.strategy, WHOLE),
    )
    return worth, cost


def _values(worth: Worth) -> dict[str, float | None]:
    """Return what images are worth by id; None when no model has scored them."""
    columns = worth.pool.image_ids, worth.values, worth.pool.has_score
    return {
        image_id: value if is_scored else None
        for image_id, value, is_scored in zip(*(one.tolist() for one in columns), strict=True)
    }


def _change(
    entries: Sequence[WorklistEntry],
    reader_id: str,
    values: Mapping[str, float | None],
    unwanted: Mapping[int, str],
) -> Reordering | None:
    """Return what becomes of a worklist; None if it is in order already."""
    mine = [entry for entry in entries if entry.reader_id == reader_id]
    change = reordering.reorder(mine, values, unwanted)
    return change if change.changes(mine) else None


def _explanations(
    entries: Sequence[WorklistEntry], worth: Worth, cost: CostModel
) -> dict[int, Choice]:
    """Return what is new about why entries are asked for."""
    row_of = {image_id: row for row, image_id in enumerate(worth.pool.image_ids.tolist())}
    has_score = worth.pool.has_score
    found = {}
    for entry in entries:
        row = row_of[entry.image_id]
        if not (reordering.follows_the_queue(entry) and has_score[row]):
            continue
        batch = Batch()
        if entry.channel == Channel.QUOTA and entry.top_finding is not None:
            batch.quota_of[row] = entry.top_finding
            batch.rows[Channel.QUOTA] = [row]
        else:
            batch.rows[Channel.UNCERTAIN] = [row]
        [choice] = explain([row], batch, worth, cost)
        told = choice.score, choice.reason, choice.top_finding, choice.expected_seconds
        if told != (entry.score, entry.reason, entry.top_finding, entry.expected_seconds):
            found[entry.key] = choice
    return found
