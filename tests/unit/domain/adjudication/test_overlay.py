"""A verdict over the readers' answer."""

from dataclasses import replace

import pytest

from backend.domain.adjudication.overlay import P_ACCEPTED, P_REJECTED, overlay
from backend.domain.adjudication.verdict import Act, Decision, Subject, Verdict
from backend.domain.boxes import Box
from backend.domain.consensus.clusters import (
    Alternative,
    Cluster,
    ClusterState,
    Consensus,
    Supporter,
)
from backend.domain.findings import Finding

HERE, NEAR, THERE = Box(100, 100, 200, 200), Box(105, 100, 205, 200), Box(500, 500, 600, 600)


def cluster(
    finding: Finding, box: Box, *keys: int, p_true: float = 0.5, place: int = 0
) -> Cluster:
    return Cluster(
        finding=finding,
        box=box,
        score=p_true,
        p_true=p_true,
        state=ClusterState.CLASS_CONFLICT,
        supporters=tuple(Supporter(f"R{key}", key) for key in keys),
        place=place,
        alternatives=(Alternative(Finding.ILD, 0.2),),
    )


ONE = cluster(Finding.NODULE_MASS, HERE, 1, p_true=0.6)
OTHER = cluster(Finding.CALCIFICATION, NEAR, 2, p_true=0.3)
APART = cluster(Finding.CARDIOMEGALY, THERE, 1, 2, p_true=0.9, place=1)
ANSWER = Consensus("a", "m-1", (APART, ONE, OTHER), 0.4 * 0.7 * 0.1 * 0.9, (7, 8))


def subject(one: Cluster) -> Subject:
    keys = tuple(supporter.read_box_id or 0 for supporter in one.supporters)
    return Subject(one.finding, one.box, keys)


def decision(
    act: Act, one: Cluster | None, finding: Finding | None = None, box: Box | None = None
) -> Decision:
    return Decision(act, None if one is None else subject(one), finding, box)


def verdict(*decisions: Decision, nothing_missing: bool = False, version: int = 1) -> Verdict:
    return Verdict("a", decisions, nothing_missing, nothing_missing, (version,), ("A1",))


ACCEPT_ONE = decision(Act.ACCEPT, ONE, ONE.finding, ONE.box)
REJECT_OTHER = decision(Act.REJECT, OTHER)


def found(consensus: Consensus) -> dict[Finding, Cluster]:
    return {one.finding: one for one in consensus.clusters}


class TestOverlay:
    def test_leaves_everything_without_a_verdict(self) -> None:
        assert overlay(ANSWER, ()) == ANSWER

    def test_supersedes_what_it_speaks_of_and_nothing_else(self) -> None:
        result = found(overlay(ANSWER, [verdict(ACCEPT_ONE, REJECT_OTHER)]))

        accepted, rejected = result[Finding.NODULE_MASS], result[Finding.CALCIFICATION]
        assert result[Finding.CARDIOMEGALY] == APART
        assert accepted.state is rejected.state is ClusterState.ADJUDICATED
        assert (accepted.p_true, accepted.score) == (P_ACCEPTED, P_ACCEPTED)
        assert (rejected.p_true, rejected.score) == (P_REJECTED, P_REJECTED)
        assert accepted.alternatives == rejected.alternatives == ()
        assert (accepted.supporters, accepted.place) == (ONE.supporters, ONE.place)

    def test_carries_the_version(self) -> None:
        answer = overlay(ANSWER, [verdict(ACCEPT_ONE), verdict(REJECT_OTHER, version=4)])

        assert answer.verdict_version == "1/4"

    def test_takes_name_and_place_from_the_adjudicator(self) -> None:
        moved = decision(Act.RELABEL, ONE, Finding.CONSOLIDATION, THERE)

        result = found(overlay(ANSWER, [verdict(moved)]))

        assert Finding.NODULE_MASS not in result
        assert result[Finding.CONSOLIDATION].box == THERE
        assert result[Finding.CONSOLIDATION].supporters == ONE.supporters

    def test_merges_clusters_into_one(self) -> None:
        merged = decision(Act.MERGE, OTHER, ONE.finding, ONE.box)

        result = found(overlay(ANSWER, [verdict(ACCEPT_ONE, merged)]))

        assert Finding.CALCIFICATION not in result
        assert [one.read_box_id for one in result[Finding.NODULE_MASS].supporters] == [1, 2]

    def test_adds_what_was_drawn_at_a_place_of_its_own(self) -> None:
        drawn = decision(Act.DRAW, None, Finding.PNEUMOTHORAX, THERE)

        result = found(overlay(ANSWER, [verdict(drawn)]))[Finding.PNEUMOTHORAX]

        assert (result.supporters, result.p_true) == ((), P_ACCEPTED)
        assert result.place not in {one.place for one in ANSWER.clusters}

    @pytest.mark.parametrize("keys", [(1, 9), (9,)], ids=["shared box", "same place"])
    def test_keeps_the_verdict_when_a_later_reading_joins(self, keys: tuple[int, ...]) -> None:
        later = replace(cluster(Finding.NODULE_MASS, NEAR, *keys), place=0)

        result = found(overlay(replace(ANSWER, clusters=(later,)), [verdict(ACCEPT_ONE)]))

        assert result[Finding.NODULE_MASS].state is ClusterState.ADJUDICATED
        assert result[Finding.NODULE_MASS].box == HERE
        assert result[Finding.NODULE_MASS].supporters == later.supporters

    def test_takes_a_later_mark_of_its_own_outcome_for_the_same(self) -> None:
        renamed = decision(Act.RELABEL, OTHER, Finding.CONSOLIDATION, NEAR)
        later = cluster(Finding.CONSOLIDATION, HERE, 9)

        answer = overlay(replace(ANSWER, clusters=(OTHER, later)), [verdict(renamed)])

        [only] = answer.clusters
        assert [one.read_box_id for one in only.supporters] == [2, 9]

    def test_does_not_speak_of_another_lesion_of_the_same_finding(self) -> None:
        later = cluster(Finding.NODULE_MASS, THERE, 9)

        answer = overlay(replace(ANSWER, clusters=(later,)), [verdict(REJECT_OTHER)])

        assert answer.clusters == (later,)

    def test_keeps_what_was_accepted_when_its_reading_is_gone(self) -> None:
        answer = overlay(replace(ANSWER, clusters=()), [verdict(ACCEPT_ONE, REJECT_OTHER)])

        assert [(one.finding, one.supporters) for one in answer.clusters] == [
            (Finding.NODULE_MASS, ())
        ]

    def test_lets_a_later_verdict_have_the_last_word(self) -> None:
        accepted = Subject(ONE.finding, ONE.box, (1,))

        answer = overlay(
            ANSWER, [verdict(ACCEPT_ONE), verdict(Decision(Act.REJECT, accepted), version=2)]
        )

        assert found(answer)[Finding.NODULE_MASS].p_true == P_REJECTED

    def test_changes_the_probability_of_no_finding(self) -> None:
        all_rejected = [decision(Act.REJECT, one) for one in ANSWER.clusters]

        before = ANSWER.p_no_finding
        rejected = overlay(ANSWER, [verdict(*all_rejected)]).p_no_finding
        confirmed = overlay(ANSWER, [verdict(*all_rejected, nothing_missing=True)]).p_no_finding
        accepted = overlay(ANSWER, [verdict(ACCEPT_ONE)]).p_no_finding

        assert rejected == pytest.approx(0.9 * 0.98**3)
        assert confirmed == pytest.approx(0.98 * 0.98**3)
        assert accepted == pytest.approx(before * 0.02 / 0.4)
