"""What generated code needs beside its own classes: imports, and the text of layers that operations define."""

import ast
import inspect
import textwrap
from collections.abc import Iterable

from space.architecture import Architecture
from space.operations import OPERATIONS
from space.operations.base import Layer

ORDER = ("math", "torch", "torch.nn.functional")
"""Whole modules that a file may import, in the order they are written; names come after them."""


def borrowed(architecture: Architecture, body: str) -> tuple[str, list[str]]:
    """The import lines of a file with these classes, and the classes that come before them, one text each."""
    wanted = {"from torch import Tensor", "from torch import nn"}
    if "torch." in body:
        wanted.add("import torch")
    if "F." in body:
        wanted.add("import torch.nn.functional as F")
    definitions: dict[str, str] = {}
    for node in architecture.nodes:
        operation = OPERATIONS[node.op]
        if isinstance(operation, Layer):
            call = operation.call(node.attrs, [architecture.shapes[source] for source in node.inputs])
            if not call.library and call.target not in definitions:
                imports, definitions[call.target] = _definition(operation)
                wanted |= imports
            elif call.library and call.library != "torch.nn":
                wanted.add(f"from {call.library} import {call.target}")
    return _lines(wanted), list(definitions.values())


def _definition(operation: Layer) -> tuple[set[str], str]:
    """The imports and the class of `Layer.define`, as text."""
    source = textwrap.dedent(inspect.getsource(type(operation).define))
    lines = source.splitlines()
    [function] = ast.parse(source).body
    imports: set[str] = set()
    text: list[str] = []
    for part in getattr(function, "body", ()):
        if isinstance(part, ast.Import):
            imports |= {ast.unparse(ast.Import(names=[one])) for one in part.names}
        elif isinstance(part, ast.ImportFrom):
            imports |= {f"from {part.module} import {ast.unparse(one)}" for one in part.names}
        elif isinstance(part, ast.ClassDef | ast.FunctionDef):
            text.append(textwrap.dedent("\n".join(lines[part.lineno - 1 : part.end_lineno])))
    return imports, "\n\n\n".join(text)


def _lines(wanted: Iterable[str]) -> str:
    """Import lines as a formatter would sort them: modules first, names of one module on one line."""
    modules = sorted((line for line in wanted if line.startswith("import ")), key=_rank)
    names: dict[str, set[str]] = {}
    for line in wanted:
        if line.startswith("from "):
            module, _, name = line.removeprefix("from ").partition(" import ")
            names.setdefault(module, set()).add(name)
    own = [line for line in modules if line == "import math"]
    others = [line for line in modules if line != "import math"]
    others += [f"from {module} import {', '.join(sorted(names[module]))}" for module in sorted(names)]
    return "\n".join((*own, "", *others) if own else others)


def _rank(line: str) -> tuple[int, str]:
    module = line.split()[1]
    return (ORDER.index(module) if module in ORDER else len(ORDER), module)
