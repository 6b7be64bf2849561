"""What a bundle says: the lines of `model.py` after the network, and the README, in the words of each kind of data."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from space.architecture import Architecture
from workers.conventions import GRAPH_TASKS, SCORES, are_marks

LOADER = '''

{constants}


def load_weights(model: nn.Module, path: str) -> nn.Module:
    """Read a safetensors file: eight bytes of header length, a JSON header, then the numbers."""
    with open(path, "rb") as file:
        header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
        body = bytearray(file.read())
    dtypes = {{"F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16, "I64": torch.int64}}
    header.pop("__metadata__", None)
    state = {{}}
    for name, entry in header.items():
        start, end = entry["data_offsets"]
        flat = torch.frombuffer(body, dtype=torch.uint8)[start:end].clone()
        state[name] = flat.view(dtypes[entry["dtype"]]).reshape(entry["shape"])
    model.load_state_dict(state)
    return model.eval()


def load(path: str = "weights.safetensors") -> nn.Module:
    """The trained model, ready to predict."""
    return load_weights(build(), path)


def prepared(x: torch.Tensor) -> torch.Tensor:
    """Values as in the data set -> values as in the training: {preparation}."""
{prepare}


{predict}'''

DIVIDED = """    x = x.float()
    return x / x.sum(dim=1, keepdim=True).clamp(min=1)"""
NORMALISED = """    return (x.float() - torch.tensor(MEAN).view({view})) / torch.tensor(STD).view({view})"""

MAPS = '''def predict(model: nn.Module, {many}: torch.Tensor) -> torch.Tensor:
    """The class probabilities (B, {classes}) of B {many}; LABELS names the columns.

    {many}: {shape}, {range}.
    """
    with torch.inference_mode():
        return model(prepared({many})).softmax(dim=1)
'''
NODES = '''def predict(model: nn.Module, x: torch.Tensor, edges: torch.Tensor) -> torch.Tensor:
    """The class probabilities (N, {classes}) of every node of a graph; LABELS names the columns.

    x: (N, {features}) features of the nodes, {range}.
    edges: (2, E) numbers of nodes, from and to; every edge is listed in both directions.
    """
    with torch.inference_mode():
        return model(prepared(x), edges).softmax(dim=1)
'''
GRAPHS = '''def predict(model: nn.Module, graphs: list[tuple[torch.Tensor, torch.Tensor]]) -> torch.Tensor:
    """The class probabilities (G, {classes}) of G graphs; LABELS names the columns.

    Each graph is (x, edges). x: (N, {features}) features of its nodes, {range}.
    edges: (2, E) numbers of its nodes from 0, from and to; every edge is listed in both directions.
    """
    sizes = torch.tensor([len(x) for x, _ in graphs])
    starts = (sizes.cumsum(0) - sizes).tolist()
    x = torch.cat([x for x, _ in graphs])
    edges = torch.cat([edges + start for (_, edges), start in zip(graphs, starts)], dim=1)
    graph = torch.repeat_interleave(torch.arange(len(graphs)), sizes)
    with torch.inference_mode():
        return model(prepared(x), edges, graph).softmax(dim=1)
'''
LINKS = '''def predict(model: nn.Module, x: torch.Tensor, edges: torch.Tensor, pairs: torch.Tensor) -> torch.Tensor:
    """The probabilities (P, {classes}) of "no link" and "link" for pairs of nodes of one graph.

    x: (N, {features}) features of the nodes, {range}.
    edges: (2, E) the known links by numbers of nodes, from and to; every one is listed in both directions.
    pairs: (2, P) the numbers of the two nodes of each pair.
    """
    with torch.inference_mode():
        return model(prepared(x), edges, pairs).softmax(dim=1)
'''


@dataclass(frozen=True, kw_only=True, slots=True)
class Words:
    """What a kind of data is called. predict: text of `predict`; sample: what one input is; example: of the README."""

    found: str
    sample: str
    predict: str
    example: str


WORDS: Mapping[str, Words] = {
    "image": Words(
        found="An image classifier",
        sample="one {shape} input",
        predict=MAPS,
        example="images = torch.zeros(1, {dims}{dtype})   # {range}\nprint(model.predict(net, images))",
    ),
    "volume": Words(
        found="A classifier of volumes",
        sample="one {shape} input",
        predict=MAPS,
        example="volumes = torch.zeros(1, {dims}{dtype})   # {range}\nprint(model.predict(net, volumes))",
    ),
    "nodes": Words(
        found="A classifier of the nodes of a graph",
        sample="one node of {shape} features",
        predict=NODES,
        example=(
            "x = torch.zeros(3, {dims}{dtype})   # three nodes, {range}\n"
            "edges = torch.tensor([[0, 1, 1, 2], [1, 0, 2, 1]])   # from, to: 0-1 and 1-2, in both directions\n"
            "print(model.predict(net, x, edges))"
        ),
    ),
    "graphs": Words(
        found="A classifier of graphs",
        sample="one node of {shape} features",
        predict=GRAPHS,
        example=(
            "x = torch.zeros(3, {dims}{dtype})   # three nodes, {range}\n"
            "edges = torch.tensor([[0, 1, 1, 2], [1, 0, 2, 1]])   # from, to: 0-1 and 1-2, in both directions\n"
            "print(model.predict(net, [(x, edges)]))   # one graph or more"
        ),
    ),
    "links": Words(
        found="A predictor of links between the nodes of a graph",
        sample="one node of {shape} features",
        predict=LINKS,
        example=(
            "x = torch.zeros(3, {dims}{dtype})   # three nodes, {range}\n"
            "edges = torch.tensor([[0, 1, 1, 2], [1, 0, 2, 1]])   # from, to: 0-1 and 1-2, in both directions\n"
            "pairs = torch.tensor([[0], [2]])   # is there a link between 0 and 2?\n"
            "print(model.predict(net, x, edges, pairs))"
        ),
    ),
}

README = """# {name}

{found} found by archsmith: {params:,} parameters, {macs:,} multiply-accumulates for {sample}.

| | |
| --- | --- |
| test {score} (`final_score`, full training, {epochs} epochs, measured once) | {final:.4f} |
{measures}| validation {score} in the search (`search_score`, short training) | {search:.4f} |
| data set | {dataset} ({classes} classes) |
| trials | {trials} |

The two scores come from different trainings on different splits and must not be compared as one number.
The model was chosen by its search score, without looking at the test split.

## Use

It needs {needs}. In this folder:

```python
import torch
import model

net = model.load("weights.safetensors")
{example}
```

| file | what |
| --- | --- |
| `model.py` | the architecture as code, with `build`, `load`, `predict` |
| `weights.safetensors` | its trained weights |
| `architecture.json`, `architecture.svg` | the graph, for machines and for people |
| `report.json` | how it was found, what else was tried, what it cost |
| `SHA256SUMS` | `sha256sum -c SHA256SUMS` checks that all is whole |
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Preprocessing:
    """What the trainer did to the raw arrays: (x - mean) / std per channel or feature, or what it does to marks.

    dtype: of x, "uint8" or "float32". labels: what the columns of the output are called.
    """

    mean: tuple[float, ...]
    std: tuple[float, ...]
    dtype: str
    labels: tuple[str, ...]

    @property
    def range(self) -> str:
        return f"{self.dtype} values as in the data set"


def loader(architecture: Architecture, preprocessing: Preprocessing) -> str:
    """What `model.py` has after the network."""
    channels, *spatial = architecture.input_shape
    graph = architecture.data in GRAPH_TASKS
    marks = graph and are_marks(preprocessing.mean, preprocessing.std)
    constants = [f"LABELS = {list(preprocessing.labels)}"]
    if not marks:
        rounded = ([round(value, 6) for value in values] for values in (preprocessing.mean, preprocessing.std))
        constants = [f"{name} = {values}" for name, values in zip(("MEAN", "STD"), rounded, strict=True)] + constants
    predict = WORDS[architecture.data].predict.format(
        many=f"{architecture.data}s",
        shape="(B, " + ", ".join(str(n) for n in architecture.input_shape) + ")",
        features=channels,
        range=preprocessing.range,
        classes=architecture.classes,
    )
    return LOADER.format(
        constants="\n".join(constants),
        preparation="each row divided by its sum" if marks else "(x - mean) / std",
        prepare=DIVIDED if marks else NORMALISED.format(view=", ".join(["1", str(channels), *["1"] * len(spatial)])),
        predict=predict,
    )


def readme(
    architecture: Architecture,
    preprocessing: Preprocessing,
    report: dict[str, Any],
    *,
    code: str,
    params: int,
    macs: int,
) -> str:
    """The README of a bundle. code: its `model.py`. params, macs: of the architecture."""
    words = WORDS[architecture.data]
    fill = {
        "shape": "×".join(str(n) for n in architecture.input_shape),
        "dims": ", ".join(str(n) for n in architecture.input_shape),
        "dtype": ", dtype=torch.uint8" if preprocessing.dtype == "uint8" else "",
        "range": preprocessing.range,
    }
    others = {name: value for name, value in report["measures"].items() if name != report["score"]}
    return README.format(
        name=report["job"]["name"],
        found=words.found,
        params=params,
        macs=macs,
        sample=words.sample.format(**fill),
        score=SCORES[report["score"]],
        measures="".join(f"| test {SCORES[name]} | {value:.4f} |\n" for name, value in others.items()),
        epochs=report["finalists"][0]["epochs"],
        final=report["final_score"],
        search=report["search_score"],
        dataset=report["dataset"]["name"],
        classes=architecture.classes,
        trials=sum(report["trials"].values()),
        needs="torch and torch_geometric" if "torch_geometric" in code else "torch, nothing else",
        example=words.example.format(**fill),
    )
