"""Walks that were made before are looked up, and lead where they led."""

from typing import Any

import pytest

from archsmith.errors import InvalidArchitecture
from search.proposing.walk_cache import WalkCache
from search.proposing.walks import every_walk
from search.testing.toys import Ask, Toy, chain, cliff, fork
from space.presets import load
from space.space import Space, replay
from tests.spaces import Counted


@pytest.mark.parametrize("toy", [chain(2), fork(), cliff()], ids=lambda toy: toy.name)
def test_every_walk_ends_where_the_space_says_and_is_made_once(toy: Toy) -> None:
    space = Counted(toy)
    walked: WalkCache[Any] = WalkCache(space)
    for _ in range(2):
        for walk, architecture in every_walk(toy):
            found = walked.end(replay(walk.choices), lambda met: met)
            assert isinstance(found, InvalidArchitecture) if architecture is None else found == architecture
    assert space.count == sum(1 for _ in every_walk(toy))


def test_answers_of_another_type_are_others() -> None:
    def grow(ask: Ask) -> list[tuple[str, dict[str, object]]]:
        answer = ask("bias", (True, 1, 0), False)
        return [("conv2d", {"out": 4 if answer is True else 8, "kernel": 1})]

    toy = Toy("types", grow, lambda choices: 0.0)
    walked: WalkCache[Any] = WalkCache(toy)
    widths = [
        walked.end(lambda _, answer=answer: answer, lambda met: met.nodes[1].attrs["out"])  # type: ignore[misc]
        for answer in (True, 1)
    ]
    assert widths == [4, 8]


def test_a_space_without_decisions_has_one_end() -> None:
    walked: WalkCache[Any] = WalkCache(Toy("one", lambda ask: [], lambda choices: 0.0))
    ends = [walked.end(lambda decision: decision.options[0], lambda met: met) for _ in range(3)]
    assert ends[0] is ends[1] is ends[2]


def test_an_answer_that_is_not_offered_is_refused_and_not_kept() -> None:
    walked: WalkCache[Any] = WalkCache(Space.parse(load("tiny"), input_shape=(1, 8, 8), classes=4))
    for _ in range(2):
        with pytest.raises(ValueError, match="but the answer was"):
            walked.end(lambda decision: "nothing", lambda met: met)


def test_too_many_are_forgotten() -> None:
    space = Counted(chain(2))
    walked: WalkCache[Any] = WalkCache(space, most=10)
    walks = [walk.choices for walk, _ in every_walk(chain(2))][:40]
    for choices in walks * 2:
        assert walked.end(replay(choices), lambda met: met).hash == chain(2).sample(replay(choices)).hash
    assert space.count == 80
