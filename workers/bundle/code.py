"""`model.py`: the generated network, followed by its loader, its preprocessing and `predict`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from space.architecture import Architecture
from space.codegen.writer import generate
from workers.bundle.manifest import Preprocessing
from workers.conventions import GRAPH_TASKS

READER = '''def read_safetensors(path: str) -> dict[str, Tensor]:
    """Eight bytes of header length, a JSON header, then the numbers."""
    with open(path, "rb") as file:
        header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
        body = bytearray(file.read())
    header.pop("__metadata__", None)
    tensors = {}
    for name, entry in header.items():
        start, end = entry["data_offsets"]
        flat = torch.frombuffer(body, dtype=torch.uint8)[start:end].clone()
        tensors[name] = flat.view(DTYPES[entry["dtype"]]).reshape(entry["shape"])
    return tensors


def load(path: str = "weights.safetensors") -> Model:
    """The trained model, ready to predict."""
    model = build()
    model.load_state_dict(read_safetensors(path))
    return model.eval()'''
CHECK_UNITS = '''def check_units(x: Tensor) -> None:
    """Warn of values that are most likely in other units than the data set's, such as 0 to 1 instead of 0 to 255."""
    low, high = (float(x.min()), float(x.max())) if x.numel() else (LOW, HIGH)
    if low < LOW or high > HIGH or 0 < high <= SMALL:
        expected = f"those of the data set lie in {LOW:g} to {HIGH:g}"
        warnings.warn(f"values from {low:g} to {high:g}, {expected}: other units?", stacklevel=3)'''
PREPARED = '''def prepared(x: Tensor) -> Tensor:
    """Values as in the data set -> values as in the training: {preparation}. Warns of values in other units."""
    check_units(x)
{prepare}'''

DTYPES = """DTYPES = {
    "F32": torch.float32,
    "F16": torch.float16,
    "BF16": torch.bfloat16,
    "I64": torch.int64,
    "U8": torch.uint8,
}"""
DIVIDED = """    x = x.float()
    return x / x.sum(dim=1, keepdim=True).clamp(min=1)"""
NORMALISED = """    return (x.float() - torch.tensor(MEAN).view({view})) / torch.tensor(STD).view({view})"""

ANSWERS = '''def answers(outputs: Tensor) -> Tensor:
    """Outputs of the network -> {meaning}."""
    return {expression}'''
MAPS = '''def predict(model: nn.Module, {many}: Tensor) -> Tensor:
    """{given} (B, {classes}) of B {many}; LABELS names the columns.

    {many}: {shape}, {range}.
    """
    with torch.inference_mode():
        return answers(model(prepared({many})))
'''
IMAGES = '''def predict(model: nn.Module, images: Tensor, *, mirror: bool = False) -> Tensor:
    """{given} (B, {classes}) of B images; LABELS names the columns.

    images: {shape}, {range}.
    mirror: the mean of each image and its mirror image, where both have the same answer.
    """
    with torch.inference_mode():
        found = answers(model(prepared(images)))
        return (found + answers(model(prepared(images.flip(-1))))) / 2 if mirror else found
'''
NODES = '''def predict(model: nn.Module, x: Tensor, edges: Tensor) -> Tensor:
    """{given} (N, {classes}) of every node of a graph; LABELS names the columns.

    x: (N, {features}) features of the nodes, {range}{named}.
    edges: (2, E) numbers of nodes, from and to; every edge is listed in both directions.
    """
    with torch.inference_mode():
        return answers(model(prepared(x), edges))
'''
GRAPHS = '''def predict(model: nn.Module, graphs: list[tuple[Tensor, Tensor]]) -> Tensor:
    """{given} (G, {classes}) of G graphs; LABELS names the columns.

    Each graph is (x, edges). x: (N, {features}) features of its nodes, {range}{named}.
    edges: (2, E) numbers of its nodes from 0, from and to; every edge is listed in both directions.
    """
    sizes = torch.tensor([len(x) for x, _ in graphs])
    starts = (sizes.cumsum(0) - sizes).tolist()
    x = torch.cat([x for x, _ in graphs])
    edges = torch.cat([edges + start for (_, edges), start in zip(graphs, starts)], dim=1)
    graph = torch.repeat_interleave(torch.arange(len(graphs)), sizes)
    with torch.inference_mode():
        return answers(model(prepared(x), edges, graph))
'''
LINKS = '''def predict(model: nn.Module, x: Tensor, edges: Tensor, pairs: Tensor) -> Tensor:
    """The probabilities (P, {classes}) of "no link" and "link" for pairs of nodes of one graph.

    x: (N, {features}) features of the nodes, {range}{named}.
    edges: (2, E) the known links by numbers of nodes, from and to; every one is listed in both directions.
    pairs: (2, P) the numbers of the two nodes of each pair.
    """
    with torch.inference_mode():
        return answers(model(prepared(x), edges, pairs))
'''
PIXELS = '''def predict(model: nn.Module, images: Tensor) -> Tensor:
    """{given} (B, {sides}) of B images: numbers that LABELS names.

    images: {shape}, {range}.
    """
    with torch.inference_mode():
        return answers(model(prepared(images)))
'''
PREDICT = {
    "image": IMAGES,
    "volume": MAPS,
    "series": MAPS,
    "segmentation": PIXELS,
    "nodes": NODES,
    "graphs": GRAPHS,
    "links": LINKS,
}
MANY = {"series": "series"}
"""Kinds of data whose plural has no s."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Meaning:
    """What `answers` of `model.py` makes of the network's outputs.

    given: how the text of `predict` begins. meaning: of one output. expression: of the tensor `outputs`.
    """

    given: str
    meaning: str
    expression: str


_CLASSES = Meaning(
    given="The class probabilities",
    meaning="class probabilities, of the same shape",
    expression="outputs.softmax(dim=1)",
)
MEANINGS: Mapping[str, Meaning] = {
    "classification": _CLASSES,
    "ordinal": _CLASSES,
    "multilabel": Meaning(
        given="The probability of each label by itself",
        meaning="the probability of each label by itself, of the same shape",
        expression="outputs.sigmoid()",
    ),
    "regression": Meaning(
        given="The values of the targets in their own units",
        meaning="values in the units of the targets, of the same shape",
        expression="outputs * torch.tensor(TARGET_STD) + torch.tensor(TARGET_MEAN)",
    ),
    "segmentation": Meaning(
        given="The classes of the pixels",
        meaning="the class of each pixel, (B, classes, H, W) -> (B, H, W)",
        expression="outputs.argmax(dim=1)",
    ),
}
"""Problem -> what the outputs mean; `workers.bundle.outputs` computes the same with numpy."""
WIDTH = 110
"""Of a line of generated code, as in `space.codegen`."""


def model_source(architecture: Architecture, preprocessing: Preprocessing, *, reads_weights: bool = True) -> str:
    """The whole text of `model.py`. reads_weights: with a `load` that reads safetensors without a library."""
    network = with_imports(generate(architecture), [*(["json"] if reads_weights else []), "warnings"])
    parts = _product(architecture, preprocessing, reads_weights=reads_weights)
    return "\n\n\n".join([network, *parts])


def with_imports(code: str, modules: Sequence[str]) -> str:
    """The network's code with torch and these of the standard library imported as well, all sorted."""
    lines = code.rstrip().splitlines()
    imports = [line for line in lines if line.startswith(("import ", "from "))]
    first, last = lines.index(imports[0]), lines.index(imports[-1])
    own = sorted({f"import {name}" for name in modules} | {line for line in imports if line == "import math"})
    others = [line for line in imports if line not in ("import math", "import torch")]
    lines[first : last + 1] = [*own, *([""] if own else []), "import torch", *others]
    return "\n".join(lines)


def _product(architecture: Architecture, preprocessing: Preprocessing, *, reads_weights: bool) -> list[str]:
    """What `model.py` has after the network, definition by definition."""
    channels, *spatial = architecture.input_shape
    marks = architecture.data in GRAPH_TASKS and preprocessing.marks
    constants = [_listed("LABELS", [_quoted(label) for label in preprocessing.labels])]
    if reads_weights:
        constants.append(DTYPES)
    if not marks:
        pairs = (("MEAN", preprocessing.mean), ("STD", preprocessing.std))
        constants = [_listed(name, [_shortest(value) for value in values]) for name, values in pairs] + constants
    limits = {"LOW": preprocessing.low, "HIGH": preprocessing.high, "SMALL": preprocessing.small(architecture.data)}
    constants = [*(f"{name} = {value!r}" for name, value in limits.items()), *constants]
    if preprocessing.columns:
        constants.append(_listed("COLUMNS", [_quoted(name) for name in preprocessing.columns]))
    targets = (("TARGET_MEAN", preprocessing.target_mean), ("TARGET_STD", preprocessing.target_std))
    constants += [_listed(name, [_shortest(value) for value in values]) for name, values in targets if values]
    meaning = MEANINGS[preprocessing.problem]
    predict = PREDICT[architecture.data].format(
        many=MANY.get(architecture.data, f"{architecture.data}s"),
        shape="(B, " + ", ".join(str(n) for n in architecture.input_shape) + ")",
        features=channels,
        named="; COLUMNS names them in order" if preprocessing.columns else "",
        range=preprocessing.range,
        sides=", ".join(map(str, spatial)),
        classes=architecture.classes,
        given=meaning.given,
    )
    prepared = PREPARED.format(
        preparation="each row divided by its sum" if marks else "(x - mean) / std",
        prepare=DIVIDED if marks else NORMALISED.format(view=", ".join(["1", str(channels), *["1"] * len(spatial)])),
    )
    answers = ANSWERS.format(meaning=meaning.meaning, expression=meaning.expression)
    return ["\n".join(constants), *([READER] if reads_weights else []), CHECK_UNITS, prepared, answers, predict]


def _shortest(value: float) -> str:
    """The fewest digits that give the same 32-bit float, which is what the trainer computes with."""
    return repr(float(str(np.float32(value))))


def _quoted(label: str) -> str:
    return f'"{label}"' if label.isprintable() and not set(label) & set('"\\') else repr(label)


def _listed(name: str, items: Sequence[str]) -> str:
    """A list as a formatter would leave it: on one line where it fits, else an item a line."""
    line = f"{name} = [{', '.join(items)}]"
    return line if len(line) <= WIDTH else "\n".join([f"{name} = [", *(f"    {item}," for item in items), "]"])
