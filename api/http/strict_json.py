"""A strict JSON parser (RFC 8259): refuses what Python's own lets through, with a pointer to the place."""

import json
import math
import re
from collections.abc import Iterator
from typing import Any, NoReturn

from archsmith.errors import Fault, InvalidInput, MalformedInput, pointer

MAX_DEPTH = 32
MAX_NODES = 10_000
MAX_INTEGER = 2**63 - 1
_STRING = re.compile(r'"(?:[^"\\]|\\.)*"', re.DOTALL)
_BRACKET = re.compile(r"[\[\]{}]")
# Control characters, lone surrogates, and bidirectional overrides, which show a text in another order than it has.
_FORBIDDEN = re.compile(r"[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


class _BadNumber:
    """Stands for a number out of range until its place in the document is known."""

    def __init__(self, text: str) -> None:
        self.text = text if len(text) <= 40 else text[:39] + "…"


class _Duplicate(dict[str, Any]):
    """An object with the key `key` more than once."""

    key = ""


def parse(body: bytes) -> Any:
    """The value of a JSON document.

    Raises MalformedInput (encoding, syntax, duplicate keys, NaN, depth) or InvalidInput (numbers that fit neither a
    double nor 64 bits, forbidden characters, too many values).
    """
    text = _decode(body)
    _check_depth(text)
    try:
        value = json.loads(
            text,
            object_pairs_hook=_object,
            parse_constant=_not_json,
            parse_float=_float,
            parse_int=_integer,
        )
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        _malformed("json_invalid", f"not valid JSON at {where}: {error.msg}")
    _check(value)
    return value


def _malformed(rule: str, detail: str, where: str = "") -> NoReturn:
    raise MalformedInput(Fault(pointer=where, rule=rule, detail=detail))


def _decode(body: bytes) -> str:
    if not body.strip():
        _malformed("body_missing", "the request needs a JSON body")
    if body.startswith(b"\xef\xbb\xbf"):
        _malformed("encoding_invalid", "the body begins with a byte order mark; send UTF-8 without one")
    try:
        return body.decode("utf-8")
    except UnicodeDecodeError as error:
        _malformed("encoding_invalid", f"the body is not UTF-8 at byte {error.start}")


def _check_depth(text: str) -> None:
    # Before parsing, because the parser recurses.
    depth = 0
    for bracket in _BRACKET.finditer(_STRING.sub("", text)):
        depth += 1 if bracket[0] in "[{" else -1
        if depth > MAX_DEPTH:
            _malformed("json_too_deep", f"nested more than {MAX_DEPTH} levels deep")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) == len(pairs):
        return value
    seen: set[str] = set()
    marked = _Duplicate(value)
    for key, _ in pairs:
        if key in seen:
            marked.key = key
            break
        seen.add(key)
    return marked


def _not_json(name: str) -> NoReturn:
    _malformed("json_invalid", f"{name} is not a JSON number")


def _float(text: str) -> float | _BadNumber:
    value = float(text)
    return value if math.isfinite(value) else _BadNumber(text)


def _integer(text: str) -> int | _BadNumber:
    # int() refuses more than 4,300 digits, so the length is checked first.
    if len(text) > 20 or abs(int(text)) > MAX_INTEGER:
        return _BadNumber(text)
    return int(text)


def _walk(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[tuple[str | int, ...], Any]]:
    yield path, value
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _walk(item, (*path, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _walk(item, (*path, index))


def _check(value: Any) -> None:
    faults: list[Fault] = []
    for count, (path, item) in enumerate(_walk(value)):
        if count >= MAX_NODES:
            raise InvalidInput(
                Fault(pointer="", rule="document_too_large", detail=f"the document has more than {MAX_NODES} values")
            )
        if isinstance(item, _Duplicate):
            name = pointer(*path, item.key)
            _malformed("json_duplicate_key", f"the key {item.key[:100]!r} occurs more than once", name)
        faults.extend(_value_faults(path, item))
    if faults:
        raise InvalidInput(faults)


def _value_faults(path: tuple[str | int, ...], item: Any) -> Iterator[Fault]:
    if isinstance(item, _BadNumber):
        yield Fault(pointer=pointer(*path), rule="number_out_of_range", detail=f"{item.text} does not fit in 64 bits")
    texts = [item] if isinstance(item, str) else list(item) if isinstance(item, dict) else []
    for text in texts:
        if bad := _FORBIDDEN.search(text):
            detail = f"the character U+{ord(bad[0]):04X} is not allowed in a string"
            yield Fault(pointer=pointer(*path), rule="string_invalid", detail=detail)
