"""Which requests are new, and which are not needed any more."""

from dataclasses import replace

from backend.domain.adjudication.conflicts import Conflict, ConflictKind, DisputedImage, rank
from backend.domain.adjudication.request import ProposedBox, Request, RequestState
from backend.domain.adjudication.routing import Candidate, Routes, plan_routes
from backend.domain.adjudication.verdict import Subject
from backend.domain.boxes import Box
from backend.domain.consensus.clusters import ClusterState
from backend.domain.findings import Finding

HERE, THERE = Box(0, 0, 100, 100), Box(500, 500, 600, 600)


def disputed(image_id: str, consequence: float = 1.0, *, is_test: bool = False) -> DisputedImage:
    conflict = Conflict(ConflictKind.CLASS_CONFLICT, (0,), consequence, "why")
    return DisputedImage(image_id, (conflict,), is_test=is_test)


def box(*keys: int, where: Box = HERE, is_disputed: bool = True) -> ProposedBox:
    subject = Subject(Finding.ILD, where, keys)
    return ProposedBox(
        subject, Finding.ILD, where, ClusterState.CLASS_CONFLICT, 0.5, is_disputed=is_disputed
    )


def asked(
    image_id: str, key: int, *proposal: ProposedBox, state: RequestState = RequestState.OPEN
) -> Request:
    return Request(image_id, 1, 1, (), 1.0, False, proposal or (box(1),), (), state=state, id=key)


def plan(*images: DisputedImage, requests: tuple[Request, ...] = (), size: int = 9) -> Routes:
    candidates = {one.image_id: Candidate(one, (box(1),)) for one in images}
    return plan_routes(candidates, requests, size=size)


def new(routes: Routes) -> list[str]:
    return [one.image.image_id for one, _ in routes.new]


class TestRank:
    def test_puts_the_test_split_first_then_the_gravest(self) -> None:
        images = [
            disputed("b"), disputed("a"), disputed("grave", 3.0),
            disputed("test", 0.1, is_test=True),
        ]  # fmt: skip

        assert [one.image_id for one in rank(images)] == ["test", "grave", "a", "b"]


class TestPlanRoutes:
    def test_fills_the_room_with_the_gravest(self) -> None:
        routes = plan(disputed("a"), disputed("b", 3.0), disputed("c", 2.0), size=2)

        assert (new(routes), routes.waiting) == (["b", "c"], 1)

    def test_counts_what_is_open_already(self) -> None:
        routes = plan(disputed("a"), disputed("b"), requests=(asked("a", 1),), size=1)

        assert (new(routes), routes.waiting, routes.withdrawn) == ([], 1, ())

    def test_withdraws_what_is_settled_and_nothing_that_a_person_asked_for(self) -> None:
        by_hand = replace(asked("b", 2), by_hand=True)
        second = replace(asked("c", 3), round=2)

        routes = plan(requests=(asked("a", 1), by_hand, second))

        assert [one.id for one, _ in routes.withdrawn] == [1]

    def test_asks_anew_when_the_dispute_has_changed(self) -> None:
        routes = plan(disputed("a"), requests=(asked("a", 1, box(1, 2)),))

        assert [one.id for one, _ in routes.withdrawn] == [1]
        assert [(one.image.image_id, question) for one, question in routes.new] == [("a", 2)]

    def test_keeps_asking_the_same_when_only_the_fused_box_moved(self) -> None:
        routes = plan(disputed("a"), requests=(asked("a", 1, box(1, where=THERE)),))

        assert (routes.withdrawn, routes.new) == ((), ())

    def test_moves_what_has_become_graver(self) -> None:
        [(request, candidate)] = plan(disputed("a", 4.0), requests=(asked("a", 1),)).moved

        assert (request.id, candidate.image.consequence) == (1, 4.0)

    def test_does_not_ask_again_what_was_left_open_by_an_adjudicator(self) -> None:
        answered = asked("a", 1, state=RequestState.DECIDED)

        assert plan(disputed("a"), requests=(answered,)).new == ()

    def test_asks_again_about_a_new_dispute(self) -> None:
        answered = asked("a", 1, box(7, where=THERE), state=RequestState.DECIDED)

        [(_, question)] = plan(disputed("a"), requests=(answered,)).new

        assert question == 2
