"""No two purposes, numbers or draws share a stream of random numbers."""

import ast
import itertools
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from search.proposing.walks import Draw, draw_walk, uniform
from search.streams import Stream, generator, seed_of, sequence
from search.trial import RANDOM_ARM_FROM
from space import presets
from space.space import Space

ROOT = Path(__file__).resolve().parents[3]
OWN_PURPOSE = {"search/streams.py", "search/testing/toys.py"}
"""The streams themselves, and the noise of toys."""

numbers = st.integers(min_value=-(2**63), max_value=2**63 - 1)
names = st.tuples(st.sampled_from(Stream), st.integers(0, 2**32 - 1), st.lists(numbers, max_size=4))


def beginning(purpose: Stream, seed: int, *numbers: int) -> bytes:
    """128 bits of the stream: chance makes two of a million alike once in 10^26 times."""
    return sequence(purpose, seed, *numbers).generate_state(4).tobytes()


@given(names, names)
def test_other_names_are_other_streams(
    one: tuple[Stream, int, list[int]], other: tuple[Stream, int, list[int]]
) -> None:
    same = one == other
    assert (beginning(one[0], one[1], *one[2]) == beginning(other[0], other[1], *other[2])) == same


@pytest.mark.heavy
def test_purposes_seeds_trials_and_draws_that_a_job_uses_are_all_apart() -> None:
    trials = (*range(-3, 40), 1_000_000, RANDOM_ARM_FROM, RANDOM_ARM_FROM + 1, RANDOM_ARM_FROM + 2)
    tails = [(), *((n,) for n in trials), *itertools.product(trials, range(6))]
    names = list(itertools.product(Stream, (0, 1, 7, 2**32 - 1), tails))
    assert len({beginning(purpose, seed, *tail) for purpose, seed, tail in names}) == len(names)


def test_zeros_at_the_end_and_long_numbers_are_names_of_their_own() -> None:
    """numpy itself takes [1, 2] and [1, 2, 0] for the same."""
    tails = [(), (0,), (0, 0), (0, 0, 0), (1,), (1, 0), (2**32,), (2**32 + 1,), (1, 1), (-1,), (2**32 - 1,)]
    assert len({beginning(Stream.DRAW, 0, *tail) for tail in tails}) == len(tails)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_the_random_arm_does_not_begin_with_the_pool_of_the_surrogate(seed: int) -> None:
    space = Space.parse(presets.load("chain"), input_shape=(1, 28, 28), classes=10)

    def drawn(purpose: Stream, *numbers: int) -> Draw | None:
        return draw_walk(space, (), uniform(generator(purpose, seed, *numbers)))

    pool = {draw.architecture.hash for place in range(20) if (draw := drawn(Stream.POOL, place))}
    arm = {draw.architecture.hash for n in range(20) if (draw := drawn(Stream.RANDOM_ARM, RANDOM_ARM_FROM + n, 0))}
    assert pool
    assert arm
    assert not pool & arm


def test_a_stream_is_the_same_in_every_process() -> None:
    """Jobs of this version are replayed by it; a change here belongs in CHANGELOG.md."""
    assert seed_of(Stream.TRIAL, 7, 3) == 1000674699
    assert generator(Stream.DRAW, 0, 0, 0).integers(1000, size=4).tolist() == [16, 284, 246, 573]


@pytest.mark.heavy
def test_nobody_in_search_makes_a_stream_by_hand() -> None:
    found = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path in sorted((ROOT / "search").rglob("*.py"))
        if path.relative_to(ROOT).as_posix() not in OWN_PURPOSE
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Attribute) and node.attr in ("default_rng", "SeedSequence", "RandomState", "seed")
        if ast.unparse(node).startswith(("np.random", "numpy.random", "random."))
    ]
    assert found == []
