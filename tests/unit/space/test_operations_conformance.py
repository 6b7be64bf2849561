"""Every registered operation keeps the law of its contract."""

from collections.abc import Callable

import pytest
import torch

from space.operations import OPERATIONS
from space.operations.attributes import Misfit
from tests.conformance.operations import CHECKS, EXAMPLES, Example

CASES = [(name, example) for name in OPERATIONS for example in EXAMPLES.get(name, [])]


@pytest.fixture(autouse=True)
def seeded() -> None:
    torch.manual_seed(0)
    torch.set_num_threads(1)


def test_every_operation_has_examples() -> None:
    assert {name for name in OPERATIONS if EXAMPLES.get(name)} == set(OPERATIONS)
    assert set(EXAMPLES) == set(OPERATIONS)


def test_names_agree() -> None:
    assert {name: operation.name for name, operation in OPERATIONS.items()} == {name: name for name in OPERATIONS}


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__.removeprefix("check_"))
@pytest.mark.parametrize(("name", "example"), CASES, ids=[f"{n}-{i}" for i, (n, _) in enumerate(CASES)])
def test_operation(check: Callable[[str, Example], None], name: str, example: Example) -> None:
    check(name, example)


@pytest.mark.parametrize("name", sorted(OPERATIONS))
def test_unknown_attributes_are_refused(name: str) -> None:
    with pytest.raises(Misfit, match="no attribute 'colour'"):
        OPERATIONS[name].check({"colour": 1})


@pytest.mark.parametrize("name", sorted(OPERATIONS))
@pytest.mark.parametrize("wrong", [None, True, -1, 10**9, "wrong", [1], [0, 3], [3, 3, 3], {}, 1.5, float("nan")])
def test_wrong_attributes_are_refused(name: str, wrong: object) -> None:
    operation = OPERATIONS[name]
    good = operation.check(EXAMPLES[name][0].attrs)
    for key in operation.attributes:
        if wrong is True and isinstance(good[key], bool):
            continue
        with pytest.raises(Misfit, match=f"{name} {key} must be"):
            operation.check({**good, key: wrong})


@pytest.mark.parametrize("name", sorted(OPERATIONS))
def test_needed_attributes_are_asked_for(name: str) -> None:
    needed = [key for key, rule in OPERATIONS[name].attributes.items() if rule.default is None]
    if needed:
        with pytest.raises(Misfit, match=f"{name} needs the attribute '{needed[0]}'"):
            OPERATIONS[name].check({})
