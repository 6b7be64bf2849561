"""What a surrogate sees of each architecture of a listed space, found once and kept in a file.

A search on a table looks at the same few thousand architectures in every seed. The measures and features are those of
`search.surrogate.controller.look`; only the time to find them is saved, so the times to ask that a search on a table
reports are without it. `benchmarks/controllers.py` measures whole asks.
"""

import io
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

import space
from benchmarks.search.remembered import Listed, built, kept_file, write_whole
from search.surrogate import features, topology
from search.surrogate.controller import Looked, look
from search.surrogate.features import Numbers, answers
from space.architecture import Architecture
from space.decision import Choices, Decision


class Described:
    """A `search.surrogate.controller.Look` for one space."""

    def __init__(self, of: Listed, name: str, identity: str) -> None:
        self._decisions = of.decisions
        self._rows = {key: row for row, key in enumerate(of.hashes)}
        file = kept_file(f"{name}.npz", identity, _sources())
        if not file.exists():
            write_whole(file, _described(of))
        with np.load(file) as kept:
            self._names = {group: [str(name) for name in kept[f"{group}_names"]] for group in GROUPS}
            self._values = {group: kept[group] for group in GROUPS}

    def __call__(self, architecture: Architecture, decisions: Sequence[Decision], choices: Choices) -> Looked:
        row = self._rows[tuple([choices[decision.name] for decision in self._decisions])]
        measures, graph, cost = (self._numbers(group, row) for group in GROUPS)
        return measures, (graph, cost, answers(decisions, choices))

    def _numbers(self, group: str, row: int) -> Numbers:
        values = self._values[group][row]
        there = np.flatnonzero(~np.isnan(values))
        names = self._names[group]
        return {names[column]: float(values[column]) for column in there}


GROUPS = ("measures", "graph", "cost")


def _described(of: Listed) -> bytes:
    """Of each architecture a row of each group, NaN where it has no such number; 4 ms for each."""
    rows: dict[str, list[Mapping[str, float]]] = {group: [] for group in GROUPS}
    for key in of.hashes:
        choices = {decision.name: answer for decision, answer in zip(of.decisions, key, strict=True)}
        measures, (graph, cost, _) = look(built(of.inner, of.decisions, key), of.decisions, choices)
        for group, numbers in zip(GROUPS, (measures, graph, cost), strict=True):
            rows[group].append(dict(numbers))
    arrays: dict[str, np.ndarray] = {}
    for group, found in rows.items():
        names = sorted({name for row in found for name in row})
        arrays[f"{group}_names"] = np.array(names)
        arrays[group] = np.array([[row.get(name, np.nan) for name in names] for row in found], dtype=np.float64)
    content = io.BytesIO()
    np.savez_compressed(content, allow_pickle=False, **arrays)
    return content.getvalue()


def _sources() -> list[Path]:
    made_by = [Path(module.__file__ or "") for module in (features, topology)]
    return [*sorted(Path(space.__path__[0]).rglob("*.py")), *made_by]
