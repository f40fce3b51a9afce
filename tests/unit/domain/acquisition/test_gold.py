"""Drawing the gold cases of a worklist."""

import pytest

from backend.domain.acquisition.gold import InvalidShareError, draw_gold

CANDIDATES = tuple(f"g{number:02d}" for number in range(50))


def draw(reader_id: str = "R1", *, share: float = 0.1, rank: int = 0) -> tuple[str, ...]:
    return draw_gold(reader_id, CANDIDATES, slots=40, share=share, seed=(7, rank))


class TestDrawGold:
    def test_is_the_same_in_whatever_order_the_candidates_come(self) -> None:
        backwards = draw_gold("R1", CANDIDATES[::-1], slots=40, share=0.1, seed=(7, 0))

        assert backwards == draw()

    def test_differs_between_readers_and_fills(self) -> None:
        assert len({draw(), draw("R2"), draw(rank=40)}) == 3

    def test_keeps_to_the_share_in_the_long_run(self) -> None:
        drawn = sum(len(draw(rank=rank)) for rank in range(400))

        assert drawn / (400 * 40) == pytest.approx(0.1, abs=0.01)

    def test_draws_every_candidate_alike(self) -> None:
        drawn = [one for rank in range(400) for one in draw(rank=rank, share=0.5)]

        counts = [drawn.count(one) for one in CANDIDATES]
        assert min(counts) > 0.7 * max(counts)

    def test_draws_no_image_twice(self) -> None:
        drawn = draw(share=1.0)

        assert len(set(drawn)) == len(drawn) == 40

    @pytest.mark.parametrize(("slots", "share"), [(40, 0.0), (0, 1.0), (-1, 1.0)])
    def test_may_draw_none(self, slots: int, share: float) -> None:
        assert draw_gold("R1", CANDIDATES, slots=slots, share=share, seed=(7, 0)) == ()

    def test_refuses_what_is_no_share(self) -> None:
        with pytest.raises(InvalidShareError, match=r"1\.5"):
            draw(share=1.5)
