"""Walks that were made before: only their answers are asked again, where they lead is looked up.

The same answers lead to the same next decision, always, so the walks of a space are a tree. A walk along a branch that
is known costs a microsecond or two for each decision, in the place of one that builds its architecture.
"""

import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from archsmith.errors import InvalidArchitecture
from search.proposing.walks import SearchSpace
from space.architecture import Architecture
from space.decision import Choose, Decision, Option

MOST = 100_000
"""How much is kept: a decision counts as one, an end and what is remembered of it as END. Of a surrogate's candidates
that is 100 to 170 MB. Past it all is forgotten."""

END = 10

E = TypeVar("E")


@dataclass(slots=True)
class _Fork:
    """A place in the tree: the decision asked there, and where each answer leads. 1, 1.0 and True are three answers."""

    decision: Decision
    after: dict[tuple[type, Option], Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _End(Generic[E]):
    of: E


class WalkCache(Generic[E]):
    """The walks of a space, and what there is to remember of their ends. most: see `MOST`."""

    def __init__(self, space: SearchSpace, *, most: float = MOST) -> None:
        self._space, self._most = space, most
        self._root: _Fork | _End[E] | None = None
        self._count = 0

    def end(self, choose: Choose, made: Callable[[Architecture | InvalidArchitecture], E]) -> E:
        """What is remembered of the walk that `choose` takes.

        made: finds it, for a walk that is new, from the architecture or from why none fits.
        """
        place: Any = self._root
        begun: list[Option] = []
        while isinstance(place, _Fork):
            begun.append(choose(place.decision))
            place = place.after.get(_label(begun[-1]))
        if place is None:
            place = self._new(begun, choose, made)
        known: E = place.of
        return known

    def _new(
        self, begun: list[Option], choose: Choose, made: Callable[[Architecture | InvalidArchitecture], E]
    ) -> _End[E]:
        """A walk that begins with these answers, and from there on is new."""
        met: list[tuple[Decision, Option]] = []

        def follow(decision: Decision) -> Option:
            met.append((decision, begun[len(met)] if len(met) < len(begun) else choose(decision)))
            return met[-1][1]

        found: Architecture | InvalidArchitecture
        try:
            found = self._space.sample(follow)
        except InvalidArchitecture as error:
            found = error
        end = _End(made(found))
        self._keep(met, end)
        return end

    def _keep(self, met: list[tuple[Decision, Option]], end: _End[E]) -> None:
        if self._count >= self._most:
            self._root, self._count = None, 0
        self._count += END
        if not met:
            self._root = end
            return
        if self._root is None:
            self._root = _Fork(met[0][0])
        place: Any = self._root
        for (_, answer), (decision, _) in itertools.pairwise(met):
            key = _label(answer)
            if key not in place.after:
                place.after[key] = _Fork(decision)
                self._count += 1
            place = place.after[key]
        place.after[_label(met[-1][1])] = end


def _label(option: Option) -> tuple[type, Option]:
    return type(option), option
