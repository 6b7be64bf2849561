"""`model_card.md`: what the model is, on what data and by which protocol it was measured, what it cost, how to use it.

After Mitchell et al. 2019, "Model Cards for Model Reporting". What the service cannot know (licence, intended use) has
its field all the same, for the owner to fill in.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

from space.analysis import analyse
from space.architecture import Architecture
from workers.bundle.manifest import TOLERANCES, Manifest
from workers.conventions import SCORES

CARD = """# {name}

{found} found by archsmith: {params:,} parameters, {macs:,} multiply-accumulates for {sample}.

| | |
| --- | --- |
| licence | {licence} |
| intended use | not stated |
| architecture | `{architecture}` |

## Scores

| score | value | protocol |
| --- | --- | --- |
{scores}

{gains}{began}The test split was opened after the search alone; it chose nothing.{chosen}
`search_score` and `final_score` come from different trainings on different splits and must not be compared as one
number. `report.json` has the rest.

## Data

{data}

Inputs are {range}; {preparation}.

## Cost

{cost}

## Use

With {needs}:

```python
import torch
import model

net = model.load("weights.safetensors")
{example}
```

Without code of your own, `archsmith predict bundle.zip FILE...` names classes, and `archsmith verify bundle.zip` checks
all files. `predict` runs `model.onnx` and no code of the bundle; `verify` runs `model.py` too, and says so.

| file | what |
| --- | --- |
{files}

{left_out}## Limits

{limits}
"""
LICENCE = "not stated (the weights were trained on `{dataset}`, whose terms may bind them)"

MAPS = "{many} = torch.zeros(1, {dims}{dtype})  # {range}\nprint(model.predict(net, {many}))"
GRAPH = (
    "x = torch.zeros(3, {dims}{dtype})  # three nodes, {range}\n"
    "edges = torch.tensor([[0, 1, 1, 2], [1, 0, 2, 1]])  # from, to: 0-1 and 1-2, in both directions\n"
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Words:
    """What a kind of data is called. sample: what one input is; example: of the text under Use; limit: of the model."""

    found: str
    sample: str
    example: str
    limit: str


MAPS_LIMIT = "It takes inputs of {shape} only; other sizes are not known to it."
GRAPH_LIMIT = "It was trained on one graph; for nodes of another graph nothing was measured."
WORDS: Mapping[str, Words] = {
    "image": Words(found="An image classifier", sample="one {shape} input", example=MAPS, limit=MAPS_LIMIT),
    "volume": Words(found="A classifier of volumes", sample="one {shape} input", example=MAPS, limit=MAPS_LIMIT),
    "nodes": Words(
        found="A classifier of the nodes of a graph",
        sample="one node of {shape} features",
        example=GRAPH + "print(model.predict(net, x, edges))",
        limit=GRAPH_LIMIT,
    ),
    "graphs": Words(
        found="A classifier of graphs",
        sample="one node of {shape} features",
        example=GRAPH + "print(model.predict(net, [(x, edges)]))  # one graph or more",
        limit="Graphs much larger than those of the data set are not known to it.",
    ),
    "links": Words(
        found="A predictor of links between the nodes of a graph",
        sample="one node of {shape} features",
        example=(
            GRAPH + "pairs = torch.tensor([[0], [2]])  # is there a link between 0 and 2?\n"
            "print(model.predict(net, x, edges, pairs))"
        ),
        limit=GRAPH_LIMIT,
    ),
}
FILES: Mapping[str, str] = {
    "model.py": "the architecture as code, with `build`, `load`, `predict`",
    "weights.safetensors": "its trained weights",
    "model.onnx": "the same for any ONNX runtime, float32, the batch open; gives logits within {model.onnx:g}",
    "model.pt2": "the same for `torch.export.load`, the batch open; gives logits within {model.pt2:g}",
    "example.safetensors": "drawn inputs, as in the data set, and the `logits` that each form must give for them",
    "labels.json": "what the columns of the output are called",
    "bundle.json": "how inputs are prepared, for programs",
    "architecture.json": "the graph, for machines",
    "architecture.svg": "and for people",
    "report.json": "how it was found, what else was tried, what it cost",
    "report.html": "the same, for people",
    "compressed/": "the smaller model, and how it is loaded",
    "requirements.txt": "what `model.py` needs",
    "SHA256SUMS": "`sha256sum -c SHA256SUMS` checks that all is whole",
}


OPTIONAL = {"model.onnx", "model.pt2", "example.safetensors", "report.html", "compressed/"}


def card(
    architecture: Architecture, manifest: Manifest, report: Mapping[str, Any], *, code: str, files: Iterable[str]
) -> str:
    """The card of a bundle. code: its `model.py`. files: names of those that may be absent."""
    words, costs = WORDS[architecture.data], analyse(architecture)
    given = manifest.preprocessing
    fill = {
        "shape": "×".join(str(n) for n in architecture.input_shape),
        "dims": ", ".join(str(n) for n in architecture.input_shape),
        "dtype": ", dtype=torch.uint8" if given.dtype == "uint8" else "",
        "many": f"{architecture.data}s",
        "range": given.range,
    }
    chosen = report.get("chosen_by")
    return CARD.format(
        name=report["job"]["name"],
        found=words.found,
        params=costs.params,
        macs=costs.macs,
        sample=words.sample.format(**fill),
        licence=LICENCE.format(dataset=report["dataset"]["name"]),
        architecture=architecture.hash,
        scores="\n".join(_scores(report)),
        gains="".join(f"- {gain['words']}\n" for gain in report.get("gains", {}).values()) + "\n" * ("gains" in report),
        began=_began(report.get("init_from")),
        chosen=f" The winner was chosen by {chosen.partition(';')[0]}." if chosen else "",
        data="\n".join(_data(architecture, report["dataset"])),
        range=given.range,
        preparation="each row is divided by its sum" if manifest.rows_divided else "(x - mean) / std of the training",
        cost="\n".join(_cost(report)),
        needs="torch and torch_geometric" if "torch_geometric" in code else "torch, nothing else",
        example=words.example.format(**fill),
        files="\n".join(_files({*FILES} - OPTIONAL | {_shown(name) for name in files})),
        left_out=_left_out(manifest),
        limits=words.limit.format(**fill),
    )


def requirements(code: str) -> str:
    """What `model.py` needs, at least as new as what it was checked with."""
    packages = {"torch": "torch"} | ({"torch-geometric": "torch_geometric"} if "torch_geometric" in code else {})
    return "".join(f"{name}>={version(package).partition('+')[0]}\n" for name, package in packages.items())


def _scores(report: Mapping[str, Any]) -> Iterator[str]:
    called = SCORES[report["score"]]
    ends = report["finalists"]
    full = f"test split, full training of {ends[0]['epochs']} epochs, measured once"
    deviation = report.get("final_score_sd")
    told = f"{report['final_score']:.4f}" + ("" if deviation is None else f" ± {deviation:.4f}")
    yield f"| {called} (`final_score`) | {told} | {full if deviation is None else full + ' a seed; mean ± deviation'} |"
    for name, value in report["measures"].items():
        if name != report["score"]:
            yield f"| {SCORES[name]} | {value:.4f} | the same trainings |"
    if deviation is not None:
        shipped = report["shipped"]
        own = f"seed {shipped['seed']} of those trainings"
        yield f"| {called} of these weights | {shipped['final_score']:.4f} | {own} |"
    small = report.get("compression") or {}
    if "final_score" in small:
        yield f"| {called} of `compressed/` | {small['final_score']:.4f} | test split, measured once more |"
    search = "validation split, short training in the search"
    yield f"| {called} (`search_score`) | {report['search_score']:.4f} | {search} |"


def _began(donor: Mapping[str, Any] | None) -> str:
    if donor is None:
        return ""
    return f"All trainings began with weights of job `{donor['job']}`: {1 - donor['fresh']:.0%} of these.\n\n"


def _data(architecture: Architecture, dataset: Mapping[str, Any]) -> Iterator[str]:
    yield "| | |\n| --- | --- |"
    yield f"| data set | `{dataset['name']}`, {architecture.classes} classes |"
    if "sha256" in dataset:
        yield f"| sha256 of its content | `{dataset['sha256']}` |"
    hashes = dataset.get("split_hashes", {})
    for split, size in dataset.get("sizes", {}).items():
        told = f", sha256 `{hashes[split][:16]}…`" if split in hashes else ""
        yield f"| `{split}` | {size:,} answers{told} |"


def _cost(report: Mapping[str, Any]) -> Iterator[str]:
    trials = sum(report["trials"].values())
    ends = ", ".join(f"{count} {state}" for state, count in report["trials"].items() if count)
    yield f"{trials} trials ({ends})" + (
        f" in {report['search_seconds']:,.0f} s of search." if "search_seconds" in report else "."
    )
    if report.get("stopped_because"):
        yield f"The search ended by `{report['stopped_because']}`."
    if report.get("costs"):
        yield "\n| phase | trainings | epochs | wall clock |\n| --- | ---: | ---: | ---: |"
    for cost in report.get("costs", []):
        counts = ("-" if cost[name] is None else f"{cost[name]:,}" for name in ("trainings", "epochs"))
        wall = "unknown" if cost["seconds"] is None else f"{cost['seconds']:,.0f} s"
        yield f"| {' | '.join([cost['phase'].replace('_', ' '), *counts, wall])} |"


def _files(names: set[str]) -> Iterator[str]:
    for name, what in FILES.items():
        if name in names:
            tolerance = TOLERANCES.get(name)
            yield f"| `{name}` | {what.replace('{' + name + ':g}', f'{tolerance:g}' if tolerance else '')} |"


def _shown(name: str) -> str:
    """A file by its name, one that lies deeper by its folder."""
    folder, slash, _ = name.partition("/")
    return folder + slash


def _left_out(manifest: Manifest) -> str:
    if not manifest.left_out:
        return ""
    lines = "".join(f"- `{name}` could not be made: {reason}\n" for name, reason in manifest.left_out.items())
    return f"Left out:\n\n{lines}\n"
