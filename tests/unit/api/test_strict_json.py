"""The strict JSON parser."""

import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.http.strict_json import parse
from archsmith.errors import InvalidInput, MalformedInput


@pytest.mark.parametrize(
    ("body", "rule"),
    [
        (b"", "body_missing"),
        (b"  \n", "body_missing"),
        (b"{", "json_invalid"),
        (b'{"a": 1} x', "json_invalid"),
        (b"{'a': 1}", "json_invalid"),
        (b'{"a": 1,}', "json_invalid"),
        (b'{"a": NaN}', "json_invalid"),
        (b'{"a": -Infinity}', "json_invalid"),
        (b'{"a": "\n"}', "json_invalid"),
        (b'\xef\xbb\xbf{"a": 1}', "encoding_invalid"),
        (b'{"a": "\xff"}', "encoding_invalid"),
        ('{"a": 1}'.encode("utf-16"), "encoding_invalid"),
        (b'{"a": ' * 33 + b"1" + b"}" * 33, "json_too_deep"),
        (b"[" * 100_000, "json_too_deep"),
        (b'{"a": 1, "a": 2}', "json_duplicate_key"),
    ],
)
def test_malformed_documents(body: bytes, rule: str) -> None:
    with pytest.raises(MalformedInput) as caught:
        parse(body)
    assert caught.value.faults[0].rule == rule


@pytest.mark.parametrize(
    ("body", "rule", "pointer"),
    [
        (b'{"a": [1e999]}', "number_out_of_range", "/a/0"),
        (b'{"a": ' + b"9" * 400 + b"}", "number_out_of_range", "/a"),
        (b'{"a": ' + b"9" * 5000 + b"}", "number_out_of_range", "/a"),
        (b'{"a": 9223372036854775808}', "number_out_of_range", "/a"),
        (b'{"a": "\\ud800"}', "string_invalid", "/a"),
        (b'{"\\ud800": 1}', "string_invalid", ""),
        (b'{"a": "\\u0000"}', "string_invalid", "/a"),
        ('{"a": "\u202e"}'.encode(), "string_invalid", "/a"),
        (b"[" + b"1," * 10_001 + b"1]", "document_too_large", ""),
    ],
)
def test_values_that_break_a_rule(body: bytes, rule: str, pointer: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        parse(body)
    assert (caught.value.faults[0].rule, caught.value.faults[0].pointer) == (rule, pointer)
    assert not isinstance(caught.value, MalformedInput)


def test_a_duplicate_key_has_a_pointer() -> None:
    with pytest.raises(MalformedInput) as caught:
        parse(b'{"a": [{"b/c": 1, "b/c": 2}]}')
    assert caught.value.faults[0].pointer == "/a/0/b~1c"


def test_brackets_in_strings_do_not_count_as_depth() -> None:
    assert parse(json.dumps({"a": "[" * 100 + '\\"'}).encode()) == {"a": "[" * 100 + '\\"'}


def test_the_limits_of_what_is_allowed() -> None:
    text = '{"a": 9223372036854775807, "b": -1.5e308, "c": "\u00e9 \U0001f600", "d": [null, true]}'
    assert parse(text.encode()) == json.loads(text)


_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63) + 1, 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cc", "Cs", "Cf"])),
    lambda inner: st.lists(inner, max_size=4)
    | st.dictionaries(st.text(st.characters(exclude_categories=["Cc", "Cs", "Cf"])), inner, max_size=4),
    max_leaves=20,
)  # fmt: skip


@given(_VALUES)
def test_valid_json_is_unchanged(value: object) -> None:
    assert parse(json.dumps(value).encode()) == value


@given(st.binary(max_size=200))
def test_any_bytes_give_a_value_or_one_of_two_errors(body: bytes) -> None:
    with contextlib.suppress(InvalidInput):
        parse(body)
