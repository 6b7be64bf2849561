"""Whether jobs keep their budget, and what they do with it: twenty on a real service, a verdict for each requirement.

    python -m benchmarks.budgets --json build/budgets.json [--only digits-120 mutag-120] [--data ../shared/data]
                                 [--url URL | --state FOLDER]

All twenty take 3 h 40 min, one after the other. Finished ones are kept in --json, so that an interrupted run goes on
where it was and verdicts can be read at any time (`--only` without a name runs nothing). `NAME-2` and so on are
repetitions with other seeds, `NAME-beside` runs beside another job on the same processors.

A job keeps its budget where its bundle is there within 5 % or 15 s of it. The wall clock is from the job's start to its
end, as the service has them; waiting in the queue does not count. The first bundle counts from before the POST. Phases
are watched from outside, twice a second. Other work on the machine makes steps slower and trials fewer; the load is
printed beside each row.
"""

import argparse
import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from archsmith.client import Client
from benchmarks._jobs import measured
from benchmarks._results import Results
from benchmarks._service import running
from benchmarks._sources import SOURCES, add_data, registered
from benchmarks._verdicts import Verdict, status, table, verdict_table

Row = dict[str, Any]
LATE, LATE_S, MOST_LATE = 0.05, 15.0, 1
FIRST_S, FIRST = 90.0, 0.10
SCORED, SEARCH, QUARTER = 60, 0.45, 0.25
LONG = ("fashion-1800", "fashion-1800-2")
"""Jobs of which a number of architectures and a share of search are asked for."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Case:
    """One job. beside: whether another one runs at the same time."""

    dataset: str
    seconds: float
    seed: int = 0
    beside: bool = False

    @property
    def name(self) -> str:
        again = f"-{self.seed + 1}" if self.seed and not self.beside else ""
        return f"{self.dataset}-{self.seconds:g}{again}{'-beside' if self.beside else ''}"


def _times(dataset: str, seconds: float, count: int) -> list[Case]:
    return [Case(dataset=dataset, seconds=seconds, seed=seed) for seed in range(count)]


CASES = (
    *_times("digits", 120, 2), Case(dataset="digits", seconds=120, seed=2, beside=True),
    *_times("mutag", 120, 2),
    *_times("cora", 300, 2), *_times("cora", 600, 1),
    *_times("adrenal", 300, 2), *_times("adrenal", 600, 1),
    *_times("trashnet", 300, 1), Case(dataset="trashnet", seconds=300, seed=1, beside=True),
    *_times("trashnet", 600, 1),
    *_times("fashion", 600, 3), *_times("fashion", 1800, 2), *_times("fashion", 3600, 1),
)  # fmt: skip


def made(client: Client, case: Case, data: Path) -> Row:
    """Runs one job; returns its row."""
    registered(client, SOURCES[case.dataset], data)
    load = os.getloadavg()[0]
    request = {
        "dataset": case.dataset,
        "space": SOURCES[case.dataset].space,
        "name": case.name,
        "seed": case.seed,
        "budget": {"seconds": case.seconds},
    }
    with another(client, case) if case.beside else running_alone():
        found = measured(client, request, budget_s=case.seconds)
    return found | {"load": [round(load, 1), round(os.getloadavg()[0], 1)]}


@contextmanager
def another(client: Client, case: Case) -> Iterator[None]:
    """A second job of digits, for as long as this lasts."""
    other = client.submit(dataset="digits", name="other", seed=99, budget={"seconds": 3 * case.seconds})
    try:
        yield
    finally:
        client.cancel(other.id)
        client.wait(other.id)


@contextmanager
def running_alone() -> Iterator[None]:
    yield


def within(row: Row) -> bool:
    """Whether the bundle came when it was due."""
    apart = _apart(row)
    return apart is not None and abs(apart) <= _allowed(row)


def _apart(row: Row) -> float | None:
    return row["taken_s"] - row["budget_s"] if row["state"] == "succeeded" and row["taken_s"] is not None else None


def _allowed(row: Row) -> float:
    return float(max(LATE * row["budget_s"], LATE_S))


def kept(row: Row) -> str:
    apart = _apart(row)
    if apart is None:
        return f"no ({row['state']})"
    return "yes" if within(row) else "no, earlier" if apart < 0 else "no, later"


def search_share(row: Row) -> float | None:
    return row["search_s"] / row["taken_s"] if row["taken_s"] else None


def longest_share(row: Row) -> float | None:
    return row["longest_s"] / row["search_s"] if row["search_s"] else None


def first_in_time(row: Row) -> bool:
    first = row["first_bundle_s"]
    return first is not None and first <= max(FIRST_S, FIRST * row["budget_s"])


def judged(rows: dict[str, Row], cases: Iterable[Case] = CASES) -> list[Verdict]:
    """rows: finished ones by the names of their cases."""
    asked = [case.name for case in cases]
    found = {name: rows[name] for name in asked if name in rows}
    missed = [name for name, row in found.items() if not within(row)]
    kept_ = len(missed) <= MOST_LATE if len(found) == len(asked) or len(missed) > MOST_LATE else None
    bundle = Verdict(
        what="bundle within 5 % or 15 s of the budget",
        measured=_count(found, missed),
        required=f">= {len(asked) - MOST_LATE} of {len(asked)}",
        met=kept_,
    )
    late = [name for name, row in found.items() if not first_in_time(row)]
    long = [name for name, row in found.items() if (longest_share(row) or 0.0) > QUARTER]
    each = (
        ("first provisional bundle after POST", "<= 90 s or 10 %", late),
        ("longest trial / search", "<= 0.25", long),
    )
    return [bundle, *(_each(*one, found, len(asked)) for one in each), *_long(found)]


def _each(what: str, required: str, failed: list[str], found: dict[str, Row], asked: int) -> Verdict:
    met = False if failed else True if len(found) == asked else None
    return Verdict(what=what, measured=_count(found, failed), required=f"{required}, each", met=met)


def _count(found: dict[str, Row], failed: list[str]) -> str:
    named = f" (not {', '.join(failed)})" if failed else ""
    return f"{len(found) - len(failed)} of {len(found)}{named}"


def _long(found: dict[str, Row]) -> Iterator[Verdict]:
    """Of the jobs of LONG; both must reach it."""
    rows = [found[name] for name in LONG if name in found]
    scored = [float(row["scored"]) for row in rows]
    shares = [share for row in rows if (share := search_share(row)) is not None]
    for what, values, least, form in (
        ("architectures scored, Fashion-MNIST, 30 minutes", scored, SCORED, ".0f"),
        ("share of time in search, Fashion-MNIST, 30 minutes", shares, SEARCH, ".2f"),
    ):
        said = ", ".join(format(value, form) for value in values) or "-"
        yield Verdict(what=what, measured=said, required=f">= {least}", met=min(values) >= least if values else None)


HEAD = (
    "job", "due, s", "taken, s", "within", "first bundle, s", "scored", "and in the random arm", "search",
    "longest trial", "search score", "final score", "final trainings", "load",
)  # fmt: skip


def told(rows: dict[str, Row]) -> str:
    """One line a job; `search` and `longest trial` are shares, of the time taken and of the search."""
    lines = [
        (
            name, row["budget_s"], row["taken_s"], kept(row), row["first_bundle_s"], row["scored"], row["arm"],
            search_share(row), longest_share(row), row["search_score"], row["final_score"], row["trainings"],
            row["load"],
        )
        for name, row in rows.items()
    ]  # fmt: skip
    return table(HEAD, lines)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    names = [case.name for case in CASES]
    parser.add_argument("--only", nargs="*", choices=names, help="run these alone; without a name none")
    parser.add_argument("--url", help="a service that runs already")
    parser.add_argument("--state", type=Path, help="keep the service's state here")
    parser.add_argument("--json", type=Path, help="keep finished rows here")
    add_data(parser)
    options = parser.parse_args()
    results = Results(options.json)
    missing = [case for case in CASES if options.only is None or case.name in options.only]
    missing = [case for case in missing if case.name not in results.rows]
    if missing:
        with running(options) as url, Client(url) as client:
            for case in missing:
                results.row(case.name, partial(made, client, case, options.data))
    asked = [case for case in CASES if not options.only or case.name in options.only]
    verdicts = judged(results.rows, asked)
    print(told(results.rows))
    print(verdict_table(verdicts))
    return status(verdicts)


if __name__ == "__main__":
    sys.exit(main())
