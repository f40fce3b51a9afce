"""What dataset versions hold, what tells them apart, and what changed between two."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from backend.domain.boxes import Box
from backend.domain.consensus.clusters import Cluster, ClusterState, Supporter
from backend.domain.dataset import DatasetImage, DatasetVersion, content_sha256
from backend.domain.dataset_difference import BoxChanges, difference
from backend.domain.dataset_summary import summarise
from backend.domain.findings import Finding
from backend.domain.images import Image, Split

ILD, HEART = Finding.ILD, Finding.CARDIOMEGALY
HERE, THERE = Box(0, 0, 10, 10), Box(50, 50, 70, 70)


def cluster(
    finding: Finding = ILD, box: Box = HERE, *, p_true: float = 0.9, by: Sequence[str] = ("R2",)
) -> Cluster:
    supporters = tuple(Supporter(reader) for reader in by)
    return Cluster(finding, box, 0.8, p_true, ClusterState.MAJORITY, supporters)


def member(name: str, split: Split, *clusters: Cluster) -> DatasetImage:
    image = Image(name, "test", f"/{name}", "0", f"pixels-{name}", 99, 99, f"p-{name}", split)
    return DatasetImage(image, clusters, ("R2", "R10"))


def version(*members: DatasetImage) -> DatasetVersion:
    moment = datetime(2026, 1, 2, tzinfo=UTC)
    return DatasetVersion("d1", content_sha256(members), "overread-2-prior", moment, members)


class TestContentSha256:
    def test_of_a_version_of_earlier_releases_stays_what_it_was(self) -> None:
        members = (member("a", Split.TRAIN, cluster()), member("b", Split.TEST))

        assert content_sha256(members) == (
            "1dbf596e19d70771d59445c4547e338fe3bbf47217e85c60366f3c52a6cb14bf"
        )

    @pytest.mark.parametrize("changed", [{"weight": 0.5}, {"repeat_factor": 2.0}])
    def test_follows_weights_and_repeat_factors(self, changed: dict[str, float]) -> None:
        one = member("a", Split.TEST)

        assert content_sha256([one]) != content_sha256([replace(one, **changed)])  # type: ignore[arg-type]


class TestManifest:
    def test_holds_what_the_hash_is_of(self) -> None:
        found = version(member("a", Split.TRAIN, cluster()), member("b", Split.TEST)).manifest()

        canonical = json.dumps(found["content"], sort_keys=True, separators=(",", ":"))
        assert hashlib.sha256(canonical.encode()).hexdigest() == found["sha256"]


class TestDifference:
    def test_of_a_version_from_itself_is_nothing(self) -> None:
        one = version(member("a", Split.TRAIN, cluster()))

        found = difference(one, one)

        assert (found.added, found.removed, found.boxes, found.weighed_anew) == ((), (), {}, 0)

    def test_names_every_change(self) -> None:
        older = version(
            member("gone", Split.TRAIN),
            member("moved", Split.TRAIN, cluster(ILD, HERE), cluster(HEART, HERE)),
            member("test", Split.TEST, cluster(ILD, HERE)),
        )
        newer = version(
            member("moved", Split.TRAIN, cluster(ILD, THERE), cluster(HEART, HERE, p_true=0.6)),
            member("new", Split.TRAIN),
            replace(
                member("test", Split.VALIDATION, cluster(ILD, HERE), cluster(ILD, THERE)),
                is_adjudicated=True,
                weight=0.5,
            ),
        )

        found = difference(older, newer)

        assert (found.added, found.removed) == (("new",), ("gone",))
        assert found.other_split == (("test", Split.TEST, Split.VALIDATION),)
        assert found.boxes == {
            HEART: BoxChanges(weighed_anew=1),
            ILD: BoxChanges(added=1, moved=1),
        }
        assert found.adjudicated == ("test",)
        assert (found.weighed_anew, found.repeated_anew, found.other_pixels) == (1, 0, ())


class TestSummarise:
    def test_counts_by_split_and_reader_the_rarest_first(self) -> None:
        found = summarise(
            version(
                replace(member("a", Split.TRAIN, cluster(HEART)), repeat_factor=1.0),
                replace(
                    member("b", Split.TRAIN, cluster(HEART), cluster(ILD, by=("R2", "R10"))),
                    repeat_factor=2.5,
                ),
                replace(member("c", Split.TEST, cluster(HEART)), weight=0.5),
                replace(member("d", Split.TEST), weight=1.5),
            )
        )

        assert list(found.findings)[-2:] == [ILD, HEART]
        assert found.images == {Split.TRAIN: 2, Split.VALIDATION: 0, Split.TEST: 2}
        assert found.negatives[Split.TEST] == 1
        assert found.readers == ("R2", "R10")
        assert found.readings["R10", Split.TRAIN] == 2
        ild, heart = found.findings[ILD], found.findings[HEART]
        assert ild.by_reader == {("R2", Split.TRAIN): 1, ("R10", Split.TRAIN): 1}
        assert (ild.showings, heart.showings) == (2.5, 1.75)
        assert (heart.share_in_test, heart.natural_share) == (0.5, 0.25)
        assert found.imbalance == 3.0

    def test_of_an_empty_version_is_empty(self) -> None:
        found = summarise(version())

        assert found.imbalance is None
        assert found.findings[ILD].share_in_test is None
