"""The same search again: what a report asks for, and how two reports of one search compare."""

import json
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from archsmith.exceptions import ClientError
from archsmith.values import Json

INPUTS = (("dataset", "sha256"), ("dataset", "split_hashes"), ("hashes", "space"))
"""Where reports say what went in. The document's own digest may differ: a replay fixes what a calibration chose."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Comparison:
    """lines: what was found, for people. same: whether architectures, their order and all scores are equal."""

    same: bool
    lines: tuple[str, ...]


def read(path: Path) -> Json:
    """The report at `path`, a report.json or a bundle. Raises ClientError when it is none that can be run again."""
    try:
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                text = archive.read("report.json").decode()
        else:
            text = path.read_text(encoding="utf-8")
        report = json.loads(text)
    except (ValueError, KeyError, zipfile.BadZipFile):
        raise ClientError(f"{path} is neither a report.json nor a bundle that holds one") from None
    job = report.get("job") if isinstance(report, dict) else None
    if not isinstance(job, dict) or not isinstance(job.get("document"), dict):
        raise ClientError(
            f"{path} has no job/document to submit: it was written by an archsmith before reports had one"
        )
    return dict(report)


def document(report: Json) -> Json:
    """What `POST /v1/jobs` takes to run it again."""
    return dict(report["job"]["document"])


def compare(before: Json, after: Json) -> Comparison:
    """Two reports of one search: inputs, architectures in their order, search scores, final scores.

    Seconds end a search where they will: then what both have trained is compared, and the choice of finalists is not.
    """
    if "budget_seconds" in (before["stopped_because"], after["stopped_because"]):
        return _of_both(before, after)
    checks = [
        _inputs(before, after),
        _architectures(before["history"], after["history"]),
        _scores("search scores", _of_history(before), _of_history(after), "search_score"),
        _scores("final scores", _finals(before), _finals(after), "final_score"),
    ]
    lines = [line for _, line in checks] + _surroundings(before["environment"], after["environment"])
    return Comparison(same=all(good for good, _ in checks), lines=tuple(lines))


def _of_both(before: Json, after: Json) -> Comparison:
    one, other = _completed(before), _completed(after)
    numbers = sorted(one.keys() & other.keys())
    differing = [number for number in numbers if one[number]["hash"] != other[number]["hash"]]
    told = f"trial {differing[0]} is another one" if differing else "each of them the same"
    checks = [
        _inputs(before, after),
        (not differing, f"architectures: {len(one)} before, {len(other)} now, {len(numbers)} trials in both, {told}"),
        _scores("search scores", {n: one[n] for n in numbers}, {n: other[n] for n in numbers}, "search_score"),
    ]
    lines = [
        "the search ended with its seconds, so trials and finalists may be others: what both have is compared",
        *(line for _, line in checks),
        *_surroundings(before["environment"], after["environment"]),
    ]
    return Comparison(same=all(good for good, _ in checks), lines=tuple(lines))


def _completed(report: Json) -> dict[int, Json]:
    """By number; the search's own, for how many the random arm has depends on them."""
    rows = report["history"]
    return {row["trial"]: row for row in rows if row["state"] == "completed" and row["provenance"] != "random_arm"}


def _inputs(before: Json, after: Json) -> tuple[bool, str]:
    differing = [f"{part}.{name}" for part, name in INPUTS if before[part][name] != after[part][name]]
    return (
        not differing,
        f"inputs: {'other ' + ', '.join(differing) if differing else 'the same data, splits and space'}",
    )


def _architectures(before: Sequence[Json], after: Sequence[Json]) -> tuple[bool, str]:
    one, other = ([(row["trial"], row["provenance"], row["hash"]) for row in rows] for rows in (before, after))
    if one == other:
        return True, f"architectures: the same {len(one)} in the same order"
    place = next((i for i, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))
    shared = len({hash_ for *_, hash_ in one} & {hash_ for *_, hash_ in other})
    return False, f"architectures: {len(one)} before, {len(other)} now, {shared} in both; the first {place} are alike"


def _scores(what: str, before: dict[Any, Json], after: dict[Any, Json], name: str) -> tuple[bool, str]:
    """Of what is in both, by its key."""
    keys = [key for key in before if key in after]
    pairs = [(before[key][name], after[key][name]) for key in keys]
    differing = [pair for pair in pairs if pair[0] != pair[1]]
    if not differing:
        return len(keys) == len(before) == len(after), f"{what}: the same {len(pairs)}"
    gaps = [abs(a - b) for a, b in differing if a is not None and b is not None]
    most = f", by {max(gaps):.4f} at most" if gaps else ""
    return False, f"{what}: {len(differing)} of {len(pairs)} differ{most}"


def _of_history(report: Json) -> dict[Any, Json]:
    return {(row["trial"], row["hash"]): row for row in report["history"]}


def _finals(report: Json) -> dict[Any, Json]:
    rows = [*report["finalists"], *report["references"]]
    return {(row["role"], row["trial"], row["hash"], row["seed"]): row for row in rows}


def _surroundings(before: Json, after: Json) -> list[str]:
    """Where the two ran, as far as it differs."""
    return [
        f"environment: {name} was {_short(value)}, is {_short(after.get(name))}"
        for name, value in before.items()
        if value != after.get(name)
    ]


def _short(value: Any) -> str:
    text = ", ".join(f"{k} {v}" for k, v in value.items()) if isinstance(value, dict) else str(value)
    return text if len(text) <= 120 else f"{text[:117]}..."
