"""Random architectures, and random other spellings of a given one."""

from random import Random
from typing import Any

from hypothesis import strategies as st

from archsmith.errors import InvalidArchitecture
from space.architecture import Architecture, GraphBuilder
from space.operations import OPERATIONS

FOLDERS = ["stem", "stages.0.blocks.0", "stages.0.blocks.1", "stages.1.left", "parts.2.wide.0", "tail"]
HEAD = {"flatten", "linear", "input", "global_avg_pool"}

MIDDLE = sorted(
    name
    for name, operation in OPERATIONS.items()
    if operation.arity[0]
    and not operation.indices
    and any(len(example.inputs[0]) == 3 for example in operation.examples)
)
"""Operations that read maps of images."""


def random_attrs(op: str, channels: int, rng: Random) -> dict[str, Any]:
    """Attributes that are often possible for a map with these channels."""
    if op == "conv2d":
        groups = rng.choice([1, 1, 1, channels, 2])
        return {
            "out": channels if groups == channels else rng.choice([2, 4, 6]),
            "kernel": rng.choice([1, 3, 5, [1, 3], [2, 3]]),
            "stride": rng.choice([1, 1, 1, 2]),
            "dilation": rng.choice([1, 1, 2]),
            "padding": rng.choice(["same", "same", "same", "valid"]),
            "groups": groups,
            "bias": rng.random() < 0.5,
        }
    if op in ("maxpool", "avgpool"):
        return {
            "kernel": rng.choice([2, 3]),
            "stride": rng.choice([1, 2]),
            "padding": rng.choice(["same", "valid"]),
        }
    choices: dict[str, dict[str, Any]] = {
        "group_norm": {"groups": rng.choice([1, 2, channels])},
        "activation": {"kind": rng.choice(["relu", "leaky_relu", "silu", "gelu", "hardswish"])},
        "dropout": {"rate": 0.25},
    }
    examples = [dict(example.attrs) for example in OPERATIONS[op].examples if len(example.inputs[0]) == 3]
    return choices.get(op, rng.choice(examples))


def random_architecture(
    rng: Random, *, steps: int = 12, side: int = 12, avoid: frozenset[str] = frozenset()
) -> Architecture:
    """Grow a graph of about `steps` operations in random folders; what does not fit is tried again elsewhere."""
    classes = rng.choice([2, 5])
    g = GraphBuilder((rng.choice([1, 2, 3]), side, side), classes)
    maps = [g.input]
    names = [name for name in MIDDLE if name not in HEAD | avoid]
    for number in range(steps):
        op = rng.choice(names)
        x = rng.choice(maps[-4:])
        fewest, most = OPERATIONS[op].arity
        same = 1 if op == "concat" else 0
        fitting = [m for m in maps if g.shape(m)[same:] == g.shape(x)[same:]]
        more = min(fewest + rng.choice([0, 0, 1]), most) - 1
        sources = [*(rng.choice(fitting) for _ in range(more)), x]
        key = rng.choice([op, str(number)])
        name = f"{rng.choice(FOLDERS)}.{key}" + ("" if key.isdigit() else str(number))
        try:
            node = g.add(name, op, random_attrs(op, g.shape(x)[0], rng), *sources)
        except InvalidArchitecture:
            continue
        if len(g.shape(node)) == 3:
            maps.append(node)
    ends = [g.add(f"head.pool{i}", "global_avg_pool", {}, m) for i, m in enumerate(maps[-2:])]
    x = g.add("head.concat", "concat", {}, *ends) if len(ends) > 1 else ends[0]
    x = g.add("head.flatten", "flatten", {}, x)
    return g.finish(g.add("head.linear", "linear", {"out": classes}, x))


@st.composite
def architectures(draw: st.DrawFn, *, avoid: frozenset[str] = frozenset(), side: int = 12) -> Architecture:
    """Random architectures that Hypothesis can shrink."""
    rng = draw(st.randoms(use_true_random=False))
    return random_architecture(rng, steps=draw(st.integers(1, 16)), side=side, avoid=avoid)


def respelled(architecture: Architecture, rng: Random) -> dict[str, Any]:
    """The same network as JSON with other names, another order, swapped inputs, identities, zeros and dead nodes."""
    document = architecture.to_json()
    nodes = document["nodes"]
    names = [f"n{number}.m{rng.randrange(3)}.x{number}" for number in range(len(nodes))]
    rng.shuffle(names)
    new = dict(zip((node["name"] for node in nodes), names, strict=True))
    for node in nodes:
        node["name"] = new[node["name"]]
        node["inputs"] = [new[source] for source in node["inputs"]]
        if OPERATIONS[node["op"]].commutative:
            rng.shuffle(node["inputs"])
    document["output"] = new[document["output"]]
    document["nodes"] = _with_extras(_shuffled(nodes, rng), rng)
    return document


def _shuffled(nodes: list[dict[str, Any]], rng: Random) -> list[dict[str, Any]]:
    """Another topological order."""
    done: list[dict[str, Any]] = nodes[:1]
    left = nodes[1:]
    while left:
        placed = {node["name"] for node in done}
        ready = [node for node in left if placed.issuperset(node["inputs"])]
        chosen = rng.choice(ready)
        done.append(chosen)
        left.remove(chosen)
    return done


def _with_extras(nodes: list[dict[str, Any]], rng: Random) -> list[dict[str, Any]]:
    """Identities and sums with zeros on some edges, and nodes that lead nowhere or only to zeros."""
    extended: list[dict[str, Any]] = []
    for number, node in enumerate(nodes):
        if node["inputs"] and rng.random() < 0.15:
            source = node["inputs"][0]
            relu, zero, total = f"waste{number}", f"zero{number}", f"sum{number}"
            extended.append({"name": relu, "op": "activation", "attrs": {"kind": "relu"}, "inputs": [source]})
            extended.append({"name": zero, "op": "zero", "attrs": {}, "inputs": [relu]})
            extended.append({"name": total, "op": "add", "attrs": {}, "inputs": rng.sample([source, zero], 2)})
            node["inputs"][0] = total
        if node["inputs"] and rng.random() < 0.2:
            name = f"same{number}"
            extended.append({"name": name, "op": "identity", "attrs": {}, "inputs": [node["inputs"][0]]})
            node["inputs"][0] = name
        extended.append(node)
        if rng.random() < 0.2:
            dead = {"name": f"dead{number}", "op": "activation", "attrs": {"kind": "relu"}, "inputs": [node["name"]]}
            extended.append(dead)
    return extended
