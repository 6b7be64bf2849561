"""Pictures of the searches: regret against trials and against simulated seconds, and the share that has the best."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from matplotlib import pyplot as plt
from matplotlib.axes import Axes

from benchmarks.search.measure import Verdict
from benchmarks.search.simulate import Run

Floats = npt.NDArray[np.float64]

STEPS = 200
"""Points of a line over simulated seconds."""


def draw(runs: Mapping[str, Sequence[Run]], verdict: Verdict, folder: Path, name: str) -> list[Path]:
    """Writes three pictures NAME-….png, a line for each controller: its median, and its quartiles as a band."""
    found = {label: [run for run in of if run.codes] for label, of in runs.items()}
    found = {label: of for label, of in found.items() if of}
    files = []
    for kind, lines, law in (
        ("queries", _by_queries, "ended trials"),
        ("seconds", _by_seconds, "simulated seconds"),
        ("share", _shares, "ended trials"),
    ):
        figure, axes = plt.subplots(figsize=(8, 5), layout="constrained")
        for number, (label, of) in enumerate(found.items()):
            _line(axes, *lines(of, verdict), label=label, number=number)
        axes.set_xlabel(law)
        axes.set_ylabel("share of searches that had the best" if kind == "share" else "test regret of the best so far")
        if kind != "share":
            axes.set_yscale("symlog", linthresh=0.05)
        axes.grid(alpha=0.3)
        axes.legend(fontsize="small")
        files.append(folder / f"{name}-{kind}.png")
        figure.savefig(files[-1], dpi=120)
        plt.close(figure)
    return files


def _line(axes: Axes, x: Floats, values: Floats, *, label: str, number: int) -> None:
    """values: (3, points) of quartiles, or (1, points)."""
    style = "--" if label.startswith("ref-") else "-"
    axes.plot(x, values[len(values) // 2], style, label=label, color=f"C{number % 10}")
    if len(values) == 3:
        axes.fill_between(x, values[0], values[2], alpha=0.12, color=f"C{number % 10}")


def _by_queries(runs: Sequence[Run], verdict: Verdict) -> tuple[Floats, Floats]:
    most = max(len(run.codes) for run in runs)
    courses = [verdict.regrets(run) for run in runs]
    padded = np.array([(course[:-1] + [course[-1]] * most)[:most] for course in courses])
    return np.arange(1.0, most + 1), np.quantile(padded, (0.25, 0.5, 0.75), axis=0)


def _by_seconds(runs: Sequence[Run], verdict: Verdict) -> tuple[Floats, Floats]:
    x = np.linspace(max(run.at[0] for run in runs), max(run.at[-1] for run in runs), STEPS)
    courses = [np.array(verdict.regrets(run)) for run in runs]
    places = [np.searchsorted(run.at, x, side="right") - 1 for run in runs]
    rows = np.array([course[place] for course, place in zip(courses, places, strict=True)])
    return x, np.quantile(rows, (0.25, 0.5, 0.75), axis=0)


def _shares(runs: Sequence[Run], verdict: Verdict) -> tuple[Floats, Floats]:
    x = np.arange(1.0, max(len(run.codes) for run in runs) + 1)
    found = np.sort([verdict.queries_to_best(run) for run in runs])
    return x, (np.searchsorted(found, x, side="right") / len(found))[None]
