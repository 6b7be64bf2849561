"""`report.html`: the report for people, one file with its plots inside, readable without a network and in the dark."""

from collections.abc import Iterable, Iterator, Sequence
from html import escape
from typing import Any

from workers.conventions import SCORES
from workers.report.plots import Row, Series, plane, rows, steps

STYLE = """
:root { color-scheme: light dark; --ink: #1b2733; --soft: #4d5b6a; --line: #d5dce4; --page: #ffffff;
  --search: #2166ac; --random: #d95f02; --baseline: #5b6770; --fidelity: #7a5195 }
@media (prefers-color-scheme: dark) { :root { --ink: #eef2f6; --soft: #b4bfca; --line: #3b4653; --page: #14181d;
  --search: #6db3f2; --random: #ff9f4a; --baseline: #a9b4bf; --fidelity: #c69be0 } }
body { font: 15px/1.5 system-ui, -apple-system, "Segoe UI", sans-serif; color: var(--ink); background: var(--page);
  max-width: 46rem; margin: 2rem auto; padding: 0 1rem }
h1 { font-size: 1.5rem } h2 { font-size: 1.15rem; margin-top: 2rem }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums }
th, td { text-align: left; padding: .25rem .6rem .25rem 0; border-bottom: 1px solid var(--line); vertical-align: top }
td.n, th.n { text-align: right } code { font-size: .85em; overflow-wrap: anywhere } .soft { color: var(--soft) }
.result { font-size: 1.05rem; border-left: 4px solid var(--search); padding-left: .8rem; margin: .6rem 0 }
.warning { border-left-color: var(--random) } details { margin-top: 1rem }
svg { width: 100%; height: auto; font: 12px system-ui, sans-serif } svg text { fill: var(--soft) }
svg .grid { stroke: var(--line); fill: none } svg .line { fill: none; stroke-width: 2.2 }
svg .mean { stroke-width: 2.2 } svg .dot { fill-opacity: .75 }
.search, .finalist { stroke: var(--search); fill: var(--search) } .random { stroke: var(--random); fill: var(--random) }
.baseline { stroke: var(--baseline); fill: var(--baseline) }
.fidelity { stroke: var(--fidelity); fill: var(--fidelity) }
svg path.line, svg path.mean { fill: none }
"""

ROLES = {"finalist": "finalist", "baseline": "baseline", "random": "best random", "fidelity": "ranking check"}

WINNER = """<p>The winner is trial {trial} with {params:,} parameters and {macs:,} multiply-accumulates, chosen by
{chosen_by}.</p>"""
FINAL = """<p class="result"><strong>final score {score:.4f}{sd}</strong> on the test split: {name}, mean over full
trainings: {count}, each measured once</p>"""
SHIPPED = """<p>The weights in the bundle are those of seed {seed}, which scored {final_score:.4f} by itself.</p>"""
BEGAN = """<p>All trainings began with the weights of job <code>{job}</code>: of the winner's, {known:.0%} came from
there, the rest was drawn as usual.</p>"""
CURSE = """<p class="soft">The search score of a trial is measured on the validation split after a short training, and
the best of many is partly luck. It steers the search and is never compared with a final score.</p>"""

SMALLER = """<p class="result"><strong>{final_score:.4f}</strong> on the test split with {bytes:,} bytes of weights,
{smaller:.1f} times fewer, and {latency_ms:.3f} ms where the winner takes {latency_before_ms:.3f} ms; every decision on
the way was made on the validation split.</p>"""

PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>{style}</style>
</head>
<body>
<main>
{body}
</main>
</body>
</html>
"""


def render(report: dict[str, Any]) -> str:
    """A report of `contents.assemble` as one page."""
    title = f"Report of the search {report['job']['name']}"
    parts = [
        f"<h1>{escape(title)}</h1>",
        _results(report),
        _scores(report),
        _ranking(report),
        _smaller(report["compression"]),
        _incumbents(report),
        _costs(report),
        _data(report),
        _provenance(report),
    ]
    return PAGE.format(title=escape(title), style=STYLE, body="\n".join(part for part in parts if part))


def _results(report: dict[str, Any]) -> str:
    sd = f" ± {report['final_score_sd']:.4f}" if report["final_score_sd"] is not None else ""
    count = sum(one["trial"] == report["winner"]["trial"] for one in report["finalists"])
    winner, began = report["winner"], report["init_from"]
    sentences = [
        WINNER.format(**winner, chosen_by=escape(report["chosen_by"])),
        FINAL.format(score=report["final_score"], sd=sd, name=SCORES[report["score"]], count=count),
        *([SHIPPED.format(**report["shipped"])] if report["final_score_sd"] is not None else []),
        *([BEGAN.format(job=escape(began["job"]), known=1 - began["fresh"])] if began else []),
        *(f'<p class="result">{escape(one["words"])}</p>' for one in report["gains"].values()),
        *(f'<p class="result warning">Warning: {escape(one)}.</p>' for one in report["warnings"]),
        CURSE,
    ]
    return "\n".join(sentences)


def _scores(report: dict[str, Any]) -> str:
    trainings = [*report["finalists"], *report["references"]]
    shown = [
        Row(name=name, kind=own[0]["role"], values=tuple(one["final_score"] for one in own))
        for name, own in _by_architecture(trainings)
    ]
    plot = rows(shown, title="Final scores of all full trainings", x="score on the test split")
    table = _table(
        ["", "trial", "seed", "final score", "epochs", "seconds"],
        [
            [ROLES[one["role"]], one["trial"], one["seed"], f"{one['final_score']:.4f}", one["epochs"], one["seconds"]]
            for one in trainings
        ],
    )
    failed = "".join(
        f"<p>Trial {one['trial']}, seed {one['seed']}, could not be trained: {escape(str(one['reason']))}.</p>"
        for one in report["failed_trainings"]
    )
    return f"<h2>Full trainings</h2>\n{plot}\n<details><summary>Each of them</summary>{table}</details>{failed}"


def _by_architecture(trainings: Iterable[dict[str, Any]]) -> list[tuple[str, list[dict[str, Any]]]]:
    grouped: dict[int, list[dict[str, Any]]] = {}
    for one in trainings:
        grouped.setdefault(one["rank"], []).append(one)
    return [(f"{ROLES[own[0]['role']]}, trial {own[0]['trial']}", own) for own in grouped.values()]


def _smaller(found: dict[str, Any] | None) -> str:
    """What the winner was made into."""
    if found is None:
        return ""
    if "failed" in found:
        return f"<h2>The smaller model</h2>\n<p>Nothing came out: {escape(str(found['failed']))}.</p>"
    steps = [
        [
            one["name"],
            "yes" if one["kept"] else "no",
            f"{one['validation_score']:.4f}",
            *(_counted(one.get(name)) for name in ("bytes", "macs")),
            f"{one['latency_before_ms']:.3f} to {one['latency_ms']:.3f}" if "latency_ms" in one else "",
            "; ".join(_remarks(one)),
        ]
        for one in found["steps"]
    ]
    heads = ["step", "kept", "validation score", "bytes", "multiply-accumulates", "ms, from its input's", "remarks"]
    return f"<h2>The smaller model</h2>\n{SMALLER.format(**found)}\n{_table(heads, steps)}"


def _remarks(step: dict[str, Any]) -> Iterator[str]:
    if step["stopped_because"]:
        yield str(step["stopped_because"])
    if "random_mask_score" in step:
        yield f"a random mask with as many weights scored {step['random_mask_score']:.4f} on the validation split"
    if "final_score" in step:
        yield f"{step['final_score']:.4f} on the test split"


def _counted(value: int | None) -> str:
    return "" if value is None else f"{value:,}"


def _ranking(report: dict[str, Any]) -> str:
    found, noise = report["fidelity"], report["noise"]
    sd = "unknown" if noise["sd"] is None else f"{noise['sd']:.4f}"
    gap = noise["gap_among_finalists"]
    apart = "There is one finalist" if gap is None else f"Gap between the best and the worst finalist: {gap:.4f}"
    varied = (
        f"<p>Noise of one training (standard deviation over {len(noise['scores'])} of trial {noise['trial']}): {sd}. "
        f"{apart}.</p>"
    )
    if found is None:
        return f"<h2>Noise</h2>\n{varied}"
    points = found["architectures"]
    series = [
        Series(
            name=ROLES[role],
            kind=role,
            points=tuple((one["search_score"], one["final_score"]) for one in points if one["role"] == role),
        )
        for role in ROLES
    ]
    plot = plane(series, title="Search score against final score", x="search score", y="final score") if points else ""
    return f"<h2>Do short trainings tell?</h2>\n<p>{escape(found['words'])}.</p>\n{plot}\n{varied}"


def _incumbents(report: dict[str, Any]) -> str:
    spent = [one["epochs"] for one in report["costs"] if one["phase"] in ("search", "random_arm")]
    series = [
        Series(
            name=name,
            kind=kind,
            points=tuple((one["epochs"], one["search_score"]) for one in report["incumbents"][key]),
        )
        for name, kind, key in (("search", "search", "search"), ("random arm", "random", "random_arm"))
    ]
    if not any(one.points for one in series):
        return ""
    title = "Search score of the best trial so far against epochs trained"
    plot = steps(series, title=title, x="epochs trained", y="search score", end=float(max(spent, default=1) or 1))
    return f"<h2>What was known at what cost</h2>\n{plot}"


def _costs(report: dict[str, Any]) -> str:
    heads = ["phase", "trainings", "epochs", "seconds of training", "wall clock, s", "energy, J"]
    cells = [
        [
            one["phase"].replace("_", " "),
            *("-" if one[key] is None else one[key] for key in ("trainings", "epochs")),
            "-" if one["training_seconds"] is None else f"{one['training_seconds']:.1f}",
            "unknown" if one["seconds"] is None else f"{one['seconds']:.1f}",
            "not told" if one["energy_j"] is None else f"{one['energy_j']:.0f}",
        ]
        for one in report["costs"]
    ]
    ends = ", ".join(f"{count} {state}" for state, count in report["trials"].items() if count)
    told = f"<p>The search ended with <code>{escape(str(report['stopped_because']))}</code>: {escape(ends)}.</p>"
    return f"<h2>Cost</h2>\n{told}\n{_table(heads, cells)}"


def _data(report: dict[str, Any]) -> str:
    data = report["dataset"]
    sizes = ", ".join(f"{name} {count:,}" for name, count in data["sizes"].items())
    repeats = data["duplicates"]
    seen = "not asked: its samples are parts of one graph"
    if repeats is not None:
        seen = ", ".join(f"{name.replace('_', ' ')}: {count}" for name, count in repeats.items())
    cells = [
        ["data set", f"{data['name']} ({data['task']}, {len(data['classes'])} classes)"],
        ["splits", sizes],
        ["repeated samples", seen],
        ["SHA-256", data["sha256"]],
    ]
    return f"<h2>Data</h2>\n{_table([], cells)}"


def _provenance(report: dict[str, Any]) -> str:
    environment = report["environment"]
    packages = ", ".join(f"{name} {version}" for name, version in environment["packages"].items())
    cells = [
        ["job", report["job"]["id"]],
        ["seed", report["seeds"]["job"]],
        ["document", report["hashes"]["document"]],
        ["space", report["hashes"]["space"]],
        ["archsmith", environment["archsmith"]],
        ["packages", f"Python {environment['python']}, {packages}"],
        ["machine", f"{environment['processor']}, {environment['cpus']} CPUs, {environment['system']}"],
        [
            "each training",
            f"{environment['device']}, threads: {environment['threads']}, {report['setting']['precision']}",
        ],
    ]
    told = "<p><code>archsmith replay report.json</code> runs it again and compares.</p>"
    return f"<h2>To run it again</h2>\n{told}\n{_table([], cells)}"


def _table(heads: Sequence[str], cells: Sequence[Sequence[Any]]) -> str:
    """Numbers stand to the right. Without heads the first column names the row."""
    numeric = [bool(cells) and all(_is_number(row[i]) for row in cells) for i in range(len(cells[0]) if cells else 0)]
    kinds = [' class="n"' if one and heads else "" for one in numeric]
    top = "".join(f'<th scope="col"{kind}>{escape(head)}</th>' for head, kind in zip(heads, kinds, strict=False))
    lines = [f"<thead><tr>{top}</tr></thead>"] if heads else []
    for row in cells:
        inside = [f"<td{kind}>{escape(str(cell))}</td>" for cell, kind in zip(row, kinds, strict=True)]
        if not heads:
            inside[0] = f'<th scope="row">{escape(str(row[0]))}</th>'
        lines.append(f"<tr>{''.join(inside)}</tr>")
    return "<table>\n" + "\n".join(lines) + "\n</table>"


def _is_number(cell: Any) -> bool:
    return str(cell).replace(".", "", 1).replace(",", "").lstrip("-").isdigit()
