"""Walks through a space: their enumeration, what they note, and neighbours."""

import numpy as np
import pytest

from search.proposing.walks import Walk, every_walk, neighbour, uniform
from search.testing.toys import chain, cliff, fork
from space.decision import Decision


def test_every_walk_visits_each_once_and_marks_the_impossible() -> None:
    walks = [(tuple(walk.choices.items()), architecture) for walk, architecture in every_walk(cliff())]
    assert len({choices for choices, _ in walks}) == len(walks) == 12
    assert sum(architecture is None for _, architecture in walks) == 6
    assert sum(1 for _ in every_walk(fork())) == 18


def test_a_walk_records_what_can_be_learned_from() -> None:
    walk = Walk(picker=uniform(np.random.default_rng(0)))
    only, open_ = Decision(name="a", options=(3,), ordered=True), Decision(name="b", options=(1, 2), ordered=True)
    assert walk.choose(only) == 3
    walk.choose(open_)
    assert walk.decisions == [open_]
    assert walk.choices.keys() == {"a", "b"}
    assert walk.behaviour == {"b": 0.5}


@pytest.mark.heavy
def test_neighbours_change_two_answers_on_average() -> None:
    toy = chain(3)
    choices = next(w.choices for w, a in every_walk(toy) if len(w.choices) == 10)
    changes = []
    for seed in range(400):
        walk = Walk(picker=neighbour(choices, np.random.default_rng(seed)))
        toy.sample(walk.choose)
        if len(walk.choices) == 10:
            changes.append(sum(walk.choices[name] != choices[name] for name in choices))
    assert 0.8 < np.mean(changes) < 2.0, "redrawn answers may come out the same"


@pytest.mark.heavy
def test_all_walks_are_known_without_building() -> None:
    toy = chain(2)
    assert [walk.choices for walk, _ in every_walk(toy)] == list(toy.choices())
