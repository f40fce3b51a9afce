"""What a night did, for people and for programs."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

from backend.domain.nights import NightRecord, RunState, StepState
from backend.domain.worklists import EntryState
from backend.store.unit_of_work import UnitOfWork
from backend.workflow.retrain_report import RetrainReport


@dataclass(frozen=True, slots=True)
class NightReport:
    """What a night did.

    Attributes
    ----------
    run : int
        Key of the run.
    state : RunState
        What became of it.
    received : dict
        Readings pulled, by kind.
    verdicts : dict
        Tasks of adjudicators pulled, by kind.
    consensus_images : int
        Images with a consensus.
    near_duplicates : int
        Images that the dataset version leaves out as near-duplicates across splits.
    shadow : dict
        The verdict on the challenger in the shadow; empty when none was there.
    retrained : RetrainReport
        What came of training.
    scored : dict
        What scoring reports; empty when it failed.
    sent_to_adjudicators : int
        Images that readers dispute and that are new to the adjudicators.
    queued : int
        New worklist entries.
    left_out : int
        Planned entries that had been read, skipped or asked for when they were to be kept.
    reordered : int
        Open entries that got another place on their worklist.
    withdrawn : int
        Open entries whose images get enough readings without them.
    second_looks : int
        Readings that come back to their readers.
    pushed : int
        Tasks made of them.
    problems : tuple of str
        What could not be done; the next night tries again.
    """

    run: int
    state: RunState
    received: dict[str, int]
    verdicts: dict[str, int]
    consensus_images: int
    near_duplicates: int
    shadow: dict[str, Any]
    retrained: RetrainReport
    scored: dict[str, object]
    sent_to_adjudicators: int
    queued: int
    left_out: int
    reordered: int
    withdrawn: int
    second_looks: int
    pushed: int
    problems: tuple[str, ...]

    @classmethod
    def of(cls, record: NightRecord) -> "NightReport":
        """Return what a run did.

        Parameters
        ----------
        record : NightRecord
            The run.

        Returns
        -------
        NightReport
            Also of a run that is not over.
        """
        done: dict[str, dict[str, Any]] = {
            step.name: dict(step.outcome) for step in record.steps if step.state is StepState.DONE
        }
        sync, push = done.get("sync", {}), done.get("push", {})
        refill = done.get("refill", {})
        return cls(
            run=record.id,
            state=record.state,
            received=_sum(sync.get("received", {}), push.get("received", {})),
            verdicts=_sum(sync.get("verdicts", {}), push.get("verdicts", {})),
            consensus_images=done.get("consensus", {}).get("images", 0),
            near_duplicates=done.get("cut", {}).get("left_out", 0),
            shadow=done.get("shadow", {}),
            retrained=RetrainReport.of(record),
            scored=done.get("score", {}),
            sent_to_adjudicators=done.get("route", {}).get("sent_to_adjudicators", 0),
            queued=refill.get("queued", 0),
            left_out=refill.get("left_out", 0),
            reordered=push.get("reordered", 0),
            withdrawn=push.get("withdrawn", 0),
            second_looks=refill.get("second_looks", 0),
            pushed=sync.get("tasks_pushed", 0) + push.get("tasks_pushed", 0),
            problems=tuple(dict.fromkeys(_problems(record, done.values()))),
        )

    def as_json(self) -> dict[str, object]:
        """Return the report as plain values.

        Returns
        -------
        dict
            For `--json`.
        """
        return asdict(self)

    def sentences(self) -> list[str]:
        """Return the report for people.

        Returns
        -------
        list of str
            One fact a line.
        """
        scored, failed = self.scored.get("scored", 0), self.scored.get("failed", 0)
        given_out = {
            "new entries": self.queued,
            "read or skipped meanwhile": self.left_out,
            "second looks": self.second_looks,
            "in another place": self.reordered,
            "withdrawn": self.withdrawn,
            "tasks pushed": self.pushed,
        }
        return [
            f"readings received: {_listed(self.received)}",
            f"verdicts received: {_listed(self.verdicts)}",
            f"images with a consensus: {self.consensus_images}",
            f"images newly with the adjudicators: {self.sent_to_adjudicators}",
            *([f"in the shadow: {self.shadow['reason']}"] if self.shadow else []),
            self.retrained.sentence(),
            *([self._of_near_duplicates()] if self.near_duplicates else []),
            f"images scored: {scored}, not readable: {failed}",
            f"worklists: {_listed(given_out)}",
            *(f"problem: {problem}" for problem in self.problems),
        ]

    def _of_near_duplicates(self) -> str:
        version = self.retrained.dataset_version
        return (
            f"near-duplicates across splits, left out of {version}: {self.near_duplicates}; "
            f"overread datasets show {version} lists them"
        )


def report_on(unit: UnitOfWork, record: NightRecord) -> dict[str, object]:
    """Return what is kept of a night for good: what it did, and where that leaves the project.

    Parameters
    ----------
    unit : UnitOfWork
        An open transaction.
    record : NightRecord
        The run.

    Returns
    -------
    dict
        Plain values; the state of the project is what a learning curve is drawn from. What became
        of the run is not among them: it is still running, and its record says how it ended.
    """
    champion = unit.models.champion()
    done = NightReport.of(record).as_json()
    del done["state"]
    return {
        **done,
        "project": {
            "images": unit.images.count(),
            "readings": unit.readings.counts()["valid"],
            "consensus_states": unit.consensus.cluster_states(),
            "open_entries": unit.worklists.counts()[EntryState.OPEN],
            "champion": champion and champion.name,
            "champion_map40": champion and champion.map40,
            "champion_dataset": champion and champion.dataset_version,
        },
        "seconds": {step.name: step.duration_seconds for step in record.steps},
    }


def _problems(record: NightRecord, outcomes: Iterable[dict[str, Any]]) -> list[str]:
    told = [problem for outcome in outcomes for problem in outcome.get("problems", [])]
    failed = [
        f"{step.name}: {step.message}" for step in record.steps if step.state is StepState.FAILED
    ]
    return told + failed


def _sum(first: dict[str, int], second: dict[str, int]) -> dict[str, int]:
    return dict(Counter(first) + Counter(second))


def _listed(counted: dict[str, int]) -> str:
    return ", ".join(f"{number} {kind}" for kind, number in counted.items() if number) or "none"
