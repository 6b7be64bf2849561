"""Every registered operation keeps its contract."""

import itertools
from typing import Any

import pytest
import torch

from space.architecture import Architecture
from space.operations import OPERATIONS
from space.operations.attributes import Choice, Extent, Misfit
from space.operations.base import Example
from tests.conformance.operations import CHECKS, together
from tests.effort import share
from tests.exactness import check_onnx, fresh

CASES = [
    pytest.param(name, example, id=f"{name}-{i}")
    for name, operation in OPERATIONS.items()
    for i, example in enumerate(operation.examples)
]


@pytest.fixture(autouse=True)
def seeded() -> None:
    torch.manual_seed(0)
    torch.set_num_threads(1)


@pytest.mark.parametrize("name", OPERATIONS)
def test_an_operation_shows_itself_in_use(name: str) -> None:
    """At least one example; every attribute is given in one, every word of a choice too."""
    operation = OPERATIONS[name]
    assert operation.examples
    for key, rule in operation.attributes.items():
        seen = [example.attrs[key] for example in operation.examples if key in example.attrs]
        assert seen
        assert not isinstance(rule, Choice) or set(rule.options) <= {*seen, rule.default}


def test_names_agree() -> None:
    assert {name: operation.name for name, operation in OPERATIONS.items()} == {name: name for name in OPERATIONS}


@pytest.mark.parametrize(("name", "example"), CASES)
def test_operation(name: str, example: Example) -> None:
    for check in CHECKS:
        torch.manual_seed(0)
        check(OPERATIONS[name], example)


@pytest.mark.sweep  # an example takes half a second to export: in `make test` one of each operation
@pytest.mark.parametrize(
    "architecture",
    together(
        (operation, example)
        for operation in OPERATIONS.values()
        for example in operation.examples[: share(len(operation.examples))]
    ),
    ids=lambda architecture: "+".join(
        dict.fromkeys(node.op for node in architecture.nodes if node.name.endswith(".it"))
    ),
)
def test_onnx(architecture: Architecture) -> None:
    """ONNX Runtime gives the logits of what holds many examples: an export takes a second, however small it is."""
    check_onnx(architecture, fresh(architecture, 0))


@pytest.mark.parametrize("name", OPERATIONS)
def test_unknown_attributes_are_refused(name: str) -> None:
    with pytest.raises(Misfit, match="no attribute 'colour'"):
        OPERATIONS[name].check({"colour": 1})


WRONG: list[Any] = [None, True, -1, 10**9, "wrong", [1, "x"], [0, 3], [3, 3, 3, 3], {}, 1.5, float("nan")]


@pytest.mark.parametrize("name", OPERATIONS)
def test_wrong_attributes_are_refused(name: str) -> None:
    operation = OPERATIONS[name]
    good = operation.check(operation.examples[0].attrs)
    for wrong, key in itertools.product(WRONG, operation.attributes):
        if wrong is True and isinstance(good[key], bool):
            continue
        if wrong == [0, 3] and isinstance(good[key], int | tuple) and getattr(operation.attributes[key], "low", 1) == 0:
            continue
        with pytest.raises(Misfit, match=f"{name} {key} must be"):
            operation.check({**good, key: wrong})


@pytest.mark.parametrize("name", OPERATIONS)
def test_a_list_of_sides_must_be_as_long_as_the_map_has(name: str) -> None:
    operation = OPERATIONS[name]
    example = operation.examples[0]
    other = [1, 2] if len(example.inputs and example.inputs[0]) == 4 else [1, 2, 1]
    for key, rule in operation.attributes.items():
        if isinstance(rule, Extent):
            with pytest.raises(Misfit, match=f"lists {len(other)} sides"):
                operation.shape(operation.check({**example.attrs, key: other}), example.inputs)


@pytest.mark.parametrize("name", OPERATIONS)
def test_needed_attributes_are_asked_for(name: str) -> None:
    needed = [key for key, rule in OPERATIONS[name].attributes.items() if rule.default is None]
    if needed:
        with pytest.raises(Misfit, match=f"{name} needs the attribute '{needed[0]}'"):
            OPERATIONS[name].check({})
