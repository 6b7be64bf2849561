"""`report.html`: the report as one file with its plots inside, without external resources, in light and dark mode."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from workers.conventions import ERRORS, SCORES
from workers.report.answers import plots_of
from workers.report.comparison import in_words
from workers.report.plots import Row, Series, plane, rows, steps
from workers.simple.record import NAMES
from workers.templates import environment
from workers.wording import WORDING, counted

ROLES = {"finalist": "finalist", "baseline": "baseline", "random": "best random", "fidelity": "ranking check"}


def render(report: dict[str, Any]) -> str:
    """The page of a report made by `contents.assemble`."""
    winner = report["winner"]["trial"]
    return (
        environment(__package__)
        .get_template("report.html.jinja")
        .render(
            title=f"Search report: {report['job']['name']}",
            report=report,
            score=SCORES[report["score"]],
            trainings=sum(row["trial"] == winner for row in report["finalists"]),
            beside=_beside(report),
            words=WORDING[_problem(report)],
            columns=counted(_problem(report), len(report["dataset"]["classes"])),
            plots={
                "scores": _scores(report),
                "fidelity": _fidelity(report),
                "incumbents": _incumbents(report),
                "answers": plots_of(report.get("answers")),
            },
            roles=ROLES,
            simple_names=NAMES,
            remarks=_remarks,
            sizes=", ".join(f"{name} {count:,}" for name, count in report["dataset"]["sizes"].items()),
            duplicates=_duplicates(report["dataset"]["duplicates"]),
            packages=", ".join(f"{name} {version}" for name, version in report["environment"]["packages"].items()),
        )
    )


def _problem(report: dict[str, Any]) -> str:
    """Reports of versions that knew no other problem do not name it."""
    found: str = report["dataset"].get("problem", "classification")
    return found


def _beside(report: dict[str, Any]) -> str:
    """The scores beside that of the job where its problem has some that belong to it, as a list of words."""
    if _problem(report) == "classification":
        return ""
    targets = len(report["dataset"]["classes"])
    mean = f" (mean over {targets} targets)" if targets > 1 else ""
    return ", ".join(
        in_words(name, value) + (mean if name in ERRORS else "")
        for name, value in report["measures"].items()
        if name != report["score"]
    )


def _scores(report: dict[str, Any]) -> str:
    shown = [
        Row(name=name, kind=own[0]["role"], values=tuple(row["final_score"] for row in own))
        for name, own in _by_architecture([*report["finalists"], *report["references"]])
    ]
    return rows(shown, title="Final scores of all full trainings", x="score on the test split")


def _by_architecture(trainings: Iterable[dict[str, Any]]) -> list[tuple[str, list[dict[str, Any]]]]:
    grouped: dict[int, list[dict[str, Any]]] = {}
    for row in trainings:
        grouped.setdefault(row["rank"], []).append(row)
    return [(f"{ROLES[own[0]['role']]}, trial {own[0]['trial']}", own) for own in grouped.values()]


def _fidelity(report: dict[str, Any]) -> str:
    points = report["fidelity"]["architectures"] if report["fidelity"] else []
    if not points:
        return ""
    series = [
        Series(
            name=ROLES[role],
            kind=role,
            points=tuple((row["search_score"], row["final_score"]) for row in points if row["role"] == role),
        )
        for role in ROLES
    ]
    return plane(series, title="Search score against final score", x="search score", y="final score")


def _incumbents(report: dict[str, Any]) -> str:
    spent = [row["epochs"] for row in report["costs"] if row["phase"] in ("search", "random_arm")]
    random = "random trials" if report.get("random_draws") else "random arm"
    series = [
        Series(
            name=name,
            kind=kind,
            points=tuple((row["epochs"], row["search_score"]) for row in report["incumbents"][key]),
        )
        for name, kind, key in (("search", "search", "search"), (random, "random", "random_arm"))
    ]
    if not any(line.points for line in series):
        return ""
    title = "Search score of the best trial so far against epochs trained"
    return steps(series, title=title, x="epochs trained", y="search score", end=float(max(spent, default=1) or 1))


def _remarks(step: Mapping[str, Any]) -> Iterator[str]:
    if step["stopped_because"]:
        yield str(step["stopped_because"])
    if "random_mask_score" in step:
        yield f"a random mask of the same sparsity scored {step['random_mask_score']:.4f} on the validation split"
    if "final_score" in step:
        yield f"{step['final_score']:.4f} on the test split"


def _duplicates(repeats: Mapping[str, int] | None) -> str:
    if repeats is None:
        return "not checked: the samples are parts of one graph"
    return ", ".join(f"{name.replace('_', ' ')}: {count}" for name, count in repeats.items())
