"""When a verdict stands."""

from backend.domain.adjudication.settlement import settle
from backend.domain.adjudication.verdict import Act, Decision, Subject, Verdict
from backend.domain.boxes import Box
from backend.domain.findings import Finding

HERE, NEAR, THERE = Box(0, 0, 100, 100), Box(10, 0, 110, 100), Box(60, 0, 160, 100)
ONE, OTHER = Subject(Finding.ILD, HERE, (1,)), Subject(Finding.INFILTRATION, HERE, (2,))


def given(who: str, version: int, *decisions: Decision, nothing_missing: bool = True) -> Verdict:
    return Verdict("a", decisions, nothing_missing, nothing_missing, (version,), (who,))


def stands(subject: Subject | None, box: Box = HERE, finding: Finding = Finding.ILD) -> Decision:
    return Decision(Act.ADJUST if subject else Act.DRAW, subject, finding, box)


REJECTED = Decision(Act.REJECT, OTHER)


class TestOneAdjudicator:
    def test_decides_alone_and_last(self) -> None:
        first, last = given("A1", 1, stands(ONE)), given("A1", 2, REJECTED)

        settlement = settle([first, last], adjudicators=1)

        assert (settlement.verdict, settlement.is_settled) == (last, True)

    def test_has_decided_nothing_yet(self) -> None:
        assert settle([], adjudicators=1).verdict is None


class TestTwoAdjudicators:
    def test_need_each_other(self) -> None:
        settlement = settle([given("A1", 1, REJECTED)], adjudicators=2)

        assert (settlement.verdict, settlement.open) == (None, (REJECTED,))

    def test_are_not_one_who_says_it_twice(self) -> None:
        twice = [given("A1", 1, REJECTED), given("A1", 2, REJECTED)]

        assert settle(twice, adjudicators=2).verdict is None

    def test_settle_what_they_see_alike(self) -> None:
        first = given("A1", 1, stands(ONE), REJECTED)
        second = given("A2", 2, stands(ONE, NEAR), Decision(Act.REJECT, OTHER, reason="no"))

        settlement = settle([first, second], adjudicators=2)

        assert settlement.is_settled
        assert settlement.verdict is not None
        assert settlement.verdict.decisions == second.decisions
        assert settlement.verdict.is_complete
        assert settlement.verdict.version == "1+2"
        assert settlement.verdict.adjudicators == ("A1", "A2")

    def test_send_back_what_lies_too_far_apart_and_keep_the_rest(self) -> None:
        first = given("A1", 1, stands(ONE), REJECTED)
        second = given("A2", 2, stands(ONE, THERE), REJECTED)

        settlement = settle([first, second], adjudicators=2)

        assert settlement.verdict is not None
        assert settlement.verdict.decisions == (REJECTED,)
        assert settlement.open == (stands(ONE, THERE),)
        assert not settlement.is_settled

    def test_disagree_over_a_name_a_drawn_box_and_a_merge(self) -> None:
        for left, right in (
            (stands(ONE), stands(ONE, finding=Finding.CONSOLIDATION)),
            (stands(None), stands(ONE)),
            (Decision(Act.MERGE, ONE, Finding.ILD, HERE), stands(ONE)),
        ):
            both = [given("A1", 1, left), given("A2", 2, right)]
            assert not settle(both, adjudicators=2).is_settled

    def test_disagree_when_the_second_drops_a_box_or_misses_something(self) -> None:
        dropped = [given("A1", 1, stands(None)), given("A2", 2)]
        missing = [given("A1", 1, REJECTED), given("A2", 2, REJECTED, nothing_missing=False)]

        assert not settle(dropped, adjudicators=2).is_settled
        assert not settle(missing, adjudicators=2).is_settled

    def test_settle_in_a_third_round(self) -> None:
        rounds = [
            given("A1", 1, stands(ONE)),
            given("A2", 2, stands(ONE, THERE)),
            given("A1", 3, stands(ONE, THERE)),
        ]

        assert settle(rounds, adjudicators=2).is_settled
