"""`model.py` warns of values in other units, as the command does, and names the columns of features."""

import types
import warnings
from typing import Any

import pytest
import torch

from tests.bundle.made import preprocessing, small
from workers.bundle.code import model_source


def module(kind: str, **changes: Any) -> Any:
    made = types.ModuleType("model")
    exec(model_source(small(kind), preprocessing(small(kind), **changes)), made.__dict__)
    return made


@pytest.mark.parametrize(
    ("high", "given", "told"),
    [(255.0, 1.0, True), (255.0, 200.0, False), (1.0, 255.0, True), (1.0, 0.9, False), (1.0, 0.003, True)],
)
def test_other_units_are_noticed(high: float, given: float, told: bool) -> None:
    code = module("image", dtype="float32", high=high)
    x = torch.linspace(0, given, 48).reshape(1, 1, 8, 6)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        assert code.predict(code.build().eval(), x).shape == (1, 3)
    found = [str(one.message) for one in caught]
    said = f"values from 0 to {given:g}, those of the data set lie in 0 to {high:g}: other units?"
    assert found == ([said] if told else [])


def test_nothing_and_features_of_nodes_are_no_doubt() -> None:
    assert module("image").prepared(torch.zeros(0, 1, 8, 6)).shape == (0, 1, 8, 6)
    assert module("image").prepared(torch.zeros(1, 1, 8, 6)).shape == (1, 1, 8, 6), "a blank picture"
    module("nodes", high=30.0).prepared(torch.ones(2, 3))


def test_columns_are_named_in_the_code() -> None:
    assert module("nodes", columns=("a", 'b"', "c")).COLUMNS == ["a", 'b"', "c"]
    assert "COLUMNS names them" in module("nodes", columns=("a", "b", "c")).predict.__doc__
    assert not hasattr(module("nodes"), "COLUMNS")
