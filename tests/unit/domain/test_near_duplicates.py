"""Which images show the same radiograph."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from backend.domain.near_duplicates import SIDE_PX, look_hash, near_duplicates

looks = st.dictionaries(
    st.integers(0, 99).map("i{}".format),
    st.one_of(st.just(""), st.binary(min_size=32, max_size=32).map(bytes.hex)),
    max_size=12,
)


def picture(seed: int) -> NDArray[np.float64]:
    """Return a smooth picture, as different from another seed's as two radiographs are."""
    rows, columns = np.mgrid[0:SIDE_PX, 0:SIDE_PX] / SIDE_PX
    waves = np.random.default_rng(seed).uniform(-1, 1, (12, 12))
    cosines = [np.cos(np.pi * each * rows) for each in range(12)]
    found = np.zeros((SIDE_PX, SIDE_PX))
    for one in range(12):
        for two in range(12):
            found += waves[one, two] * cosines[one] * np.cos(np.pi * two * columns)
    return found


def bits_apart(one: str, other: str) -> int:
    return (int(one, 16) ^ int(other, 16)).bit_count()


class TestLookHash:
    def test_hardly_changes_with_noise_and_window(self) -> None:
        first = picture(1)
        noisy = first + np.random.default_rng(0).normal(0, 0.05, first.shape)

        assert bits_apart(look_hash(30 * first), look_hash(30 * noisy)) <= 32
        assert look_hash(30 * first) == look_hash(60 * first + 7)

    def test_differs_between_pictures(self) -> None:
        assert bits_apart(look_hash(30 * picture(1)), look_hash(30 * picture(2))) > 64

    def test_of_a_flat_picture_is_empty(self) -> None:
        assert look_hash(np.full((SIDE_PX, SIDE_PX), 17)) == ""


class TestNearDuplicates:
    @given(looks, st.data())
    @settings(deadline=None)
    def test_are_the_pairs_that_differ_in_few_bits(
        self, found: dict[str, str], data: st.DataObject
    ) -> None:
        for name, look in list(found.items()):  # some that are near
            if look and data.draw(st.booleans()):
                changed = int(look, 16) ^ data.draw(st.integers(0, 2**40 - 1))
                found[f"{name}-again"] = f"{changed:064x}"

        expected = [
            (one, other)
            for one in sorted(found)
            for other in sorted(found)
            if one < other
            and found[one]
            and found[other]
            and bits_apart(found[one], found[other]) <= 32
        ]
        assert near_duplicates(found) == expected

    def test_are_found_across_the_blocks_that_are_compared_at_a_time(self) -> None:
        rng = np.random.default_rng(0)
        many = {f"i{number:04d}": rng.bytes(32).hex() for number in range(1200)}
        many["twin"] = many["i0003"]
        many["other"] = many["i1100"]

        assert near_duplicates(many) == [("i0003", "twin"), ("i1100", "other")]

    def test_of_nothing_are_none(self) -> None:
        assert near_duplicates({"a": ""}) == []
