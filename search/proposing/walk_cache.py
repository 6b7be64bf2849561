"""A cache of walks: a walk that was made before only asks its answers again, and its result is looked up.

The same answers lead to the same next decision, always, so the walks of a space form a tree. Following a branch that is
known takes a microsecond or two per decision, where a new walk has to build its architecture.
"""

import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from archsmith.errors import InvalidArchitecture
from search.proposing.walks import SearchSpace
from space.architecture import Architecture
from space.decision import Choose, Decision, Option

CAPACITY = 100_000
"""How much is kept: a decision counts as one, a leaf and its value as LEAF_WEIGHT. With a surrogate's candidates as
values that is 100 to 170 MB. A cache that is full starts again from empty."""

LEAF_WEIGHT = 10

V = TypeVar("V")


@dataclass(slots=True)
class _Node:
    """A decision, and where each answer leads. The type is part of the key: 1, 1.0 and True are three answers."""

    decision: Decision
    children: dict[tuple[type, Option], Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Leaf(Generic[V]):
    value: V


class WalkCache(Generic[V]):
    """The walks of a space, each with a value. capacity: see `CAPACITY`."""

    def __init__(self, space: SearchSpace, *, capacity: float = CAPACITY) -> None:
        self._space, self._capacity = space, capacity
        self._root: _Node | _Leaf[V] | None = None
        self._count = 0

    def get(self, choose: Choose, make: Callable[[Architecture | InvalidArchitecture], V]) -> V:
        """The value of the walk that `choose` takes.

        make: makes the value of a new walk, from its architecture or from the error that says why no shape fits.
        """
        place: Any = self._root
        prefix: list[Option] = []
        while isinstance(place, _Node):
            prefix.append(choose(place.decision))
            place = place.children.get(_key(prefix[-1]))
        if place is None:
            place = self._new_leaf(prefix, choose, make)
        value: V = place.value
        return value

    def _new_leaf(
        self, prefix: list[Option], choose: Choose, make: Callable[[Architecture | InvalidArchitecture], V]
    ) -> _Leaf[V]:
        """Makes a walk that begins with the answers of `prefix`, which `choose` has given already."""
        path: list[tuple[Decision, Option]] = []

        def follow(decision: Decision) -> Option:
            path.append((decision, prefix[len(path)] if len(path) < len(prefix) else choose(decision)))
            return path[-1][1]

        result: Architecture | InvalidArchitecture
        try:
            result = self._space.sample(follow)
        except InvalidArchitecture as error:
            result = error
        leaf = _Leaf(make(result))
        self._insert(path, leaf)
        return leaf

    def _insert(self, path: list[tuple[Decision, Option]], leaf: _Leaf[V]) -> None:
        if self._count >= self._capacity:
            self._root, self._count = None, 0
        self._count += LEAF_WEIGHT
        if not path:
            self._root = leaf
            return
        if self._root is None:
            self._root = _Node(path[0][0])
        place: Any = self._root
        for (_, answer), (decision, _) in itertools.pairwise(path):
            key = _key(answer)
            if key not in place.children:
                place.children[key] = _Node(decision)
                self._count += 1
            place = place.children[key]
        place.children[_key(path[-1][1])] = leaf


def _key(option: Option) -> tuple[type, Option]:
    return type(option), option
