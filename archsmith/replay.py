"""Running a search again from its report, and comparing two reports of one search."""

import json
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from archsmith.exceptions import ClientError
from archsmith.values import Json

INPUTS = (("dataset", "sha256"), ("dataset", "split_hashes"), ("hashes", "space"))
"""Where reports have the hashes of a search's inputs. The hash of the job document is left out: a replay's document has
fixed values where the first one left the choice to the calibration."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Comparison:
    """lines: the result as text. same: whether architectures, their order and all scores are equal."""

    same: bool
    lines: tuple[str, ...]


def read(path: Path) -> Json:
    """The report at `path`, a report.json or a bundle. Raises ClientError if it cannot be run again."""
    try:
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                text = archive.read("report.json").decode()
        else:
            text = path.read_text(encoding="utf-8")
        report = json.loads(text)
    except (ValueError, KeyError, zipfile.BadZipFile):
        raise ClientError(f"{path} is neither a report.json nor a bundle with one") from None
    job = report.get("job") if isinstance(report, dict) else None
    if not isinstance(job, dict) or not isinstance(job.get("document"), dict):
        raise ClientError(f"{path} has no job/document to submit; reports of early versions of archsmith have none")
    return dict(report)


def document(report: Json) -> Json:
    """The job document that runs the search again.

    Reports of early versions have both the epochs of a trial and the seconds of the search, which no job has any more.
    """
    found = dict(report["job"]["document"])
    budget = found.get("budget", {})
    if budget.get("epochs") is None:
        return found
    return {**found, "budget": {name: value for name, value in budget.items() if name != "seconds"}}


def compare(before: Json, after: Json) -> Comparison:
    """Compare inputs, architectures and their order, search scores and final scores of two reports.

    If the budget in seconds ended either search, they may differ in length: then only the trials in both are compared,
    and the finalists are not.
    """
    if "budget_seconds" in (before["stopped_because"], after["stopped_because"]):
        return _common_trials(before, after)
    checks = [
        _inputs(before, after),
        _architectures(before["history"], after["history"]),
        _scores("search scores", _of_history(before), _of_history(after), "search_score"),
        _scores("final scores", _finals(before), _finals(after), "final_score"),
    ]
    lines = [line for _, line in checks] + _environment(before["environment"], after["environment"])
    return Comparison(same=all(good for good, _ in checks), lines=tuple(lines))


def _common_trials(before: Json, after: Json) -> Comparison:
    earlier, later = _completed(before), _completed(after)
    numbers = sorted(earlier.keys() & later.keys())
    differing = [number for number in numbers if earlier[number]["hash"] != later[number]["hash"]]
    found = f"trial {differing[0]} differs" if differing else "all equal"
    checks = [
        _inputs(before, after),
        (
            not differing,
            f"architectures: {len(earlier)} before, {len(later)} now, {len(numbers)} trials in both, {found}",
        ),
        _scores("search scores", {n: earlier[n] for n in numbers}, {n: later[n] for n in numbers}, "search_score"),
    ]
    lines = [
        "the budget in seconds ended the search, so only the trials in both are compared, and no finalists",
        *(line for _, line in checks),
        *_environment(before["environment"], after["environment"]),
    ]
    return Comparison(same=all(good for good, _ in checks), lines=tuple(lines))


def _completed(report: Json) -> dict[int, Json]:
    """The completed trials of the search by number, without the random arm, whose length depends on the search."""
    rows = report["history"]
    return {row["trial"]: row for row in rows if row["state"] == "completed" and row["provenance"] != "random_arm"}


def _inputs(before: Json, after: Json) -> tuple[bool, str]:
    differing = [f"{part}.{name}" for part, name in INPUTS if before[part][name] != after[part][name]]
    return (
        not differing,
        f"inputs: {', '.join(differing) + ' differ' if differing else 'the same data, splits and space'}",
    )


def _architectures(before: Sequence[Json], after: Sequence[Json]) -> tuple[bool, str]:
    earlier, later = ([(row["trial"], row["provenance"], row["hash"]) for row in rows] for rows in (before, after))
    if earlier == later:
        return True, f"architectures: the same {len(earlier)} in the same order"
    place = next(
        (i for i, (a, b) in enumerate(zip(earlier, later, strict=False)) if a != b), min(len(earlier), len(later))
    )
    shared = len({hash_ for *_, hash_ in earlier} & {hash_ for *_, hash_ in later})
    return (
        False,
        f"architectures: {len(earlier)} before, {len(later)} now, {shared} in both; the first {place} are equal",
    )


def _scores(what: str, before: dict[Any, Json], after: dict[Any, Json], name: str) -> tuple[bool, str]:
    """Compare a score of the rows that are in both, by key."""
    keys = [key for key in before if key in after]
    pairs = [(before[key][name], after[key][name]) for key in keys]
    differing = [pair for pair in pairs if pair[0] != pair[1]]
    if not differing:
        return len(keys) == len(before) == len(after), f"{what}: the same {len(pairs)}"
    gaps = [abs(a - b) for a, b in differing if a is not None and b is not None]
    most = f", by up to {max(gaps):.4f}" if gaps else ""
    return False, f"{what}: {len(differing)} of {len(pairs)} differ{most}"


def _of_history(report: Json) -> dict[Any, Json]:
    return {(row["trial"], row["hash"]): row for row in report["history"]}


def _finals(report: Json) -> dict[Any, Json]:
    rows = [*report["finalists"], *report["references"]]
    return {(row["role"], row["trial"], row["hash"], row["seed"]): row for row in rows}


def _environment(before: Json, after: Json) -> list[str]:
    """A line for each difference between the two environments."""
    return [
        f"environment: {name} was {_short(value)}, is {_short(after.get(name))}"
        for name, value in before.items()
        if value != after.get(name)
    ]


def _short(value: Any) -> str:
    text = ", ".join(f"{k} {v}" for k, v in value.items()) if isinstance(value, dict) else str(value)
    return text if len(text) <= 120 else f"{text[:117]}..."
