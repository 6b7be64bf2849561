"""Constraint expressions: what they mean, and that no text can do harm."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archsmith.errors import InvalidExpression
from space.constraint import MAX_LENGTH, MEASURES, Constraint

NET = {"params": 1000, "macs": 50_000, "receptive_field": 11, "output_stride": 4, "depth": 4, "peak_memory_mb": 2.5}


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("params <= 2e6", True),
        ("params < 1000", False),
        ("params <= 1000", True),
        ("1e3 <= params < 2000", True),
        ("1 < params < 500 < macs", False),
        ("macs / params <= 50", True),
        ("params + macs * 2 == 101000", True),
        ("(params + macs) * 2 == 102000", True),
        ("params - 100 - 100 == 800", True),
        ("params != 1000", False),
        ("-depth < 0", True),
        ("depth >= 3 and receptive_field > 10", True),
        ("depth >= 3 and receptive_field > 11", False),
        ("output_stride <= 4 and 2 < peak_memory_mb <= 2.5", True),
        ("peak_memory_mb < 2", False),
        ("params / (3 - 2) == 1000", True),
        ("params / (depth - 4) < 1e9", False),
        ("params / (depth - 4) >= 0", False),
        ("1e200 * 1e200 > params", True),
        ("1e200 * 1e200 - 1e200 * 1e200 == params", False),
        ("params * 1e200 * 1e200 - params * 1e200 * 1e200 == 0", False),
    ],
)
def test_meaning(text: str, holds: bool) -> None:
    assert Constraint.parse(text).holds(NET) is holds


def test_violation_is_the_relative_distance_to_the_bound() -> None:
    assert Constraint.parse("params <= 2000").violation(NET) == 0
    assert Constraint.parse("params <= 800").violation(NET) == pytest.approx(0.25)
    assert Constraint.parse("params <= 800 and macs <= 25000").violation(NET) == pytest.approx(1.0)
    assert Constraint.parse("params < 1000").violation(NET) > 0
    assert Constraint.parse("params / (depth - 4) < 1").violation(NET) == math.inf


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "ends too early"),
        ("params", "ends too early"),
        ("params <=", "ends too early"),
        ("weights < 3", "no measure 'weights' (position 1); measures are params, macs"),
        ("params < 3 and parms > 1", "no measure 'parms' (position 16); did you mean 'params'?"),
        ("peak_memory < 3", "did you mean 'peak_memory_mb'?"),
        ("latency_ms < 3", "only after a network was built and run"),
        ("params / 0 < 3", "the divisor after position 8 is zero"),
        ("params / (2 - 2) < 3", "the divisor after position 8 is zero"),
        ("1 / -(0 * 3) < params", "the divisor after position 3 is zero"),
        ("1 < 2", "< at position 3 is between numbers, so always true; name one of params"),
        ("params > 3 > 2 * 2", "> at position 12 is between numbers, so always false"),
        ("__import__('os')", "not expected"),
        ("params.real < 3", "no measure 'params.real'"),
        ("params ** 2 < 3", "not expected"),
        ("params < 3; 1", "has no meaning"),
        ("params or macs < 3", "not expected"),
        ("params <= 1e999", "too large"),
        ("(" * 51, "at most 50"),
        ("1+" * 300 + "1 < 2", "at most 500"),
        ("params < \ud800", "has no meaning"),
        ("params < nan", "no measure 'nan'"),
        (7, "is text"),
        (None, "is text"),
    ],
)
def test_refused_with_a_sentence(text: object, says: str) -> None:
    with pytest.raises(InvalidExpression) as caught:
        Constraint.parse(text)
    [fault] = caught.value.faults
    assert fault.rule == "expression_invalid"
    assert says in fault.detail
    assert fault.detail.isascii()
    assert fault.allowed == list(MEASURES)


def test_a_jobs_constraint_may_name_what_a_worker_measures() -> None:
    limit = Constraint.parse("latency_ms <= 5 and params < 2000", measured=True)
    assert limit.measured == ("latency_ms",)
    assert limit.holds({**NET, "latency_ms": 5.0})
    assert not limit.holds({**NET, "latency_ms": 5.1})
    assert Constraint.parse("params < 2000", measured=True).measured == ()
    with pytest.raises(InvalidExpression, match="cannot be a constraint of a space; a job's objective"):
        Constraint.parse("latency_ms < 3")


def test_long_chains_do_not_recurse() -> None:
    assert Constraint.parse("-" * 480 + "params < 2000").holds(NET)
    assert Constraint.parse("depth+" * 80 + "1 < 500").holds(NET)
    assert Constraint.parse("1+" * 240 + "1 < params").holds(NET)
    assert Constraint.parse("(" * 50 + "depth" + ")" * 50 + " < 5").holds(NET)
    assert Constraint.parse(" and ".join(["depth<5"] * 41)).holds(NET)


words = st.sampled_from([*MEASURES, "and", "<=", "<", "==", "+", "-", "*", "/", "(", ")", "1", "2e6", "0", "é", "\x00"])


@given(st.lists(words, max_size=30).map(" ".join) | st.text(max_size=MAX_LENGTH + 10))
def test_any_text_is_a_constraint_or_an_invalid_expression(text: str) -> None:
    try:
        constraint = Constraint.parse(text)
    except InvalidExpression:
        return
    assert constraint.holds(NET) == (constraint.violation(NET) == 0)
    assert Constraint.parse(constraint.text) == constraint
