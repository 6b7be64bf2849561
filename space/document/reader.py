"""Text to plain values: strict JSON, or the part of YAML that is JSON with fewer brackets.

Anchors, aliases, tags, merge keys and duplicate keys are refused, so a small text cannot grow into a large value, and
has one meaning only.
"""

import json
from collections.abc import Hashable, Iterable
from typing import Any

import yaml

from archsmith.errors import Fault, InvalidSpace

MAX_BYTES = 256 * 1024
MAX_NESTING = 16
MAX_VALUES = 10_000
"""Keys and values of a YAML text; PyYAML needs a second for 20,000."""


def read_text(text: str) -> Any:
    """The value of a JSON or YAML text, not yet checked. Raises InvalidSpace if it cannot be read."""
    if len(text) > MAX_BYTES or len(text.encode("utf-8", "surrogatepass")) > MAX_BYTES:
        raise _refuse("out_of_range", f"a space document has at most {MAX_BYTES} bytes")
    if text.lstrip().startswith("{"):
        try:
            return json.loads(text, object_pairs_hook=_object)
        except RecursionError:
            raise _too_deep() from None
        except ValueError:
            pass  # it may still be YAML in flow style, and the YAML reader says where it breaks
    return _read_yaml(text)


def _read_yaml(text: str) -> Any:
    try:
        loader = _StrictLoader(text)
        return loader.get_single_data()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f" in line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        raise _refuse("yaml_unsupported", f"not readable as YAML{where}: {ascii(error.problem)[1:-1]}") from None
    except (yaml.YAMLError, ValueError, OverflowError) as error:
        raise _refuse("yaml_unsupported", f"not readable as YAML: {ascii(str(error))[1:200]}") from None


class _StrictLoader(yaml.SafeLoader):
    """SafeLoader without YAML's surprising parts. It limits the depth, since PyYAML recurses, and the values."""

    nesting = 0
    values = 0

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        event: Any = self.peek_event()  # type: ignore[no-untyped-call]
        line = event.start_mark.line + 1
        if isinstance(event, yaml.AliasEvent) or event.anchor is not None:
            raise _refuse("yaml_unsupported", f"anchors and aliases are not supported (line {line})")
        if event.tag is not None:
            raise _refuse("yaml_unsupported", f"tags such as {ascii(event.tag)[:60]} are not supported (line {line})")
        self.values += 1
        if self.values > MAX_VALUES:
            raise _refuse("out_of_range", f"a YAML text has at most {MAX_VALUES} keys and values (line {line})")
        self.nesting += 1
        if self.nesting > MAX_NESTING:
            raise _too_deep()
        node = super().compose_node(parent, index)
        self.nesting -= 1
        return node

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        keys = [self.construct_object(key) for key, _ in node.value if isinstance(key, yaml.ScalarNode)]
        if any(isinstance(key, yaml.Node) and not isinstance(key, yaml.ScalarNode) for key, _ in node.value):
            raise _refuse("yaml_unsupported", f"a key must be a plain word (line {node.start_mark.line + 1})")
        if any(key.tag == "tag:yaml.org,2002:merge" for key, _ in node.value):
            raise _refuse("yaml_unsupported", f"merge keys are not supported (line {node.start_mark.line + 1})")
        _no_repeats(keys)
        return super().construct_mapping(node, deep=deep)


# Dates would become objects that are not JSON. As text they are checked by the rules of the document.
_StrictLoader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    _no_repeats(key for key, _ in pairs)
    return dict(pairs)


def _no_repeats(keys: Iterable[Hashable]) -> None:
    seen: set[Hashable] = set()
    for key in keys:
        if key in seen:
            raise _refuse("yaml_unsupported", f"the key {ascii(key)[:60]} appears twice in one mapping")
        seen.add(key)


def _too_deep() -> InvalidSpace:
    return _refuse("out_of_range", f"a space document nests at most {MAX_NESTING} levels deep")


def _refuse(rule: str, detail: str) -> InvalidSpace:
    return InvalidSpace(Fault(pointer="", rule=rule, detail=detail))
