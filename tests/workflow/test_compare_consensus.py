"""What one version of the consensus says otherwise than another one."""

from dataclasses import astuple

import pytest

from backend.domain.boxes import Box
from backend.domain.consensus.clusters import Cluster, ClusterState, Consensus
from backend.domain.findings import Finding
from backend.store.consensus import UnknownMethodVersionError
from backend.store.unit_of_work import Store
from backend.workflow.compare_consensus import ConsensusChanges, compare_consensus
from tests.store.samples import NOW, image, register

ILD, NODULE = Finding.ILD, Finding.NODULE_MASS
SINGLE, MAJORITY = ClusterState.SINGLE_READER, ClusterState.MAJORITY


def cluster(
    p_true: float,
    finding: Finding = NODULE,
    *,
    x: float = 0,
    state: ClusterState = SINGLE,
) -> Cluster:
    """A cluster 100 px wide and high; `x` px to the right, 100 - x of them overlap."""
    return Cluster(finding, Box(x, 0, x + 100, 100), p_true, p_true, state, ())


def record(store: Store, method_version: str, answers: dict[str, list[Cluster]]) -> None:
    with store.transaction() as unit:
        unit.consensus.record(
            [
                Consensus(image_id, method_version, tuple(clusters), 0.5)
                for image_id, clusters in answers.items()
            ],
            now=NOW,
            make_current=False,
        )


def compare(store: Store, before: list[Cluster], after: list[Cluster]) -> ConsensusChanges:
    """Compare two answers for one image."""
    register(store, image("a"))
    record(store, "v1", {"a": before})
    record(store, "v2", {"a": after})
    with store.snapshot() as unit:
        return compare_consensus(unit, "v1", "v2")


def kinds(changes: ConsensusChanges) -> dict[str, int]:
    """Return the counts that are not zero."""
    names = ("appeared", "vanished", "changed_state", "crossed_up", "crossed_down", "moved")
    return {name: number for name in names if (number := getattr(changes, name))}


class TestCompareConsensus:
    @pytest.mark.parametrize(
        ("before", "after", "expected", "sentence"),
        [
            pytest.param([], [], {}, None, id="nothing"),
            pytest.param([cluster(0.4)], [cluster(0.4)], {}, None, id="the same"),
            pytest.param(
                [],
                [cluster(0.4)],
                {"appeared": 1},
                "Nodule/Mass appeared with 0.40.",
                id="new",
            ),
            pytest.param(
                [cluster(0.6)],
                [],
                {"vanished": 1},
                "Nodule/Mass vanished, which had 0.60.",
                id="gone",
            ),
            pytest.param(
                [cluster(0.2)],
                [cluster(0.5)],
                {"crossed_up": 1},
                "Nodule/Mass rose from 0.20 to 0.50.",
                id="up to one half is enough for a release",
            ),
            pytest.param(
                [cluster(0.5)],
                [cluster(0.25)],
                {"crossed_down": 1},
                "Nodule/Mass fell from 0.50 to 0.25.",
                id="down",
            ),
            pytest.param(
                [cluster(0.4)],
                [cluster(0.4, state=MAJORITY)],
                {"changed_state": 1},
                None,
                id="another state, the same probability",
            ),
            # 89 and 88 of 111 and 112 px: IoU 0.802 and 0.786
            pytest.param([cluster(0.4)], [cluster(0.4, x=11)], {}, None, id="hardly moved"),
            pytest.param([cluster(0.4)], [cluster(0.4, x=12)], {"moved": 1}, None, id="moved"),
            # 67 and 66 of 133 and 134 px: IoU 0.504 and 0.493
            pytest.param([cluster(0.4)], [cluster(0.4, x=33)], {"moved": 1}, None, id="far"),
            pytest.param(
                [cluster(0.4)],
                [cluster(0.3, x=34)],
                {"appeared": 1, "vanished": 1},
                "Nodule/Mass vanished, which had 0.40; Nodule/Mass appeared with 0.30.",
                id="too far to be the same",
            ),
            pytest.param(
                [cluster(0.4)],
                [cluster(0.3, ILD)],
                {"appeared": 1, "vanished": 1},
                "Nodule/Mass vanished, which had 0.40; ILD appeared with 0.30.",
                id="another finding is another cluster",
            ),
            pytest.param(
                [cluster(0.4), cluster(0.9, x=25)],
                [cluster(0.9, x=24), cluster(0.4)],
                {},
                None,
                id="neighbours go with the nearest",
            ),
        ],
    )
    def test_says_what_changed(
        self,
        store: Store,
        before: list[Cluster],
        after: list[Cluster],
        expected: dict[str, int],
        sentence: str | None,
    ) -> None:
        changes = compare(store, before, after)

        assert kinds(changes) == expected
        assert [one.sentence for one in changes.most_changed] == ([sentence] if sentence else [])
        assert (changes.clusters_before, changes.clusters_after) == (len(before), len(after))

    def test_tells_the_three_largest_changes(self, store: Store) -> None:
        before = [cluster(0.5, Finding(number)) for number in range(5)]
        after = [cluster(0.5 + number / 10, Finding(number)) for number in range(5)]

        [one] = compare(store, before, after).most_changed

        assert one.change == pytest.approx(0.1 + 0.2 + 0.3 + 0.4)
        assert one.sentence == (
            "Consolidation rose from 0.50 to 0.90; Cardiomegaly rose from 0.50 to 0.80; "
            "Calcification rose from 0.50 to 0.70; 1 more changed."
        )

    def test_lists_the_twenty_most_changed_images(self, store: Store) -> None:
        names = [f"i{number:02d}" for number in range(25)]
        register(store, *map(image, names))
        record(store, "v1", {name: [] for name in names})
        record(store, "v2", {name: [cluster(int(name[1:]) / 25)] for name in names})

        with store.snapshot() as unit:
            changes = compare_consensus(unit, "v1", "v2")

        assert [one.image_id for one in changes.most_changed] == names[:4:-1]
        assert (changes.images, changes.appeared) == (25, 25)

    def test_compares_what_both_answer(self, store: Store) -> None:
        register(store, *map(image, "abcd"))
        record(store, "v1", {"a": [cluster(0.9)], "b": [], "c": []})
        record(store, "v2", {"b": [], "c": [], "d": [cluster(0.9)]})

        with store.snapshot() as unit:
            changes = compare_consensus(unit, "v1", "v2")
            same = compare_consensus(unit, "v2", "v2")

        assert (changes.images, changes.only_before, changes.only_after) == (2, 1, 1)
        assert kinds(changes) == kinds(same) == {}
        assert (same.images, same.only_before, astuple(same)[-1]) == (3, 0, ())

    def test_names_the_versions_that_there_are(self, store: Store) -> None:
        register(store, image("a"))
        record(store, "v1", {"a": []})

        with (
            store.snapshot() as unit,
            pytest.raises(UnknownMethodVersionError, match="'v2'; there are: v1"),
        ):
            compare_consensus(unit, "v1", "v2")
