"""Tables of trained architectures: what a search may see of them, and what only the report may.

Two readers of one file, and nothing that holds both: `searchable` never looks at a test column, so that a search cannot
read one however it is written; `judged` is called when all searches are over.
"""

import csv
import gzip
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from search.surrogate.zero_cost import combined

OVERHEAD = 12.35 / 12
"""Seconds of a training per second of its training epochs: the rest is the passes over the validation split."""

LONG, SHORT = 200, 12
"""Epochs of the two trainings in the published table."""

Row = Mapping[str, str]


@dataclass(frozen=True, kw_only=True, slots=True)
class Scores:
    """What trainings of one length give, by the key of the architecture.

    runs: the scores, %, of each of which a training gives one. noise: standard deviation of what is added, points.
    seconds: what a training takes. epochs: its length.
    """

    runs: Mapping[str, tuple[float, ...]]
    seconds: Mapping[str, float]
    epochs: int
    noise: float = 0.0

    def score(self, key: str, rng: np.random.Generator) -> float:
        """Of one training."""
        runs = self.runs[key]
        value = runs[int(rng.integers(len(runs)))] if len(runs) > 1 else runs[0]
        return value + self.noise * float(rng.normal()) if self.noise else value

    def means(self) -> dict[str, float]:
        return {key: sum(runs) / len(runs) for key, runs in self.runs.items()}


@dataclass(frozen=True, kw_only=True, slots=True)
class Source:
    """A file and how its columns are called.

    key: column of the architecture's code. value: the clean score of the long training; runs: its single runs, where
    there are any; short: the score of the short training. test: the judge's. seconds: of one training epoch.
    """

    file: Path
    key: str
    value: str
    runs: tuple[str, ...] = ()
    short: str | None = None
    test: str | None = None
    seconds: str | None = None
    cost_scale: float = 1.0


def rows(file: Path) -> Iterator[Row]:
    packed = gzip.open if file.suffix == ".gz" else open
    with packed(file, "rt", encoding="utf-8", newline="") as text:
        yield from csv.DictReader(text)


def searchable(source: Source, *, epochs: int = LONG, noisy: bool = False, noise: float = 0.0) -> Scores:
    """The scores that trials get, never those of a test column.

    noisy: one of the single runs where the table has them, else the clean score and noise of `noise` points.
    """
    column = source.value if epochs == LONG else source.short
    if column is None:
        raise SystemExit(f"{source.file.name} has no scores of {epochs} epochs")
    if "test" in column and source.test is not None:
        raise SystemExit(f"{column} is a test column")
    scores: dict[str, tuple[float, ...]] = {}
    seconds: dict[str, float] = {}
    singles = False
    for row in rows(source.file):
        if column not in row:
            raise SystemExit(f"{source.file.name} has no column {column}; there are {', '.join(row)}")
        if not row[column]:
            continue
        found = tuple(float(row[name]) for name in source.runs if row.get(name)) if noisy and epochs == LONG else ()
        singles = singles or bool(found)
        scores[row[source.key]] = found or (float(row[column]),)
        per_epoch = float(row[source.seconds]) if source.seconds else 1.0 / (epochs * OVERHEAD)
        seconds[row[source.key]] = per_epoch * epochs * OVERHEAD * source.cost_scale
    return Scores(runs=scores, seconds=seconds, epochs=epochs, noise=noise if noisy and not singles else 0.0)


PROXIES = ("flops", "nwot", "synflow", "jacov")
"""Guesses that need no training, as the columns are called behind the prefix; those that the service's workers make."""


def zero_cost(file: Path, prefix: str, keys: Mapping[str, str]) -> dict[str, float]:
    """By key, of those PROXIES that the file has. keys: of the architectures by the number in its column `index`."""
    found = {keys[row["index"]]: row for row in rows(file)}
    names = [f"{prefix}_{name}" for name in PROXIES if any(row.get(f"{prefix}_{name}") for row in found.values())]
    if not names:
        raise SystemExit(f"{file.name} has none of the columns {', '.join(f'{prefix}_{name}' for name in PROXIES)}")
    return combined({key: float(row[name]) if row[name] else None for key, row in found.items()} for name in names)


@dataclass(frozen=True, kw_only=True, slots=True)
class Judge:
    """What the report knows: by key, the clean score of the column searched, and the score in the test column."""

    searched: Mapping[str, float]
    test: Mapping[str, float]

    @property
    def best_keys(self) -> list[str]:
        top = max(self.searched.values())
        return [key for key, value in self.searched.items() if math.isclose(value, top, abs_tol=1e-9)]

    @property
    def best_test(self) -> float:
        return max(self.test.values())


def judged(source: Source, *, epochs: int = LONG) -> Judge:
    """Read when all searches are over. Without a test column the clean score is the judge."""
    column = source.value if epochs == LONG else source.short
    assert column is not None
    searched: dict[str, float] = {}
    test: dict[str, float] = {}
    for row in rows(source.file):
        if row[column]:
            searched[row[source.key]] = float(row[column])
            test[row[source.key]] = float(row[source.test or source.value])
    return Judge(searched=searched, test=test)
