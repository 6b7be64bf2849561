"""Spaces whose walks are remembered: the first takes its usual time, each later one some microseconds.

A search on a table asks for the same few thousand architectures in every seed. `Listed` is for spaces that ask the same
decisions on every walk, and keeps the hashes of all their architectures in a file; `Remembered` is for any space.
"""

import hashlib
import itertools
import json
import math
import os
import tempfile
from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np

import space
from archsmith.errors import InvalidArchitecture
from search.proposing.constraints import Constraint
from search.proposing.walk_cache import WalkCache
from search.proposing.walks import SearchSpace, Walk, uniform
from space.architecture import Architecture
from space.decision import Choices, Choose, Decision, Option
from space.size import SizeEstimate
from space.space import replay

BUILT = 4_000
"""Built graphs that are kept; about 40 KB each."""

Answers = tuple[Option, ...]


class Known(Architecture):
    """An architecture whose hash is known; the graph is built when an attribute of it is read."""

    __slots__ = ("_build", "_known")

    def __init__(self, known: str, build: Callable[[], Architecture]) -> None:
        object.__setattr__(self, "_known", known)
        object.__setattr__(self, "_build", build)

    @property
    def hash(self) -> str:
        return self._known  # type: ignore[attr-defined, no-any-return]

    def __hash__(self) -> int:
        return hash(self.hash)

    def __eq__(self, other: object) -> bool:
        return self is other or (isinstance(other, Architecture) and self.to_json() == other.to_json())


def _looked_into(name: str) -> property:
    return property(lambda self: getattr(self._build(), name))


for _name in ("nodes", "output", "input_shape", "classes", "data", "training", "shapes"):
    setattr(Known, _name, _looked_into(_name))


class Listed:
    """A space whose walks all ask the same decisions, in the same order, and all fit.

    decisions: those. hashes: of the architecture by answers, of all there are.
    """

    def __init__(self, of: SearchSpace, decisions: Sequence[Decision], hashes: dict[Answers, str]) -> None:
        self.inner = of
        self.decisions = tuple(decisions)
        self.hashes = hashes
        self._leaves: dict[Answers, Known] = {}
        self._built = lru_cache(maxsize=BUILT)(lambda answers: built(of, self.decisions, answers))

    @property
    def constraints(self) -> Sequence[Constraint]:
        return self.inner.constraints

    def baseline(self) -> Choices:
        return self.inner.baseline()

    def size(self, limit: int) -> SizeEstimate:
        return self.inner.size(limit)

    def sample(self, choose: Choose) -> Architecture:
        answers = tuple([choose(decision) for decision in self.decisions])
        leaf = self._leaves.get(answers)
        if leaf is None:
            leaf = self._leaves[answers] = Known(self.hashes[answers], lambda: self._built(answers))
        return leaf


def built(of: SearchSpace, decisions: Sequence[Decision], answers: Answers) -> Architecture:
    return of.sample(replay({decision.name: answer for decision, answer in zip(decisions, answers, strict=True)}))


def listed(of: SearchSpace, name: str, identity: str) -> Listed:
    """All architectures of a space of that kind; their hashes are made once and kept in the temporary folder.

    name: begins the file's name. identity: with our own sources, what the hashes depend on. 2 ms for each new one.
    """
    decisions: list[Decision] = []

    def first(decision: Decision) -> Option:
        decisions.append(decision)
        return decision.options[0]

    of.sample(first)
    every = list(itertools.product(*(decision.options for decision in decisions)))
    file = kept_file(f"{name}.json", identity, _sources())
    if not file.exists():
        hashes = [built(of, decisions, answers).hash for answers in every]
        write_whole(file, json.dumps(hashes).encode())
    return Listed(of, decisions, dict(zip(every, json.loads(file.read_text()), strict=True)))


def kept_file(name: str, identity: str, sources: Sequence[Path]) -> Path:
    """Where something is kept between benchmarks that depends on `identity` and on these sources."""
    folder = Path(tempfile.gettempdir()) / f"archsmith-benchmarks-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    digest = hashlib.blake2b(identity.encode(), digest_size=8)
    for source in sources:
        digest.update(source.read_bytes())
    return folder / f"{digest.hexdigest()}-{name}"


def write_whole(file: Path, content: bytes) -> None:
    """Written, then renamed, so that another process sees all of it or nothing."""
    fresh = file.with_suffix(f".{os.getpid()}")
    fresh.write_bytes(content)
    fresh.replace(file)


READERS = {"analysis.py", "build.py", "codegen", "document/schema.py", "export.py", "peak_memory.py", "picture"}
"""Files and folders of `space` that only read finished architectures."""


def _sources() -> list[Path]:
    """What hashes are made with."""
    root = Path(space.__path__[0])
    readers = {root / name for name in READERS}
    return [path for path in sorted(root.rglob("*.py")) if not readers & {path, *path.parents}]


class Remembered:
    """A space that walks like another; every walk that was met stays in memory."""

    def __init__(self, of: SearchSpace) -> None:
        self._of = of
        self._walked: WalkCache[Architecture | InvalidArchitecture] = WalkCache(of, capacity=math.inf)

    @property
    def constraints(self) -> Sequence[Constraint]:
        return self._of.constraints

    def baseline(self) -> Choices:
        return self._of.baseline()

    def size(self, limit: int) -> SizeEstimate:
        return self._of.size(limit)

    def sample(self, choose: Choose) -> Architecture:
        found = self._walked.get(choose, lambda met: met)
        if isinstance(found, InvalidArchitecture):
            raise found
        return found


class Anywhere:
    """A space with a random walk in the place of its baseline."""

    def __init__(self, of: SearchSpace, seed: int) -> None:
        self._of = of
        rng = np.random.default_rng([seed, BUILT])
        self._first = Walk(picker=uniform(rng))
        of.sample(self._first.choose)
        self.constraints = of.constraints
        self.sample = of.sample
        self.size = of.size

    def baseline(self) -> Choices:
        return self._first.choices
