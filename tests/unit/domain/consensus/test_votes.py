"""Who marked and who did not, by a slow twin."""

import numpy as np
from hypothesis import assume, given
from hypothesis import strategies as st

from backend.domain.consensus.grouping import group
from backend.domain.consensus.votes import Votes, count_votes
from backend.domain.overlaps import find_overlaps
from tests.unit.domain.consensus.crowds import Readings, readings_of_images, table_of, votes_of


def votes(readings: Readings) -> Votes:
    table = table_of(readings)
    return count_votes(table, group(table, find_overlaps(table)))


def listed(votes: Votes) -> list[tuple[int, list[tuple[int, bool]]]]:
    """Return finding, readers and what they did, cluster by cluster."""
    rows: list[tuple[int, list[tuple[int, bool]]]] = [(int(one), []) for one in votes.findings]
    columns = (votes.clusters.tolist(), votes.readers.tolist(), votes.is_mark.tolist())
    for cluster, reader, is_mark in zip(*columns, strict=True):
        rows[cluster][1].append((reader, is_mark))
    return rows


class TestCountVotes:
    @given(readings_of_images())
    def test_equals_its_slow_twin(self, readings: Readings) -> None:
        table = table_of(readings)
        groups = group(table, find_overlaps(table))
        expected = []
        for cluster, first in enumerate(groups.first_marks):
            marks = np.flatnonzero(groups.cluster_of_mark == cluster)
            image = table.mark_images[first]
            readers = table.reading_readers[table.reading_images == image].tolist()
            markers = set(table.mark_readers[marks].tolist())
            expected.append(
                (int(table.mark_findings[first]), [(one, one in markers) for one in readers])
            )

        found = count_votes(table, groups)

        assert listed(found) == expected
        assert found.starts.tolist() == [
            found.clusters.tolist().index(cluster) for cluster in range(len(expected))
        ]
        assert found.marks.tolist() == [sum(mark for _, mark in own) for _, own in expected]
        assert found.readings.tolist() == [len(own) for _, own in expected]

    def test_counts_silence(self) -> None:
        assert listed(votes(votes_of(1, of=3))) == [(10, [(0, True), (1, False), (2, False)])]


class TestLowest:
    @given(readings_of_images(), st.integers(0, 2**32 - 1))
    def test_equals_its_slow_twin(self, readings: Readings, seed: int) -> None:
        every = votes(readings)
        values = np.random.default_rng(seed).integers(-2, 3, len(every.clusters)).astype(float)
        of_clusters = [
            values[every.clusters == cluster].tolist() for cluster in range(len(every.findings))
        ]

        assert every.lowest(values).tolist() == [min(own) for own in of_clusters]
        assert every.lowest_of_others(values).tolist() == [
            min([*own[:one], *own[one + 1 :]], default=np.inf)
            for own in of_clusters
            for one in range(len(own))
        ]


class TestWithBestMarks:
    def test_leaves_the_best_first(self) -> None:
        every = votes(votes_of(3, of=4))
        assert every.is_mark.tolist() == [True, True, True, False]

        found = every.with_best_marks(np.array([0]), np.array([1.0, 3.0, 2.0, 9.0]))

        assert found.is_mark.reshape(2, 4).tolist() == [
            [False, True, False, False],
            [False, True, True, False],
        ]


class TestVotes:
    @given(readings_of_images(), st.data())
    def test_of_some_clusters_are_theirs(self, readings: Readings, data: st.DataObject) -> None:
        every = votes(readings)
        assume(len(every.findings))
        chosen = data.draw(st.lists(st.integers(0, len(every.findings) - 1)))

        some = every.of(np.array(chosen, dtype=np.int64))

        assert listed(some) == [listed(every)[cluster] for cluster in chosen]
        assert some.readings.tolist() == [every.readings[cluster] for cluster in chosen]

    @given(readings_of_images(), st.data())
    def test_let_only_some_marks_count(self, readings: Readings, data: st.DataObject) -> None:
        every = votes(readings)
        assume(len(every.findings))
        marks = data.draw(st.sampled_from(sorted(set(every.marks.astype(int).tolist()))))
        clusters = np.flatnonzero(every.marks == marks)
        mask = st.lists(st.booleans(), min_size=marks, max_size=marks)
        masks = data.draw(st.lists(mask, min_size=1, max_size=3))
        expected = []
        for cluster in clusters:
            finding, own = listed(every)[cluster]
            for counts in masks:
                left = iter(counts)
                expected.append((finding, [(one, mark and next(left)) for one, mark in own]))

        assert listed(every.with_marks(clusters, np.array(masks))) == expected

    @given(readings_of_images(), st.integers(0, 2**32 - 1))
    def test_totals_are_sums_over_each_cluster(self, readings: Readings, seed: int) -> None:
        every = votes(readings)
        values = np.random.default_rng(seed).integers(0, 9, (len(every.clusters), 2)).astype(float)

        assert every.total(values).tolist() == [
            values[every.clusters == cluster].sum(axis=0).tolist()
            for cluster in range(len(every.findings))
        ]
