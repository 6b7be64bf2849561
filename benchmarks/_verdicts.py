"""What a requirement asks, what was measured, and whether that is enough; means and their intervals."""

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from scipy.stats import t


@dataclass(frozen=True, kw_only=True, slots=True)
class Verdict:
    """met: None where nothing was measured that could say it."""

    what: str
    measured: str
    required: str
    met: bool | None

    @property
    def word(self) -> str:
        return "not measured" if self.met is None else "met" if self.met else "NOT MET"


def verdict_table(verdicts: Sequence[Verdict]) -> str:
    return table(
        ("requirement", "measured", "must reach", "verdict"),
        [(one.what, one.measured, one.required, one.word) for one in verdicts],
    )


def status(verdicts: Sequence[Verdict]) -> int:
    """For `sys.exit`: 0 if every verdict is that its requirement is met."""
    return 0 if verdicts and all(one.met for one in verdicts) else 1


def table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """In Markdown; numbers with a point to four places, None as a dash."""
    lines = [head, ["---"] * len(head), *([cell(value) for value in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def cell(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.4f}" if abs(value) < 10 else f"{value:.1f}"
    return "-" if value is None else str(value)


def interval(values: Sequence[float], *, least: float = 0.0) -> tuple[float, float]:
    """Mean and half-width of its 95 % interval (Student's t over the values).

    least: standard error below which the mean is not known, as by the number of test samples; alone it stands where
    there is one value.
    """
    count, mean = len(values), statistics.fmean(values)
    known = 1.96 * least if least else math.inf
    if count < 2:
        return mean, known
    half = float(t.ppf(0.975, count - 1)) * statistics.stdev(values) / math.sqrt(count)
    return mean, max(half, 1.96 * least)
