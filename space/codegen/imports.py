"""What generated code needs besides its own classes: imports, and the source of layers that operations define."""

import ast
import inspect
import textwrap
from collections.abc import Iterable, Iterator
from functools import cache

from archsmith.errors import InvalidArchitecture
from space.architecture import Architecture
from space.operations import OPERATIONS
from space.operations.base import Call, Layer

ORDER = ("math", "torch", "torch.nn.functional")
"""Modules that a file may import whole, in the order they are written; imports of names come after them."""


def needed_imports(architecture: Architecture, body: str) -> tuple[str, list[str]]:
    """The import lines of a file, and the source of the classes that its operations define, a text for each operation.

    body: the text of the file's own classes. Raises InvalidArchitecture if two operations define classes of one name,
    as two plugins might.
    """
    wanted = {"from torch import Tensor", "from torch import nn"}
    if "torch." in body:
        wanted.add("import torch")
    if "F." in body:
        wanted.add("import torch.nn.functional as F")
    texts: dict[str, str] = {}
    owners: dict[str, str] = {}
    for operation, call in _calls(architecture):
        if not call.library and operation.name not in texts:
            imports, texts[operation.name], names = _definition(operation)
            wanted |= imports
            for name in names:
                if owners.setdefault(name, operation.name) != operation.name:
                    both = f"{owners[name]} and {operation.name}"
                    raise InvalidArchitecture(f"{both} both define a class {name}; one file cannot hold them")
        elif call.library and call.library != "torch.nn":
            wanted.add(f"from {call.library} import {call.target}")
    return _lines(wanted), list(texts.values())


def imported_names(architecture: Architecture) -> set[str]:
    """The class names that a file's own classes may not have: imported ones, and those that operations define."""
    names: set[str] = set()
    for operation, call in _calls(architecture):
        if not call.library:
            names.update(_definition(operation)[2])
        elif call.library != "torch.nn":
            names.add(call.target)
    return names


def _calls(architecture: Architecture) -> Iterator[tuple[Layer, Call]]:
    """Each layer of the graph with its constructor call."""
    for node in architecture.nodes:
        operation = OPERATIONS[node.op]
        if isinstance(operation, Layer):
            yield operation, operation.call(node.attrs, [architecture.shapes[source] for source in node.inputs])


@cache
def _definition(operation: Layer) -> tuple[set[str], str, tuple[str, ...]]:
    """The imports in an operation's `define`, the source of its classes and functions, and their names.

    The source is cut out of the file by line numbers, with its decorators, so that comments and layout survive.
    """
    source = textwrap.dedent(inspect.getsource(type(operation).define))
    lines = source.splitlines()
    [function] = ast.parse(source).body
    imports: set[str] = set()
    text: list[str] = []
    names: list[str] = []
    for part in getattr(function, "body", ()):
        if isinstance(part, ast.Import):
            imports |= {ast.unparse(ast.Import(names=[alias])) for alias in part.names}
        elif isinstance(part, ast.ImportFrom):
            imports |= {f"from {part.module} import {ast.unparse(alias)}" for alias in part.names}
        elif isinstance(part, ast.ClassDef | ast.FunctionDef):
            first = min([part.lineno, *(decorator.lineno for decorator in part.decorator_list)])
            text.append(textwrap.dedent("\n".join(lines[first - 1 : part.end_lineno])))
            names.append(part.name)
    return imports, "\n\n\n".join(text), tuple(names)


def _lines(wanted: Iterable[str]) -> str:
    """Import lines in the order of a formatter: the standard library, then modules, then names, a line per module."""
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
