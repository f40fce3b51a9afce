"""How the readers stand to a lesion."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.domain.consensus.clusters import ClusterState
from backend.domain.consensus.states import state_of
from backend.domain.findings import Finding
from tests.unit.domain.consensus.crowds import (
    EFFUSION,
    HERE,
    THICKENING,
    Marks,
    Readings,
    square,
    verdict_of,
    votes_of,
)

E: Marks = [(EFFUSION, HERE)]
T: Marks = [(THICKENING, HERE)]
BOTH: Marks = [*E, *T]


def read(*marks: Marks) -> Readings:
    return {("a", f"R{reader}"): own for reader, own in enumerate(marks, 1)}


def states(*marks: Marks) -> list[str]:
    """Return the states of effusion and of thickening, as far as anybody marked them."""
    return [str(state) for state in verdict_of(read(*marks)).states]


class TestStateOf:
    @pytest.mark.parametrize(
        ("marks", "readings", "state"),
        [
            (1, 1, ClusterState.SINGLE_READER),
            (1, 2, ClusterState.SINGLE_READER),
            (2, 2, ClusterState.UNANIMOUS),
            (1, 3, ClusterState.SINGLE_READER),
            (2, 3, ClusterState.MAJORITY),
            (3, 3, ClusterState.UNANIMOUS),
            (2, 4, ClusterState.SINGLE_READER),
            (3, 4, ClusterState.MAJORITY),
            (8, 17, ClusterState.SINGLE_READER),
            (9, 17, ClusterState.MAJORITY),
            (17, 17, ClusterState.UNANIMOUS),
        ],
    )
    def test_counts_readers(self, marks: int, readings: int, state: ClusterState) -> None:
        assert state_of(marks, readings=readings, is_in_conflict=False) is state

    @given(st.integers(1, 17), st.integers(0, 17))
    def test_puts_conflict_first(self, marks: int, silent: int) -> None:
        found = state_of(marks, readings=marks + silent, is_in_conflict=True)

        assert found is ClusterState.CLASS_CONFLICT


class TestStatesOf:
    @pytest.mark.parametrize(
        ("marks", "found"),
        [
            ((E,), ["single-reader"]),
            ((E, []), ["single-reader"]),
            ((E, E), ["unanimous"]),
            ((E, E, []), ["majority"]),
            ((E, E, E), ["unanimous"]),
            # Another name for the same place.
            ((E, T), ["class-conflict"] * 2),
            ((E, T, []), ["class-conflict"] * 2),
            ((E, E, T), ["class-conflict"] * 2),
            # Two findings at one place are no conflict ...
            ((BOTH,), ["single-reader"] * 2),
            ((BOTH, BOTH, BOTH), ["unanimous"] * 2),
            # ... nor is it one if some see only one of them ...
            ((BOTH, E, E), ["unanimous", "single-reader"]),
            ((BOTH, BOTH, E), ["unanimous", "majority"]),
            # ... but it is if each finding has somebody who does not see the other.
            ((BOTH, E, T), ["class-conflict"] * 2),
        ],
    )
    def test_look_at_the_place(self, marks: tuple[Marks, ...], found: list[str]) -> None:
        assert states(*marks) == found

    def test_leave_other_places_alone(self) -> None:
        elsewhere: Marks = [(THICKENING, square(500.0))]

        assert states(E, elsewhere) == ["single-reader"] * 2

    def test_of_three_findings_at_a_place_concern_those_in_dispute(self) -> None:
        third = (Finding.CONSOLIDATION, HERE)
        verdict = verdict_of(read([*E, third], [*T, third]))

        found = dict(zip(verdict.findings.tolist(), verdict.states, strict=True))
        assert found == {
            int(third[0]): ClusterState.UNANIMOUS,
            int(EFFUSION): ClusterState.CLASS_CONFLICT,
            int(THICKENING): ClusterState.CLASS_CONFLICT,
        }

    def test_of_seventeen_readers(self) -> None:
        assert verdict_of(votes_of(9, of=17)).states == (ClusterState.MAJORITY,)
