"""Walks that were made before are looked up, with the same result."""

import pytest

from archsmith.errors import InvalidArchitecture
from search.proposing.walk_cache import WalkCache
from search.proposing.walks import every_walk
from search.testing.toys import Ask, Toy, chain, cliff, fork
from space.architecture import Architecture
from space.decision import Option
from space.presets import load
from space.space import Space, replay
from tests.spaces import Counted

ArchitectureCache = WalkCache[Architecture | InvalidArchitecture]


@pytest.mark.heavy
@pytest.mark.parametrize("toy", [chain(2), fork(), cliff()], ids=lambda toy: toy.name)
def test_every_walk_is_made_once_and_has_the_architecture_of_the_space(toy: Toy) -> None:
    space = Counted(toy)
    cache = ArchitectureCache(space)
    for _ in range(2):
        for walk, architecture in every_walk(toy):
            found = cache.get(replay(walk.choices), lambda met: met)
            assert isinstance(found, InvalidArchitecture) if architecture is None else found == architecture
    assert space.count == sum(1 for _ in every_walk(toy))


def test_equal_answers_of_different_types_are_different() -> None:
    def grow(ask: Ask) -> list[tuple[str, dict[str, object]]]:
        answer = ask("bias", (True, 1, 0), False)
        return [("conv2d", {"out": 4 if answer is True else 8, "kernel": 1})]

    toy = Toy("types", grow, lambda choices: 0.0)
    cache: WalkCache[object] = WalkCache(toy)

    def width(answer: Option) -> object:
        return cache.get(lambda _: answer, lambda met: met.nodes[1].attrs["out"])

    assert [width(True), width(1)] == [4, 8]


def test_a_space_without_decisions_has_one_leaf() -> None:
    cache = ArchitectureCache(Toy("one", lambda ask: [], lambda choices: 0.0))
    ends = [cache.get(lambda decision: decision.options[0], lambda met: met) for _ in range(3)]
    assert ends[0] is ends[1] is ends[2]


def test_an_answer_that_is_not_offered_is_rejected_and_not_kept() -> None:
    cache = ArchitectureCache(Space.parse(load("tiny"), input_shape=(1, 8, 8), classes=4))
    for _ in range(2):
        with pytest.raises(ValueError, match="but the answer was"):
            cache.get(lambda decision: "nothing", lambda met: met)


def test_a_full_cache_starts_again() -> None:
    space = Counted(chain(2))
    cache = ArchitectureCache(space, capacity=10)
    walks = [walk.choices for walk, _ in every_walk(chain(2))][:40]
    for choices in walks * 2:
        assert cache.get(replay(choices), lambda met: met).hash == chain(2).sample(replay(choices)).hash
    assert space.count == 80
