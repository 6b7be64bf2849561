"""The canonical hash: equal for every spelling of a network, different for different networks."""

import zlib
from itertools import combinations_with_replacement, permutations
from random import Random
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from space.architecture import Architecture, GraphBuilder
from space.build import build
from tests.effort import share
from tests.unit.space.strategies import architectures, random_architecture, respelled


@settings(max_examples=share(150), deadline=None)
@given(architectures(), st.randoms(use_true_random=False))
def test_any_spelling_has_the_same_hash(architecture: Architecture, rng: Random) -> None:
    other = Architecture.from_json(respelled(architecture, rng))
    assert other.hash == architecture.hash


@settings(max_examples=share(60), deadline=None)
@given(architectures(), st.randoms(use_true_random=False))
def test_another_attribute_is_another_hash(architecture: Architecture, rng: Random) -> None:
    document = architecture.to_json()
    node = rng.choice([node for node in document["nodes"] if node["op"] == "linear"])
    node["attrs"]["bias"] = not node["attrs"]["bias"]
    assert Architecture.from_json(document).hash != architecture.hash


def near_miss(architecture: Architecture, rng: Random) -> Architecture:
    """Change one thing that leaves all weights their shapes: an activation, what a node reads, an order of channels."""
    document = architecture.to_json()
    nodes, shapes = document["nodes"], architecture.shapes
    node = rng.choice(nodes[1:])
    earlier = [other["name"] for other in nodes[: nodes.index(node)]]
    if node["op"] == "activation":
        node["attrs"]["kind"] = rng.choice([kind for kind in ("relu", "silu", "tanh") if kind != node["attrs"]["kind"]])
    elif node["op"] == "concat" and rng.random() < 0.5:
        node["inputs"].reverse()
    else:
        place = rng.randrange(len(node["inputs"]))
        others = [name for name in earlier if shapes[name] == shapes[node["inputs"][place]]]
        node["inputs"][place] = rng.choice(others)
    other = Architecture.from_json(document)
    return near_miss(architecture, rng) if other == architecture else other


def logits(architecture: Architecture) -> torch.Tensor:
    """With weights that hang on a layer's name only."""
    module = build(architecture).eval()
    for name, value in sorted(module.state_dict().items()):
        if value.is_floating_point():
            draw = torch.Generator().manual_seed(zlib.crc32(name.encode()))
            value.copy_(torch.rand(value.shape, generator=draw) + (0.5 if name.endswith("var") else -0.5))
    draw = torch.Generator().manual_seed(1)
    x = torch.randn(2, *architecture.input_shape, generator=draw)
    result: torch.Tensor = module(x).detach()
    return result


@pytest.mark.sweep
def test_near_misses_have_one_hash_only_where_they_are_one_function() -> None:
    """One thing changed in each of 400 networks, the weights left: where the logits move, so does the hash.

    Nothing here makes a change of function that another order of weights would undo, but for concat: where a swap of
    its inputs keeps the hash, a permutation of the reader's weights gives the logits back
    (`test_swapped_branches_are_the_same_function`), so those are left out.
    """
    kept, moved, count = 0, 0, share(400)
    for seed in range(count):
        rng = Random(seed)
        architecture = random_architecture(rng, steps=10, side=6)
        other = near_miss(architecture, rng)
        alike = torch.allclose(logits(architecture), logits(other), atol=1e-5)
        if other.hash == architecture.hash:
            kept += 1
            swapped = any(a.op == "concat" and a != b for a, b in zip(architecture.nodes, other.nodes, strict=False))
            assert alike or swapped, seed
        else:
            moved += not alike
    assert kept > count / 8
    assert moved > count * 3 / 8


def test_random_networks_differ() -> None:
    """200 draws; those that agree in hash agree in the multiset of their operations too."""
    by_hash: dict[str, list[str]] = {}
    for seed in range(200):
        architecture = random_architecture(Random(seed), steps=6, avoid=frozenset({"zero"}))
        operations = sorted(f"{n.op}{dict(n.attrs)}" for n in architecture.nodes if n.op != "identity")
        assert by_hash.setdefault(architecture.hash, operations) == operations
    assert len(by_hash) > 150


def test_hash_is_stable_over_releases() -> None:
    """Ledgers hold hashes: a change here means that old jobs would train their architectures again."""
    assert branches([1, 3]).hash == "26017aa2eeb49ab911121a11976e3fd3"


@pytest.mark.heavy
def test_exact_on_all_small_graphs() -> None:
    """Every graph of 4 nodes out of relu, silu and a sum of two: equal hash exactly when isomorphic, by brute force.

    A sum that only another sum reads counts as a part of that one.
    """
    by_hash: dict[str, set[object]] = {}
    by_form: dict[object, set[str]] = {}
    for graph in small_graphs(4):
        digest, form = hash_of(graph), brute_force_form(graph)
        by_hash.setdefault(digest, set()).add(form)
        by_form.setdefault(form, set()).add(digest)
    assert len(by_form) > 400
    assert all(len(forms) == 1 for forms in by_hash.values())
    assert all(len(hashes) == 1 for hashes in by_form.values())


Small = tuple[tuple[str, tuple[int, ...]], ...]
"""Nodes 1, 2, …: the kind and the numbers of what it reads; 0 is the input. The last one is the output."""


def small_graphs(size: int) -> list[Small]:
    graphs: list[Small] = [()]
    for number in range(1, size + 1):
        unary = [(kind, (source,)) for kind in ("relu", "silu") for source in range(number)]
        sums = [("add", pair) for pair in combinations_with_replacement(range(number), 2)]
        graphs = [(*graph, node) for graph in graphs for node in (*unary, *sums)]
    return graphs


def alive(graph: Small) -> set[int]:
    seen = {len(graph)}
    for number in range(len(graph), 0, -1):
        if number in seen:
            seen.update(graph[number - 1][1])
    return seen


def hash_of(graph: Small) -> str:
    g = GraphBuilder((1, 4, 4), 2)
    names = [g.input]
    for number, (kind, sources) in enumerate(graph):
        op, attrs = ("add", {}) if kind == "add" else ("activation", {"kind": kind})
        names.append(g.add(f"n{number}", op, attrs, *(names[source] for source in sources)))
    flat = g.add("flat", "flatten", {}, names[-1])
    return g.finish(g.add("linear", "linear", {"out": 2}, flat)).hash


def brute_force_form(graph: Small) -> object:
    """The smallest text over all numberings of the living nodes."""
    nodes = {number: graph[number - 1] for number in sorted(alive(graph) - {0})}
    for number in list(nodes):
        readers = [n for n, (_, sources) in nodes.items() for source in sources if source == number]
        if len(readers) == 1 and nodes[number][0] == nodes[readers[0]][0] == "add":
            left = [source for source in nodes[readers[0]][1] if source != number]
            nodes[readers[0]] = ("add", (*left, *nodes.pop(number)[1]))
    forms = []
    for order in permutations(range(1, len(nodes) + 1)):
        new = {0: 0, **dict(zip(nodes, order, strict=True))}
        rows = [(new[n], kind, tuple(sorted(new[s] for s in sources))) for n, (kind, sources) in nodes.items()]
        forms.append((new[len(graph)], tuple(sorted(rows))))
    return min(forms)


def branches(kernels: list[int], then: str = "conv", *, width: int = 4) -> Architecture:
    """Parallel convolutions, concatenated, read by what `then` says."""
    g = GraphBuilder((2, 8, 8), 3)
    ends = []
    for number, kernel in enumerate(kernels):
        x = g.add(f"b{number}.conv", "conv2d", {"out": width, "kernel": kernel}, g.input)
        ends.append(g.add(f"b{number}.act", "activation", {"kind": "relu"}, x))
    x = g.add("merge.concat", "concat", {}, *ends)
    channels = width * len(kernels)
    readers: dict[str, tuple[str, dict[str, Any]]] = {
        "conv": ("conv2d", {"out": channels, "kernel": 3}),
        "batch_norm": ("batch_norm", {}),
        "depthwise": ("conv2d", {"out": channels, "kernel": 3, "groups": channels}),
        "pool": ("maxpool", {"kernel": 2}),
        "grouped": ("conv2d", {"out": channels, "kernel": 3, "groups": 2}),
        "group_norm": ("group_norm", {"groups": 2}),
        "layer_norm": ("group_norm", {"groups": 1}),
    }
    if then == "add":
        skip = g.add("skip.conv", "conv2d", {"out": channels, "kernel": 1}, g.input)
        skip = g.add(
            "skip.more",
            "concat",
            {},
            *(g.add(f"skip.c{i}", "conv2d", {"out": width, "kernel": 1}, skip) for i in range(len(kernels))),
        )
        x = g.add("reader.add", "add", {}, x, skip)
    else:
        x = g.add("reader.it", *readers[then], x)
    x = g.add("head.flatten", "flatten", {}, g.add("head.pool", "global_avg_pool", {}, x))
    return g.finish(g.add("head.linear", "linear", {"out": 3}, x))


@pytest.mark.parametrize("then", ["conv", "batch_norm", "depthwise", "pool", "layer_norm"])
def test_order_of_a_concat_is_spelling_where_weights_read_it(then: str) -> None:
    assert branches([1, 3, 5], then).hash == branches([5, 1, 3], then).hash
    assert branches([1, 3, 5], then).hash != branches([5, 5, 3], then).hash


@pytest.mark.parametrize("then", ["grouped", "group_norm", "add"])
def test_order_of_a_concat_counts_where_channels_are_bound(then: str) -> None:
    assert branches([1, 3], then).hash != branches([3, 1], then).hash
    assert branches([1, 3], then).hash == branches([1, 3], then).hash


def test_order_of_a_concat_counts_at_the_output() -> None:
    def logits(swap: bool) -> str:
        g = GraphBuilder((1, 4, 4), 4)
        flat = g.add("flatten", "flatten", {}, g.input)
        a = g.add("a", "linear", {"out": 2}, flat)
        b = g.add("b", "activation", {"kind": "relu"}, g.add("c", "linear", {"out": 2}, flat))
        return g.finish(g.add("concat", "concat", {}, *((b, a) if swap else (a, b)))).hash

    assert logits(swap=False) != logits(swap=True)


def test_swapped_branches_are_the_same_function() -> None:
    """The weights of one order, permuted, give the logits of the other: nothing is lost by training only one."""
    torch.manual_seed(0)
    one, two = build(branches([1, 5])).eval(), build(branches([5, 1])).eval()
    weights = one.state_dict()
    swapped = {key.replace("b0", "b?").replace("b1", "b0").replace("b?", "b1"): v for key, v in weights.items()}
    swapped["reader.it.weight"] = torch.cat([weights["reader.it.weight"][:, 4:], weights["reader.it.weight"][:, :4]], 1)
    two.load_state_dict(swapped, strict=True)
    x = torch.randn(3, 2, 8, 8)
    torch.testing.assert_close(one(x), two(x))


def shared_or_copied(*, copies: bool) -> Architecture:
    g = GraphBuilder((2, 8, 8), 3)
    conv = {"out": 4, "kernel": 3}
    one = g.add("one", "conv2d", conv, g.input)
    two = g.add("two", "conv2d", conv, g.input) if copies else one
    left = g.add("left", "activation", {"kind": "relu"}, one)
    right = g.add("right", "activation", {"kind": "silu"}, two)
    x = g.add("flatten", "flatten", {}, g.add("sum", "add", {}, left, right))
    return g.finish(g.add("linear", "linear", {"out": 3}, x))


def test_a_node_used_twice_is_not_two_copies() -> None:
    assert shared_or_copied(copies=False).hash != shared_or_copied(copies=True).hash


def sharing(kinds: tuple[str, str], *, shared: bool = True, joined: str = "add", swap: bool = False) -> str:
    """Two convolutions beside each other, of what two activations leave; the second may use the first's weights."""
    g = GraphBuilder((2, 8, 8), 3)
    ends = []
    for number, kind in enumerate(kinds):
        x = g.add(f"in{number}", "activation", {"kind": kind}, g.input)
        weights = "both.0.conv" if shared and number else None
        ends.append(g.add(f"both.{number}.conv", "conv2d", {"out": 2, "kernel": 3}, x, weights=weights))
    x = g.add("join", joined, {}, *(ends[::-1] if swap else ends))
    return g.finish(g.add("linear", "linear", {"out": 3}, g.add("flatten", "flatten", {}, x))).hash


def test_shared_weights_have_no_owner() -> None:
    assert sharing(("relu", "silu")) == sharing(("silu", "relu"))
    assert sharing(("relu", "silu")) != sharing(("relu", "silu"), shared=False)
    assert sharing(("relu", "silu"), joined="concat") == sharing(("silu", "relu"), joined="concat", swap=True)


def test_channels_that_shared_weights_read_keep_their_order() -> None:
    """A permutation of one reader's weights would be one of the other's, which reads other channels."""

    def network(swap: bool, *, shared: bool) -> str:
        g = GraphBuilder((2, 8, 8), 3)
        x = g.input
        for number in range(2):
            halves = [g.add(f"h{number}.{kind}", "activation", {"kind": kind}, x) for kind in ("relu", "silu")]
            x = g.add(f"c{number}", "concat", {}, *(halves[::-1] if swap and number else halves))
            weights = "both.0.conv" if shared and number else None
            x = g.add(f"both.{number}.conv", "conv2d", {"out": 2, "kernel": 3}, x, weights=weights)
        return g.finish(g.add("linear", "linear", {"out": 3}, g.add("flatten", "flatten", {}, x))).hash

    assert network(swap=True, shared=False) == network(swap=False, shared=False)
    assert network(swap=True, shared=True) != network(swap=False, shared=True)


def zeros(*, bias: bool, norm: bool, said: bool) -> str:
    """A map, to which a convolution of zeros is added; or said in fewer words."""
    g = GraphBuilder((2, 8, 8), 3)
    x = g.add("first", "conv2d", {"out": 2, "kernel": 3}, g.input)
    if said:
        zero = g.add("zero", "zero", {}, g.add("waste", "conv2d", {"out": 2, "kernel": 5}, x))
        pooled = g.add("pool", "avgpool", {"kernel": 3, "padding": "same"}, zero)
        y = g.add(
            "conv",
            "conv2d",
            {"out": 2, "kernel": 3, "bias": bias},
            g.add("act", "activation", {"kind": "silu"}, pooled),
        )
        y = g.add("norm", "batch_norm", {}, y) if norm else y
        x = g.add("sum", "add", {}, y, x)
    return g.finish(g.add("linear", "linear", {"out": 3}, g.add("flatten", "flatten", {}, x))).hash


def test_operations_on_zeros_add_nothing() -> None:
    plain = zeros(bias=False, norm=False, said=False)
    assert zeros(bias=False, norm=False, said=True) == plain


@pytest.mark.parametrize(("bias", "norm"), [(True, False), (False, True)])
def test_a_norm_of_zeros_is_not_dead(bias: bool, norm: bool) -> None:
    assert zeros(bias=bias, norm=norm, said=True) != zeros(bias=bias, norm=norm, said=False)


def test_sums_of_sums_are_sums() -> None:
    def total(*order: int) -> str:
        g = GraphBuilder((2, 8, 8), 3)
        parts = [g.add(f"p{i}", "conv2d", {"out": 2, "kernel": kernel}, g.input) for i, kernel in enumerate((1, 3, 5))]
        first = g.add("first", "add", {}, parts[order[0]], parts[order[1]])
        x = g.add("second", "add", {}, parts[order[2]], first)
        return g.finish(g.add("linear", "linear", {"out": 3}, g.add("flatten", "flatten", {}, x))).hash

    assert len({total(*order) for order in permutations(range(3))}) == 1


def test_input_shape_and_classes_belong_to_it() -> None:
    def small(side: int) -> str:
        g = GraphBuilder((1, side, side), 2)
        x = g.add("flatten", "flatten", {}, g.add("pool", "global_avg_pool", {}, g.input))
        return g.finish(g.add("linear", "linear", {"out": 2}, x)).hash

    assert small(4) != small(5)


@pytest.mark.heavy
def test_many_equal_branches_take_little_time() -> None:
    """60 equal branches in 8 blocks: 1,500 nodes, no factorial anywhere."""
    g = GraphBuilder((1, 4, 4), 2)
    x = g.input
    for block in range(8):
        ends = [
            g.add(f"s{block}.b{i}.act", "activation", {"kind": "relu"}, g.add(f"s{block}.b{i}.n", "batch_norm", {}, x))
            for i in range(60)
        ]
        x = g.add(f"s{block}.sum", "add", {}, *ends)
    x = g.add("flatten", "flatten", {}, x)
    architecture = g.finish(g.add("linear", "linear", {"out": 2}, x))
    other = Architecture.from_json(respelled(architecture, Random(1)))
    assert other.hash == architecture.hash
