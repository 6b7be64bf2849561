"""The report of a run of the bench: JSON, a table for people, pictures. Here the test column is read, and only here."""

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.search.measure import Verdict, measure
from benchmarks.search.plots import draw
from benchmarks.search.run import Plan
from benchmarks.search.simulate import MARKS, Run
from benchmarks.search.spaces import TOYS, bench

Json = dict[str, Any]


class Report:
    """Grows controller by controller; the files are written after each, so that an interrupted run leaves its part."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        self.file: Path = options.json
        plain = {name: str(value) if isinstance(value, Path) else value for name, value in vars(options).items()}
        self.document: Json = {"arguments": plain, "controllers": {}, "references": {}}
        self.runs: dict[str, list[Run]] = {}
        self._verdict: Verdict | None = None

    @property
    def verdict(self) -> Verdict:
        """Made when the first searches are over; the processes that search are others."""
        if self._verdict is None:
            of = bench(self.options)
            self._verdict = Verdict(of, of.task())
        return self._verdict

    def add(self, plan: Plan, runs: list[Run]) -> None:
        figures = measure(runs, self.verdict)
        several = self.options.protocol == "P4" and plan.spec is not None
        title = f"{plan.label} × {plan.workers}" if several else plan.label
        self.runs[title] = runs
        place: Json = self.document["references" if plan.spec is None else "controllers"]
        if several:
            place.setdefault(plan.label, dict(figures)).setdefault("by_workers", {})[str(plan.workers)] = figures
        else:
            place[plan.label] = figures
        self._write()
        print(_line(title, figures), file=sys.stderr, flush=True)

    def finish(self) -> None:
        """The table and the pictures."""
        draw(self.runs, self.verdict, self.file.parent, self.file.stem)
        print(self.table())

    def _write(self) -> None:
        self.file.parent.mkdir(parents=True, exist_ok=True)
        self.file.write_text(json.dumps(self.document, indent=1, allow_nan=False) + "\n")
        self.file.with_suffix(".md").write_text(self.table() + "\n")

    def table(self) -> str:
        """Markdown."""
        options = self.options
        marks = [mark for mark in MARKS if mark <= options.queries]
        title = f"{options.space}, {options.column_prefix}, {options.protocol}, {options.seeds} seeds"
        top = max(self.verdict.judge.searched.values())
        best = f"best score searched {top:g}, of {len(self.verdict.best)}"
        head = ["", "seeds", "trials", "to best", "10 – 90 %"]
        head += [f"at best by {mark}" for mark in (20, 50, 100) if mark in marks]
        head += [f"test at {mark}" for mark in (20, 50, 100, 150) if mark in marks]
        head += [f"regret at {mark}" for mark in (50, 100) if mark in marks]
        head += ["found", "sd", "ask ms", "largest"]
        rows = [self._row(label, figures, marks) for label, figures in self._all()]
        lines = [head, ["---"] + ["---:"] * (len(head) - 1), *rows]
        text = "\n".join("| " + " | ".join(line) + " |" for line in lines)
        return f"{title}; {best}; best test score {self.verdict.judge.best_test:g}\n\n{text}"

    def _all(self) -> list[tuple[str, Json]]:
        found: list[tuple[str, Json]] = []
        for label, figures in (*self.document["references"].items(), *self.document["controllers"].items()):
            by_workers: Mapping[str, Json] = figures.get("by_workers", {})
            found += [(f"{label} × {workers}", part) for workers, part in by_workers.items()] or [(label, figures)]
        return [(label, figures) for label, figures in found if figures["seeds"]]

    def _row(self, label: str, figures: Json, marks: Sequence[int]) -> list[str]:
        spread = figures["quantiles_queries_to_best"]
        row = [
            label,
            str(figures["seeds"]),
            f"{figures['mean_queries']:.0f}",
            _or_never(figures["median_queries_to_best"]),
        ]
        row.append(f"{_or_never(spread['0.1'])} – {_or_never(spread['0.9'])}")
        row += [f"{100 * figures['share_at_best'][str(mark)]:.0f} %" for mark in (20, 50, 100) if mark in marks]
        digits = 4 if self.options.space in TOYS else 2
        row += [f"{figures['mean_test'][str(mark)]:.{digits}f}" for mark in (20, 50, 100, 150) if mark in marks]
        row += [f"{figures['mean_regret'][str(mark)]:.3f}" for mark in (50, 100) if mark in marks]
        row += [f"{figures['found']['mean_test']:.3f}", f"{figures['found']['sd_test']:.2f}"]
        return [*row, f"{figures['ask_ms']['median']:.1f}", f"{figures['ask_ms']['max']:.0f}"]


def _or_never(value: float | None) -> str:
    return "never" if value is None else f"{value:g}"


def _line(title: str, figures: Json) -> str:
    if not figures["seeds"]:
        return f"{title}: no search ended a trial"
    to_best = _or_never(figures["median_queries_to_best"])
    found, ask = figures["found"]["mean_test"], figures["ask_ms"]["median"]
    return f"{title}: to best {to_best}, found {found:.3f}, ask {ask:.1f} ms"
