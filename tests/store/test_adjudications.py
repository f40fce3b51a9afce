"""Adjudicators, requests and verdicts, kept and found again."""

from dataclasses import replace

import pytest

from backend.domain.adjudication.request import Request, RequestState
from backend.domain.adjudication.verdict import Decision
from backend.store.adjudication_tasks import KnownRequestTask
from backend.store.adjudicators import AdjudicationDesk, Adjudicator
from backend.store.unit_of_work import Store
from tests.store.adjudication_samples import (
    ACCEPTED,
    DRAWN,
    REJECTED,
    request,
    verdict,
    verdict_receipt,
)
from tests.store.samples import LATER, NOW, image, register


@pytest.fixture
def staffed(store: Store) -> Store:
    """Keep two images and two adjudicators."""
    register(store, image("a"), image("b"))
    with store.transaction() as unit:
        unit.adjudicators.put(
            [Adjudicator("A2", "a2@x", 6), Adjudicator("A1", "a1@x", 5)], now=NOW
        )
    return store


def ask(store: Store, asked: Request) -> int:
    with store.transaction() as unit:
        [added] = unit.adjudication_requests.add([asked], now=NOW)
    return added.key


def decide(store: Store, key: int, *decisions: Decision, who: str = "A1") -> int:
    with store.transaction() as unit:
        found = unit.adjudication_requests.get(key)
        assert found is not None
        given = verdict(*decisions, image_id=found.image_id, who=who)
        version = unit.adjudications.revise(given, verdict_receipt(key))
        unit.adjudication_requests.set_state(key, RequestState.DECIDED, now=LATER)
    return version


class TestAdjudicators:
    def test_are_found_by_name_and_changed_by_adding_again(self, staffed: Store) -> None:
        with staffed.transaction() as unit:
            unit.adjudicators.put([Adjudicator("A1", "new@x", 5)], now=LATER)

        with staffed.snapshot() as unit:
            assert [one.email for one in unit.adjudicators.all()] == ["new@x", "a2@x"]

    def test_share_one_desk(self, staffed: Store) -> None:
        with staffed.snapshot() as unit:
            assert unit.adjudicators.desk() is None
        with staffed.transaction() as unit:
            unit.adjudicators.set_desk(AdjudicationDesk(3, 40))
            unit.adjudicators.set_synced(LATER)
        with staffed.snapshot() as unit:
            assert unit.adjudicators.desk() == AdjudicationDesk(3, 40, LATER)


class TestRequests:
    def test_are_kept_whole(self, staffed: Store) -> None:
        asked = replace(request(), adjudicators=2, not_for="A2", by_hand=True)
        key = ask(staffed, asked)

        with staffed.snapshot() as unit:
            assert unit.adjudication_requests.get(key) == replace(asked, id=key)

    def test_are_served_test_split_first_then_by_consequence(self, staffed: Store) -> None:
        grave = ask(staffed, replace(request("a"), consequence=9.0))
        test = ask(staffed, replace(request("b"), is_test=True))
        light = ask(staffed, replace(request("a", question=2), consequence=0.5))

        with staffed.snapshot() as unit:
            assert [one.id for one in unit.adjudication_requests.all()] == [test, grave, light]

    @pytest.mark.parametrize("state", list(RequestState))
    def test_need_a_fresh_link_as_long_as_they_wait(
        self, staffed: Store, state: RequestState
    ) -> None:
        key = ask(staffed, request())
        with staffed.transaction() as unit:
            unit.adjudication_requests.record_task(key, 9, link_expires_at=NOW)
            unit.adjudication_requests.set_state(key, state, now=NOW)
            due = unit.adjudication_requests.with_link_expiring(LATER)

        assert due == ({key} if state in {RequestState.OPEN, RequestState.SKIPPED} else set())

    def test_know_that_their_verdict_is_lost(self, staffed: Store) -> None:
        key = ask(staffed, request())
        with staffed.transaction() as unit:
            unit.adjudication_requests.follow_task(key, 9, updated_at=LATER)
            unit.adjudication_requests.set_lost(key, NOW)
            known = unit.adjudication_requests.known_task(key)
            unit.adjudication_requests.set_lost(key, None)
            [after] = unit.adjudication_requests.known_tasks()

        assert known == KnownRequestTask(key, "a", RequestState.OPEN, 9, LATER, is_lost=True)
        assert after == replace(known, is_lost=False)


class TestVerdicts:
    def test_are_revised_and_none_is_lost(self, staffed: Store) -> None:
        key = ask(staffed, request())

        assert [decide(staffed, key), decide(staffed, key, REJECTED, DRAWN)] == [1, 2]

        with staffed.snapshot() as unit:
            kept = unit.adjudications.revisions("a")
            current = unit.adjudications.current(key)
        assert [one.verdict.decisions for one in kept] == [(ACCEPTED,), (REJECTED, DRAWN)]
        assert current == kept[-1]
        assert current.verdict.versions == (2,)

    def test_stand_at_once_with_one_adjudicator(self, staffed: Store) -> None:
        decide(staffed, ask(staffed, request()))

        with staffed.snapshot() as unit:
            standing = unit.adjudications.standing()
        assert standing["a"].decisions == (ACCEPTED,)
        assert standing["a"].is_complete
        assert (standing["a"].version, standing["a"].adjudicators) == ("1", ("A1",))

    def test_of_two_questions_stand_side_by_side(self, staffed: Store) -> None:
        decide(staffed, ask(staffed, request()))
        decide(staffed, ask(staffed, request(question=2)), DRAWN, who="A2")

        with staffed.snapshot() as unit:
            assert [one.decisions for one in unit.adjudications.parts(["a"])["a"]] == [
                (ACCEPTED,),
                (DRAWN,),
            ]
            standing = unit.adjudications.standing(["a", "b"])
        assert standing.keys() == {"a"}
        assert (standing["a"].version, standing["a"].adjudicators) == ("1+2", ("A1", "A2"))

    def test_are_not_complete_while_a_question_is_open(self, staffed: Store) -> None:
        decide(staffed, ask(staffed, request()))
        ask(staffed, request(question=2))

        with staffed.snapshot() as unit:
            assert not unit.adjudications.standing()["a"].is_complete

    def test_stand_no_longer_when_reopened(self, staffed: Store) -> None:
        key = ask(staffed, request())
        decide(staffed, key)
        with staffed.transaction() as unit:
            unit.adjudication_requests.set_state(key, RequestState.REOPENED, now=LATER)

        with staffed.snapshot() as unit:
            assert unit.adjudications.standing() == {}
            assert len(unit.adjudications.revisions("a")) == 1

    @pytest.mark.parametrize("state", ["quarantined", "withdrawn"])
    def test_do_not_stand_unless_valid(self, staffed: Store, state: str) -> None:
        key = ask(staffed, request())
        decide(staffed, key)
        with staffed.transaction() as unit:
            unit.adjudications.revise(verdict(), verdict_receipt(key, state=state))

        with staffed.snapshot() as unit:
            assert unit.adjudications.standing() == {}

    def test_of_two_adjudicators_stand_where_they_agree(self, staffed: Store) -> None:
        decide(staffed, ask(staffed, replace(request(), adjudicators=2)), ACCEPTED, DRAWN)
        with staffed.snapshot() as unit:
            assert unit.adjudications.standing() == {}

        second = replace(request(round_number=2), adjudicators=2, not_for="A1")
        decide(staffed, ask(staffed, second), ACCEPTED, who="A2")

        with staffed.snapshot() as unit:
            standing = unit.adjudications.standing()["a"]
            assert not unit.adjudications.settlement("a", 1).is_settled
        assert standing.decisions == (ACCEPTED,)
        assert (standing.version, standing.adjudicators) == ("1+2", ("A1", "A2"))
        assert not standing.is_complete
