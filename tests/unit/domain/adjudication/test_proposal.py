"""What an adjudicator is shown."""

from datetime import UTC, datetime

from backend.domain.adjudication.proposal import candidates, letters, propose
from backend.domain.adjudication.request import Choice
from backend.domain.boxes import Box
from backend.domain.consensus.clusters import Cluster, ClusterState, Consensus, Supporter
from backend.domain.findings import Finding
from backend.domain.predictions import PredictedBox
from backend.domain.readings import ReadBox, Reading

HERE = Box(0, 0, 100, 100)
READERS = ("R8", "R9", "R10")


class TestLetters:
    def test_are_one_per_reader_whatever_their_order(self) -> None:
        names = letters(READERS, "a", seed=1)

        assert sorted(names.values()) == ["Reader A", "Reader B", "Reader C"]
        assert names == letters(reversed(READERS), "a", seed=1)

    def test_say_nothing_about_a_reader_across_images(self) -> None:
        given = [letters(READERS, f"i{number}", seed=1)["R8"] for number in range(300)]

        assert {name: given.count(name) // 60 for name in set(given)} == {
            "Reader A": 1,
            "Reader B": 1,
            "Reader C": 1,
        }

    def test_change_with_the_seed(self) -> None:
        first = [letters(READERS, f"i{number}", seed=1) for number in range(9)]

        assert first != [letters(READERS, f"i{number}", seed=2) for number in range(9)]


class TestPropose:
    def test_shows_every_cluster_the_disputed_first(self) -> None:
        clusters = tuple(
            Cluster(finding, HERE, 0.5, 0.5, ClusterState.MAJORITY, (Supporter("R8", key),))
            for key, finding in enumerate((Finding.ILD, Finding.CARDIOMEGALY), start=1)
        )

        first, second = propose(
            Consensus("a", "m", clusters, 0.1), frozenset({1}), {"R8": "Reader B"}
        )

        assert (first.finding, first.preset) == (Finding.CARDIOMEGALY, None)
        assert (second.finding, second.preset) == (Finding.ILD, Choice.LEAVE)
        assert first.sources == ("Reader B",)
        assert first.subject is not None
        assert first.subject.read_box_ids == (2,)


class TestCandidates:
    def test_are_listed_by_letter_and_the_model_last(self) -> None:
        read = [
            Reading("a", who, (ReadBox(Finding.ILD, HERE),), datetime(2026, 1, 1, tzinfo=UTC))
            for who in ("R8", "R9")
        ]
        shown = [PredictedBox(Finding.ILD, HERE, 0.5)]

        found = candidates(read, shown, {"R8": "Reader B", "R9": "Reader A"})

        assert [one.source for one in found] == ["Reader A", "Reader B", "Model"]
