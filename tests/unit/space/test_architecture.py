"""The architecture as a value: checked when made, plain JSON, safe to read from strangers."""

import contextlib
import copy
import json
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from archsmith.errors import ImpossibleShape, InvalidArchitecture
from space.architecture import MAX_NODES, Architecture, GraphBuilder
from space.node_names import TAKEN
from tests.effort import share
from tests.unit.space.strategies import architectures


def small() -> Architecture:
    g = GraphBuilder((1, 8, 8), 3)
    x = g.add("stem.conv", "conv2d", {"out": 4, "kernel": [3, 3]}, g.input)
    x = g.add("head.flatten", "flatten", {}, g.add("stem.pool", "maxpool", {"kernel": 2, "stride": 2}, x))
    return g.finish(g.add("head.linear", "linear", {"out": 3}, x))


@settings(max_examples=share(60), deadline=None)
@given(architectures())
def test_json_round_trip_is_identity(architecture: Architecture) -> None:
    document = json.loads(json.dumps(architecture.to_json()))
    back = Architecture.from_json(document)
    assert back == architecture
    assert hash(back) == hash(architecture)
    assert back.to_json() == document
    assert back.shapes == architecture.shapes


def test_dead_nodes_are_dropped() -> None:
    document = small().to_json()
    document["nodes"].append({"name": "dead", "op": "flatten", "attrs": {}, "inputs": ["stem.conv"]})
    assert Architecture.from_json(document) == small()


def test_defaults_are_filled_and_spellings_made_one() -> None:
    document = small().to_json()
    document["nodes"][1]["attrs"] = {"out": 4, "kernel": 3}
    assert Architecture.from_json(document) == small()


def test_frozen_and_equal_by_value() -> None:
    assert small() == small()
    assert len({small(), small()}) == 1
    with pytest.raises(AttributeError):
        small().classes = 4  # type: ignore[misc]


def change(path: tuple[Any, ...], value: object) -> dict[str, Any]:
    document = copy.deepcopy(small().to_json())
    place: Any = document
    for step in path[:-1]:
        place = place[step]
    if value is ...:
        del place[path[-1]]
    else:
        place[path[-1]] = value
    return document


@pytest.mark.parametrize(
    ("path", "value", "says"),
    [
        (("schema_version",), "1", "schema_version must be '2', got '1'"),
        (("schema_version",), ..., "missing or unknown: schema_version"),
        (("extra",), 1, "missing or unknown: extra"),
        (("nodes",), {}, "nodes must be a list"),
        (("nodes",), [1, 2], "node 0 must be an object, got int"),
        (("nodes", 0, "op"), "conv2d", "the first nodes must be the input and the indices of its data"),
        (("nodes", 1, "op"), "input", "unknown operation 'input'"),
        (("nodes", 1, "op"), "conv4d", "stem.conv: unknown operation 'conv4d', known are activation"),
        (("nodes", 1, "op"), "conv3d", "stem.conv: conv3d reads maps with 3 sides"),
        (("nodes", 1, "op"), "acme.conv", "no installed package offers 'acme.conv'.*pip install acme"),
        (("nodes", 1, "op"), "gcn_conv", "no index edges|expects 2 inputs"),
        (("nodes", 1, "attrs", "kernel"), [3, 3, 1], "conv2d kernel lists 3 sides, the map has 2"),
        (("nodes", 1, "weights"), 1, "must be names of nodes"),
        (("nodes", 1, "op"), ["conv2d"], "name and op must be strings"),
        (("nodes", 1, "name"), "Stem", "a node's name must be a path"),
        (("nodes", 1, "name"), "0.conv", "a node's name must be a path"),
        (("nodes", 1, "name"), "stem.00", "a node's name must be a path"),
        (("nodes", 1, "name"), "a" * 300, "a node's name must be a path"),
        (("nodes", 1, "name"), "stem.forward", "cannot hold the word 'forward'"),
        (("nodes", 1, "name"), "stem.lambda", "cannot hold the word 'lambda'"),
        (("nodes", 1, "name"), "stem.pool", "the name 'stem.pool' is taken"),
        (("nodes", 1, "name"), "stem", "lies inside the node 'stem'"),
        (("nodes", 1, "name"), "input.conv", "lies inside the node 'input'"),
        (("nodes", 1, "inputs"), ["head.linear"], "reads 'head.linear', which is not a node before it"),
        (("nodes", 1, "inputs"), ["stem.conv"], "reads 'stem.conv', which is not a node before it"),
        (("nodes", 1, "inputs"), [], "conv2d expects 1 inputs, got 0"),
        (("nodes", 1, "inputs"), [["input"]], "must be names of nodes"),
        (("nodes", 1, "attrs"), [], "attrs must be an object"),
        (("nodes", 1, "attrs", "kernel"), 0, "stem.conv: conv2d kernel must be a whole number or a list"),
        (("nodes", 1, "attrs", "groups"), 3, "groups 3 must divide both the 1 channels in and the 4 out"),
        (("nodes", 3, "inputs"), ["nowhere"], "reads 'nowhere'"),
        (("nodes", 4, "inputs"), ["stem.pool"], "linear reads a vector, got a map"),
        (("output",), "nowhere", "output 'nowhere' is not a node"),
        (("output",), "stem.conv", r"stem.conv must give one value per class, \(3,\), got \(4, 8, 8\)"),
        (("output",), None, "output must be the name of a node"),
        (("classes",), 4, "must give one value per class"),
        (("classes",), True, "classes must be a number"),
        (("input_shape",), [1, 8], "input_shape must be"),
        (("input_shape",), [1, 8, 10**9], "input_shape must be"),
        (("input_shape",), "188", "input_shape must be"),
        (("data",), "volume", r"input_shape must be \(C, D, H, W\)"),
        (("data",), "sound", "data must be one of image, volume, series, segmentation, nodes, graphs, links"),
        (("data",), 3, "data must be one of"),
        (("training",), {"optimizer": "lion?", "speed": 1}, "training has no 'speed'"),
        (("training",), ["adamw"], "training must be an object"),
    ],
)
def test_bad_json_says_what_is_wrong(path: tuple[Any, ...], value: object, says: str) -> None:
    with pytest.raises(InvalidArchitecture, match=says):
        Architecture.from_json(change(path, value))


@pytest.mark.parametrize("document", [None, 1, "{}", [], [1], {}])
def test_no_object_at_all(document: Any) -> None:
    with pytest.raises(InvalidArchitecture):
        Architecture.from_json(document)


def test_too_many_nodes() -> None:
    document = small().to_json()
    relu = {"op": "activation", "attrs": {"kind": "relu"}, "inputs": ["input"]}
    document["nodes"] += [{"name": f"a{i}", **relu} for i in range(MAX_NODES)]
    with pytest.raises(InvalidArchitecture, match=f"2 to {MAX_NODES} nodes"):
        Architecture.from_json(document)


scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
anything = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner)
)


@settings(max_examples=share(300), deadline=None)
@given(st.data())
def test_any_value_in_any_place_is_refused_or_read(data: st.DataObject) -> None:
    """Never a KeyError, TypeError or RecursionError: an Architecture, or InvalidArchitecture."""
    document = small().to_json()
    place: Any = document
    while True:
        keys = list(place) if isinstance(place, dict) else list(range(len(place)))
        key = data.draw(st.sampled_from(keys))
        if isinstance(place[key], dict | list) and place[key] and data.draw(st.booleans()):
            place = place[key]
            continue
        place[key] = data.draw(anything)
        break
    with contextlib.suppress(InvalidArchitecture):
        assert isinstance(Architecture.from_json(document), Architecture)


def test_a_window_that_does_not_fit_names_the_place_and_the_size() -> None:
    g = GraphBuilder((1, 8, 6), 3)
    x = g.add("stages.0.pool", "maxpool", {"kernel": 4, "stride": 4}, g.input)
    assert g.shape(x) == (1, 2, 1)
    says = "stages.1.conv: conv2d 3×3 with dilation 2 does not fit in the 2×1 left"
    with pytest.raises(ImpossibleShape, match=says) as caught:
        g.add("stages.1.conv", "conv2d", {"out": 4, "kernel": 3, "padding": "valid", "dilation": 2}, x)
    assert (caught.value.place, caught.value.size) == ("stages.1.conv", (2, 1))


@pytest.mark.parametrize("kernel", [1, 3, 5, 7])
@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("side", [1, 2, 7, 8])
def test_same_padding_keeps_the_ceiling(kernel: int, stride: int, side: int) -> None:
    g = GraphBuilder((1, side, side), 3)
    x = g.add("conv", "conv2d", {"out": 2, "kernel": kernel, "stride": stride}, g.input)
    assert g.shape(x) == (2, -(-side // stride), -(-side // stride))


def test_words_that_a_module_has_already_are_taken() -> None:
    """TAKEN is written out so that checking a name needs no torch; this keeps it whole."""
    kinds = [torch.nn.Module, torch.nn.Sequential, torch.nn.ModuleList, torch.nn.ModuleDict]
    has = {name for kind in kinds for name in (*dir(kind), *vars(kind()))}
    assert {name for name in has if name[0] != "_" and name == name.lower()} <= TAKEN
