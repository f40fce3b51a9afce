"""Where Label Studio and the store disagree, and which of it needs a person."""

from collections.abc import Callable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import datetime, timedelta

from backend.label_studio.client import LabelStudioClient
from backend.label_studio.connection import LabelStudioMissingError
from backend.label_studio.organisation import ProjectState
from backend.label_studio.task_rows import UnreadableTask
from backend.store.entry_tasks import KnownTask
from backend.store.readers import ReaderProject
from backend.store.unit_of_work import Store, StoreUnavailableError
from backend.workflow.compare_tasks import Comparison, compare_tasks
from backend.workflow.label_studio_desk import LabelStudioDesk
from backend.workflow.sync_report import CLOSED, told

_TOLERATED_SKEW = timedelta(minutes=1)
_ROUNDING = timedelta(seconds=5)
_NAMED_TASKS = 20
TOUCHED = "were touched since the last sync, by a reader or by filling; the next one looks at them"


@dataclass(frozen=True, slots=True)
class SyncFinding:
    """Something that was looked at.

    Attributes
    ----------
    what : str
        What, in a word or two.
    reader_id : str
        In whose project.
    state : str
        How it is.
    remedy : str or None
        What a person should do; None when nobody is needed.
    """

    what: str
    reader_id: str
    state: str
    remedy: str | None = None


def check_sync(
    store: Store,
    desk: LabelStudioDesk,
    *,
    clock: Callable[[], datetime],
    on_reader: Callable[[str], None] = lambda _: None,
) -> list[SyncFinding]:
    """Compare every reader's project with the store; changes nothing on either side.

    Parameters
    ----------
    store : Store
        The database.
    desk : LabelStudioDesk
        How to reach Label Studio.
    clock : callable
        Gives the time; aware.
    on_reader : callable
        Called with the reader id after each reader.

    Returns
    -------
    list of SyncFinding
        By reader; at least one each.
    """
    with store.snapshot() as unit:
        projects = unit.readers.projects(also_of_inactive=True)
        active = {project.reader_id for project in unit.readers.projects()}
    findings: list[SyncFinding] = []
    for project in projects:
        try:
            with desk.open_client(project.reader_id) as client:
                checkup = _Checkup(store, desk, client, project, clock)
                findings += checkup.findings(is_active=project.reader_id in active)
        except StoreUnavailableError:
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is, the others are looked at
            is_active = project.reader_id in active
            findings.append(_trouble(project.reader_id, error, is_active=is_active))
        on_reader(project.reader_id)
    return findings


def _trouble(reader_id: str, error: Exception, *, is_active: bool) -> SyncFinding:
    if not is_active and isinstance(error, CLOSED):
        state = "the reader has left, and the project is closed or gone; what was fetched stays"
        return SyncFinding("project", reader_id, state)
    if isinstance(error, LabelStudioMissingError):
        return SyncFinding(
            "project",
            reader_id,
            "the project is gone from Label Studio; the readings stay in the store",
            f"make it again: overread readers add {reader_id}",
        )
    return SyncFinding(
        "project",
        reader_id,
        told(error),
        "mend it as said, or see: overread doctor; nothing is lost meanwhile",
    )


class _Checkup:
    """One reader's turn."""

    def __init__(
        self,
        store: Store,
        desk: LabelStudioDesk,
        client: LabelStudioClient,
        project: ReaderProject,
        clock: Callable[[], datetime],
    ) -> None:
        self._store = store
        self._desk = desk
        self._client = client
        self._project = project
        self._clock = clock

    def findings(self, *, is_active: bool) -> list[SyncFinding]:
        state = self._client.project_state(self._project.project_id)
        with self._store.snapshot() as unit:
            known = unit.worklists.known_tasks(self._project.reader_id)
            aside = {one.task_id: one.why for one in unit.set_asides.of(self._project.reader_id)}
            counts = unit.readings.counts(self._project.reader_id, also_second_looks=True)
        waiting = self._changed(aside)
        rows = self._client.all_tasks(self._project.project_id)
        compared = compare_tasks(rows, known, aside)
        return [
            self._finding(
                "worklist", f"{state.tasks} tasks in Label Studio, {len(known)} entries here"
            ),
            *(self._surroundings(state) if is_active else ()),
            *self._waiting(waiting),
            *self._set_aside(aside),
            *self._vanished(compared, known),
            *self._too_many(compared),
            *self._quarantine(counts["quarantined"], is_active=is_active),
        ]

    def _surroundings(self, state: ProjectState) -> Iterator[SyncFinding]:
        yield from self._clocks(state, self._clock())
        yield from self._user()
        yield from self._webhook()

    def _finding(self, what: str, state: str, remedy: str | None = None) -> SyncFinding:
        return SyncFinding(what, self._project.reader_id, state, remedy)

    def _clocks(self, state: ProjectState, now: datetime) -> Iterator[SyncFinding]:
        if state.asked_at is None:
            return
        skew = state.asked_at - now
        yield self._finding(
            "clock",
            f"Label Studio's is {skew.total_seconds():+.0f} s from ours",
            "set both by NTP: times of readings are wrong by as much. Nothing is lost, since "
            "changes are followed by Label Studio's clock alone"
            if abs(skew) > _TOLERATED_SKEW
            else None,
        )
        until = self._project.synced_until
        if until is not None and state.asked_at + _ROUNDING < until:
            yield self._finding(
                "clock",
                "Label Studio's was set back: it is earlier than changes already pulled",
                "set it right; until it has caught up, every sync pulls everything",
            )

    def _user(self) -> Iterator[SyncFinding]:
        user_id = self._project.user_id
        if user_id is None:
            return
        email = self._client.users().get(user_id)
        if email is None:
            yield self._finding(
                "user",
                "the reader's user is no longer in the organisation",
                f"bring it back: overread readers add {self._project.reader_id}",
            )
        elif email.casefold() != self._project.email.casefold():
            yield self._finding(
                "user",
                "the reader's e-mail address in Label Studio is not the one on record; readings "
                "arrive all the same",
                "record the new one: overread readers add "
                f"{self._project.reader_id} --email ADDRESS",
            )

    def _webhook(self) -> Iterator[SyncFinding]:
        wanted = f"{self._desk.backend_url.rstrip('/')}/webhooks/label-studio"
        if wanted not in self._client.webhook_urls(self._project.project_id):
            yield self._finding(
                "webhook",
                "Label Studio does not report changes to this backend; they come with the "
                "reconciling sync only",
                f"register it: overread readers add {self._project.reader_id}",
            )

    def _changed(self, aside: dict[int, str]) -> int:
        """Return how many tasks changed since the last sync; add those that cannot be read."""

        def note(task: UnreadableTask) -> None:
            aside[task.task_id] = task.why

        until = self._project.synced_until
        changed = self._client.changed_tasks(self._project.project_id, until, on_unreadable=note)
        return sum(until is None or task.updated_at > until for task in changed)

    def _waiting(self, number: int) -> Iterator[SyncFinding]:
        if number:
            yield self._finding("waiting", f"{number} tasks {TOUCHED}")

    def _set_aside(self, aside: Mapping[int, str]) -> Iterator[SyncFinding]:
        for task_id, why in sorted(aside.items()):
            yield self._finding(
                "set aside",
                f"task {task_id} cannot be read: {why}",
                "mend or delete the task in Label Studio; it is tried again in every sync",
            )

    def _vanished(self, compared: Comparison, known: list[KnownTask]) -> Iterator[SyncFinding]:
        if compared.gone_unread:
            yield self._finding(
                "deleted",
                f"{len(compared.gone_unread)} unread tasks were deleted; the next sync makes "
                "them again",
            )
        gone = {one.entry_id for one in compared.gone_ended}
        gone |= {one.entry_id for one in known if one.is_lost and one.task_id is None}
        if gone:
            yield self._finding(
                "deleted",
                f"{len(gone)} tasks were deleted after they were read; the readings stay",
            )
        older = {one.task_id for one in known if one.is_lost}
        older |= {one.task_id for one in compared.older}
        older -= {None, *(one.task_id for one in compared.gone_ended)}
        if older:
            yield self._finding(
                "restored",
                f"{len(older)} tasks are older in Label Studio than they were, as after a "
                "restored backup; what was read in them stays in the store, nothing is withdrawn",
                "nothing has to be read again. So that the reader is not asked a second time, "
                f"delete these tasks in Label Studio: {_listed(older)}",
            )

    def _too_many(self, compared: Comparison) -> Iterator[SyncFinding]:
        if compared.second:
            yield self._finding(
                "second task",
                f"{len(compared.second)} entries have more than one task; whatever is read in "
                "any of them counts",
                "delete these in Label Studio, as far as nothing was read in them: "
                + _listed({row.task_id for row in compared.second}),
            )
        read = [row for row in compared.foreign if row.annotations and row.entry is not None]
        if compared.foreign:
            yield self._finding(
                "foreign",
                f"{len(compared.foreign)} tasks belong to no entry of this store, "
                f"{len(read)} of them with answers",
                "the store was restored or replaced: restore a newer backup of it if there is "
                "one, or export these answers from Label Studio, and delete the tasks: "
                + _listed({row.task_id for row in read})
                if read
                else None,
            )

    def _quarantine(self, number: int, *, is_active: bool) -> Iterator[SyncFinding]:
        if number:
            yield self._finding(
                "quarantine",
                f"{number} answers are kept but do not count",
                "let the reader submit them again; the reader's page lists them with the reason"
                if is_active
                else None,
            )


def _listed(task_ids: AbstractSet[int | None]) -> str:
    ordered = sorted(task_id for task_id in task_ids if task_id is not None)
    named = ", ".join(map(str, ordered[:_NAMED_TASKS]))
    more = len(ordered) - _NAMED_TASKS
    return f"{named} and {more} more" if more > 0 else named
