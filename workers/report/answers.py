"""The section "answers" of the report: what the shipped network answers on the test split, beside its score.

Its figures are those of `workers.finalists.answered`. On the page a problem has a template of its own in
`templates/answers/`, and plots here; a new problem is one more of each.
"""

from collections.abc import Callable, Mapping
from typing import Any

from workers.datasets import Dataset
from workers.report.plots import against
from workers.report.trained import Trained

Section = Mapping[str, Any]


def answers_section(dataset: Dataset, winner: Trained) -> dict[str, Any] | None:
    """None where nothing is told of the problem's answers. columns: the names of classes, labels or targets."""
    first = winner.trainings[0]
    if first.answered is None:
        return None
    return {
        "problem": dataset.problem,
        "seed": first.row.seed,
        "columns": list(dataset.class_names),
        **first.answered,
    }


def plots_of(section: Section | None) -> list[str]:
    """The plots of the section, as SVG."""
    draw = None if section is None else PLOTS.get(section["problem"])
    return [] if section is None or draw is None else draw(section)


def _regression(section: Section) -> list[str]:
    drawn = zip(section["columns"], section["points"], strict=False)
    return [
        against(tuple((true, given) for true, given in points), name=name, x=f"true {name}", y=f"predicted {name}")
        for name, points in drawn
        if points
    ]


PLOTS: Mapping[str, Callable[[Section], list[str]]] = {"regression": _regression}
"""Problem -> its plots."""
