"""What is said of the searches of one controller: figures over the seeds, joined with the test column."""

import math
import statistics
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from benchmarks.search.simulate import MARKS, Run
from benchmarks.search.spaces import Bench, Task
from benchmarks.search.tables import Judge

QUANTILES = (0.1, 0.25, 0.5, 0.75, 0.9)


class Verdict:
    """Joins runs with the test column. best: the hashes of the architectures whose searched score is the highest."""

    def __init__(self, bench: Bench, task: Task) -> None:
        self.judge: Judge = bench.judge()
        self.best = {task.architecture(bench.choices(code)).hash for code in self.judge.best_keys}

    def queries_to_best(self, run: Run) -> float:
        """Ended trials until the best was among them; inf if it never was."""
        return next((float(place) for place, hash_ in enumerate(run.hashes, 1) if hash_ in self.best), math.inf)

    def tests(self, run: Run) -> list[float]:
        """Test score of the architecture named best: after each ended trial, and last in the end, after finalists."""
        return [self.judge.test[code] for code in _named(run)]

    def regrets(self, run: Run) -> list[float]:
        """How far the test score of the architecture named best is below the best test score of the table."""
        return [self.judge.best_test - value for value in self.tests(run)]

    def searched_regrets(self, run: Run) -> list[float]:
        """The same in the clean score of the column that was searched."""
        top = max(self.judge.searched.values())
        return [top - self.judge.searched[code] for code in _named(run)]


def _named(run: Run) -> list[str]:
    return [*(run.codes[place] for place in run.chosen), run.found]


def measure(runs: Sequence[Run], verdict: Verdict) -> dict[str, Any]:
    """All figures of one controller; of a search that ended before a mark, what it found in the end counts."""
    runs = [run for run in runs if run.codes]
    if not runs:
        return {"seeds": 0}
    to_best = [verdict.queries_to_best(run) for run in runs]
    asks = np.sort(np.concatenate([run.ask_ms for run in runs]))
    final = [verdict.judge.test[run.found] for run in runs]
    median = statistics.median(to_best)
    return {
        "seeds": len(runs),
        "median_queries_to_best": median if math.isfinite(median) else None,
        "quantiles_queries_to_best": {f"{q:g}": _or_none(_quantile(to_best, q)) for q in QUANTILES},
        "share_at_best": {str(mark): statistics.fmean(found <= mark for found in to_best) for mark in MARKS},
        "mean_test": _at_marks(runs, verdict.tests, statistics.fmean),
        "mean_regret": _at_marks(runs, verdict.regrets, statistics.fmean),
        "median_regret": _at_marks(runs, verdict.regrets, statistics.median),
        "mean_searched_regret": _at_marks(runs, verdict.searched_regrets, statistics.fmean),
        "median_searched_regret": _at_marks(runs, verdict.searched_regrets, statistics.median),
        "quantiles_test": _quantiles_at_marks(runs, verdict.tests),
        "quantiles_regret": _quantiles_at_marks(runs, verdict.regrets),
        "found": {
            "mean_test": statistics.fmean(final),
            "sd_test": statistics.pstdev(final),
            "mean_regret": verdict.judge.best_test - statistics.fmean(final),
            "quantiles_test": {f"{q:g}": _quantile(final, q) for q in QUANTILES},
        },
        "mean_queries": statistics.fmean(len(run.codes) for run in runs),
        "mean_seconds": statistics.fmean(run.spent for run in runs),
        "repeats": sum(len(run.hashes) - len(set(run.hashes)) for run in runs),
        "ask_ms": {
            "median": float(np.median(asks)),
            "p90": float(asks[int(0.9 * (len(asks) - 1))]),
            "max": float(asks[-1]),
        },
    }


Course = Callable[[Run], list[float]]


def _at_marks(runs: Sequence[Run], course: Course, of: Callable[[list[float]], float]) -> dict[str, float]:
    courses = [course(run) for run in runs]
    return {str(mark): of([at(c, mark) for c in courses]) for mark in MARKS} | {"end": of([c[-1] for c in courses])}


def _quantiles_at_marks(runs: Sequence[Run], course: Course) -> dict[str, dict[str, float]]:
    courses = [course(run) for run in runs]
    return {str(mark): {f"{q:g}": _quantile([at(c, mark) for c in courses], q) for q in QUANTILES} for mark in MARKS}


def at(course: Sequence[float], mark: int) -> float:
    """After so many ended trials, or in the end."""
    return course[min(mark, len(course)) - 1]


def _quantile(values: Sequence[float], q: float) -> float:
    """Without interpolation, which infinities do not allow."""
    return sorted(values)[min(len(values) - 1, int(q * len(values)))]


def _or_none(value: float) -> float | None:
    return value if math.isfinite(value) else None
