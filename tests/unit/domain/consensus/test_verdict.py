"""One answer from several readings, whatever they are."""

import dataclasses
from datetime import UTC, datetime
from random import Random

import numpy as np
import pytest
from ensemble_boxes import weighted_boxes_fusion
from hypothesis import given
from hypothesis import strategies as st

from backend.domain import boxes as geometry
from backend.domain.boxes import Box, MalformedBoxError
from backend.domain.consensus import verdict
from backend.domain.consensus.clusters import Consensus
from backend.domain.consensus.fusion import fuse
from backend.domain.consensus.verdict import UnusableReadingsError, reconcile
from backend.domain.findings import Finding
from backend.domain.readings import ReadBox, Reading

special = pytest.importorskip("scipy.special")  # comes without type stubs

NODULE = Finding.NODULE_MASS
READ_AT = datetime(2026, 1, 1, tzinfo=UTC)


def a_reading(reader_id: str, *boxes: ReadBox) -> Reading:
    return Reading(image_id="image", reader_id=reader_id, boxes=boxes, read_at=READ_AT)


def a_box(x: float, y: float, width: float, height: float) -> Box:
    return Box(x, y, x + width, y + height)


def a_nodule(x: float, y: float, side: float, box_id: int | None = None) -> ReadBox:
    return ReadBox(finding=NODULE, box=a_box(x, y, side, side), id=box_id)


# Few places and sizes, so that boxes meet, repeat and tie often.
few_boxes = st.builds(
    a_box,
    st.integers(0, 6).map(lambda step: 20.0 * step),
    st.integers(0, 3).map(lambda step: 20.0 * step),
    st.sampled_from([40.0, 60.0, 77.0]),
    st.sampled_from([40.0, 50.0]),
)
read_boxes = st.builds(
    ReadBox,
    finding=st.sampled_from([NODULE, Finding.CALCIFICATION, Finding.LUNG_OPACITY]),
    box=few_boxes,
    id=st.integers(1, 1000),
)
panels = st.lists(st.lists(read_boxes, max_size=5), min_size=1, max_size=5).map(
    lambda panel: [a_reading(f"R{number}", *boxes) for number, boxes in enumerate(panel)]
)


def without_names(consensus: Consensus) -> list[tuple[object, ...]]:
    """Return a consensus as rows that name no reader."""
    return [
        (one.finding, one.box, one.score, one.p_true, one.state, len(one.supporters))
        for one in consensus.clusters
    ]


class TestReconcile:
    @given(panels, st.randoms(use_true_random=False))
    def test_does_not_depend_on_any_order(self, panel: list[Reading], chance: Random) -> None:
        shuffled = [
            dataclasses.replace(
                reading, boxes=tuple(chance.sample(reading.boxes, k=len(reading.boxes)))
            )
            for reading in chance.sample(panel, k=len(panel))
        ]

        assert reconcile("image", shuffled) == reconcile("image", panel)

    @given(panels, st.permutations("VWXYZ"))
    def test_does_not_depend_on_the_readers_names(
        self, panel: list[Reading], names: list[str]
    ) -> None:
        renamed = [
            dataclasses.replace(reading, reader_id=name)
            for reading, name in zip(panel, names, strict=False)
        ]

        answer = reconcile("image", renamed)

        assert without_names(answer) == without_names(reconcile("image", panel))
        assert answer.p_no_finding == reconcile("image", panel).p_no_finding

    @given(panels)
    def test_loses_no_box_and_counts_no_reader_twice(self, panel: list[Reading]) -> None:
        answer = reconcile("image", panel)

        marked = sum(len({(box.finding, box.box) for box in one.boxes}) for one in panel)
        assert sum(len(cluster.supporters) for cluster in answer.clusters) == marked
        for cluster in answer.clusters:
            readers = [supporter.reader_id for supporter in cluster.supporters]
            assert readers == sorted(set(readers))

    @given(panels)
    def test_repeated_boxes_change_nothing(self, panel: list[Reading]) -> None:
        repeated = [
            dataclasses.replace(
                one,
                boxes=one.boxes + tuple(dataclasses.replace(box, id=None) for box in one.boxes),
            )
            for one in panel
        ]

        assert reconcile("image", repeated) == reconcile("image", panel)

    @given(panels)
    def test_puts_every_fused_box_inside_the_hull_of_its_supporters(
        self, panel: list[Reading]
    ) -> None:
        numbered = [
            dataclasses.replace(
                reading,
                boxes=tuple(
                    dataclasses.replace(box, id=100 * row + column)
                    for column, box in enumerate(reading.boxes)
                ),
            )
            for row, reading in enumerate(panel)
        ]
        drawn = {box.id: box.box for reading in numbered for box in reading.boxes}

        for cluster in reconcile("image", numbered).clusters:
            own = geometry.stack([drawn[one.read_box_id] for one in cluster.supporters])
            assert (np.asarray(cluster.box) >= own.min(axis=0)).all()
            assert (np.asarray(cluster.box) <= own.max(axis=0)).all()

    @given(panels)
    def test_gives_back_what_all_readers_drew_alike(self, panel: list[Reading]) -> None:
        first = reconcile("image", panel[:1])
        boxes = [ReadBox(finding=one.finding, box=one.box) for one in first.clusters]

        again = reconcile("image", [a_reading(name, *boxes) for name in ("R8", "R9", "R10")])

        assert {(one.finding, one.box) for one in again.clusters} == {
            (one.finding, one.box) for one in first.clusters
        }
        assert all(len(one.supporters) == 3 for one in again.clusters)

    @given(
        st.lists(st.tuples(st.booleans(), st.integers(-3, 3)), min_size=1, max_size=6),
        st.integers(-3, 3),
    )
    def test_one_more_supporter_never_lowers_a_score(
        self, others: list[tuple[bool, int]], shift: int
    ) -> None:
        panel = [a_reading("first", a_nodule(100, 100, 50))]
        panel += [
            a_reading(f"R{number}", *([a_nodule(100 + offset, 100, 50)] if marks else []))
            for number, (marks, offset) in enumerate(others)
        ]
        supporter = a_reading("new", a_nodule(100 + shift, 100, 50))

        (before,) = reconcile("image", panel).clusters
        (after,) = reconcile("image", [*panel, supporter]).clusters
        (silent,) = reconcile("image", [*panel, a_reading("new")]).clusters

        assert after.score > before.score > silent.score
        assert after.p_true > before.p_true > silent.p_true

    def test_names_the_boxes_and_readings_that_it_was_made_of(self) -> None:
        readings = [
            dataclasses.replace(a_reading("R9", a_nodule(0, 0, 50, box_id=7)), id=2),
            dataclasses.replace(a_reading("R8", a_nodule(2, 0, 50, box_id=9)), id=1),
            a_reading("R10"),
        ]

        answer = reconcile("image", readings)

        assert answer.method_version == verdict.METHOD_VERSION
        assert answer.reading_ids == (1, 2)
        (cluster,) = answer.clusters
        assert [(one.reader_id, one.read_box_id) for one in cluster.supporters] == [
            ("R8", 9),
            ("R9", 7),
        ]
        assert cluster.box == pytest.approx((1, 0, 51, 50))

    def test_sorts_by_falling_score(self) -> None:
        lone = ReadBox(finding=Finding.AORTIC_ENLARGEMENT, box=a_box(300, 100, 80, 90))

        answer = reconcile(
            "image",
            [a_reading("R8", lone, a_nodule(0, 0, 50)), a_reading("R9", a_nodule(0, 0, 50))],
        )

        assert [one.finding for one in answer.clusters] == [NODULE, Finding.AORTIC_ENLARGEMENT]

    def test_refuses_to_answer_without_readings(self) -> None:
        with pytest.raises(UnusableReadingsError, match="expected at least one"):
            reconcile("image", [])

    def test_refuses_a_reading_of_another_image(self) -> None:
        with pytest.raises(UnusableReadingsError, match="expected readings of image elsewhere"):
            reconcile("elsewhere", [a_reading("R8")])

    def test_refuses_two_readings_by_one_reader(self) -> None:
        with pytest.raises(UnusableReadingsError, match="several readings by R8"):
            reconcile("image", [a_reading("R8"), a_reading("R9"), a_reading("R8")])

    def test_refuses_a_box_that_is_none(self) -> None:
        broken = ReadBox(finding=NODULE, box=Box(1.0, 2.0, float("nan"), 4.0))

        with pytest.raises(MalformedBoxError):
            reconcile("image", [a_reading("R8", broken)])


class TestProbabilityOfBeingReal:
    @pytest.mark.parametrize("readers", range(1, 18))
    def test_is_the_upper_tail_of_the_beta_posterior(self, readers: int) -> None:
        for votes in range(readers + 1):
            tail = 1.0 - float(special.betainc(1 + votes, 1 + readers - votes, 0.5))
            assert verdict.probability_of_being_real(votes, readers=readers) == pytest.approx(tail)

    @pytest.mark.parametrize("readers", [2, 4, 16])
    def test_is_exactly_one_half_when_half_of_the_readers_agree(self, readers: int) -> None:
        assert verdict.probability_of_being_real(readers // 2, readers=readers) == 0.5


class TestFuse:
    @given(st.lists(st.tuples(st.integers(0, 9), st.integers(40, 60)), min_size=1, max_size=6))
    def test_equals_weighted_boxes_fusion_of_the_whole_image(
        self, offsets: list[tuple[int, int]]
    ) -> None:
        boxes = [a_box(1000 + x, 1500, side, 50) for x, side in offsets]
        peer, _, _ = weighted_boxes_fusion(
            [[[edge / 3000 for edge in box]] for box in boxes],
            [[1.0]] * len(boxes),
            [[0]] * len(boxes),
            iou_thr=0.4,
        )

        assert len(peer) == 1
        assert fuse(boxes) == pytest.approx(peer[0] * 3000, abs=0.01)

    def test_returns_a_lone_box_untouched(self) -> None:
        box = Box(0.1, 0.2, 0.30000000000000004, 0.7)

        assert fuse([box]) == box
