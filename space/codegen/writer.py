"""The code generator: an architecture as one Python file that needs torch only and reads as if a person wrote it.

    outline  ->  classes  ->  naming  ->  writer
    what is called as a whole; which classes there are; their names; the text, with `imports`

(Layers of graph data come from torch_geometric, which their code imports as well.)
"""

import keyword
import textwrap
from collections.abc import Iterator, Sequence
from typing import cast

from space.analysis import analyse
from space.architecture import Architecture
from space.codegen.classes import Blueprint, Construct, Expression, Slot, Tree, blueprints, is_list, tree
from space.codegen.imports import imported_names, needed_imports
from space.codegen.naming import name_classes, singular
from space.codegen.outline import Scope, Unit
from space.kinds import INDEX_SHAPES, KINDS
from space.node import row_kinds
from space.operations import OPERATIONS
from space.operations.base import Argument, Function

WIDTH = 110
LETTERS = {"sample": "B", "pixel": "B", "node": "N", "graph": "G", "pair": "P"}
"""The letter of a batch's first axis, by what a row is."""


def generate(architecture: Architecture) -> str:
    """The text of `model.py`: `build() -> Model`, with the same state dict keys as `space.build.build` gives.

    Raises InvalidArchitecture if two operations define classes of one name, as two plugins might.
    """
    classes = blueprints(architecture)
    name_classes(classes, imported_names(architecture))
    body = "\n\n\n".join(_Writer(architecture, blueprint).text() for blueprint in classes)
    imports, definitions = needed_imports(architecture, body)
    body = "\n\n\n".join((*definitions, body))
    build = 'def build() -> Model:\n    """The model with fresh weights."""\n    return Model()\n'
    return "\n\n\n".join((f"{_header(architecture)}\n\n{imports}", body, build))


def _header(architecture: Architecture) -> str:
    """The docstring of the file: shapes, costs, and how the weights are loaded."""
    costs = analyse(architecture)
    kind = KINDS[architecture.data]
    given = "".join(f"\n{index:<16} {INDEX_SHAPES[index]}" for index in kind.indices)
    letter = "N" if kind.is_graph else "B"
    far, each = ("hops", "row") if kind.is_graph else ("steps" if kind.name == "series" else "pixels", "sample")
    found = "A segmentation network" if kind.dense else "A classifier"
    sides = "".join(f", {side}" for side in kind.logits(architecture.input_shape, architecture.classes)[1:])
    return f'''"""{found} found by architecture search.

input            ({letter}, {", ".join(map(str, architecture.input_shape))}){given}
output           ({LETTERS[kind.rows]}, {architecture.classes}{sides}), logits
parameters       {costs.params:,}
{f"MACs per {each}":<16} {costs.macs:,}
receptive field  {costs.receptive_field} {far}
architecture     {architecture.hash}

    model = build()
    model.load_state_dict(weights)
    model.eval()
"""'''


class _Writer:
    """Writes one class.

    scope: the first of its instances; the text is written as seen from there.
    texts: of the slots, taken one after the other as the constructor is written.
    channels: column of channels -> name of the parameter. rows: what a row of each value is.
    indices: name of an index node -> its word. shapes: value of `scope` -> its shape in every instance.
    """

    def __init__(self, architecture: Architecture, blueprint: Blueprint) -> None:
        self.blueprint = blueprint
        self.scope = blueprint.instances[0]
        self.tree = tree(self.scope)
        self.texts = iter(blueprint.texts)
        self.channels = {p.column: p.name for p in reversed(blueprint.parameters) if p.positional}
        rows = zip(*(_values(scope) for scope in blueprint.instances), strict=True)
        self.rows = row_kinds(architecture.nodes)
        self.indices = {node.name: str(node.attrs["of"]) for node in architecture.nodes if node.op == "index"}
        self.shapes = {row[0]: [architecture.shapes[value] for value in row] for row in rows}

    def text(self) -> str:
        """The class: docstring, constructor, forward."""
        scope = self.scope
        lines = [f"class {self.blueprint.name}(nn.Module):", f"    {self._docstring()}", ""]
        parameters = [f"{p.name}: {_annotation(p.column)}" for p in self.blueprint.parameters]
        lines += _broken("    def __init__(", ["self", *parameters], ") -> None:")
        lines.append("        super().__init__()")
        for key, expression in self.blueprint.members:
            lines += self._assign(f"        self.{key} = ", expression)
        arguments = self._arguments()
        tensors = ", ".join(f"{name}: Tensor" for name in arguments)
        lines += ["", f"    def forward(self, {tensors}) -> Tensor:"]
        lines += [f"        {line}" for line in self._forward(dict(zip(scope.inputs, arguments, strict=True)))]
        return "\n".join(lines)

    def _arguments(self) -> list[str]:
        """The arguments of forward: x, x2, … for features, `edges`, `graph` or `pairs` for an index."""
        names: list[str] = []
        for value in self.scope.inputs:
            count = 1 + sum(name.startswith("x") for name in names)
            names.append(self.indices.get(value) or ("x" if count == 1 else f"x{count}"))
        return names

    def _docstring(self) -> str:
        """Shapes in and out, and where the class stands if the line is long enough for that."""
        takes = " and ".join(self._shape(value) for value in self.scope.inputs)
        places = [scope.path for scope in self.blueprint.instances]
        more = f" and {len(places) - 2} more" if len(places) > 2 else ""
        where = f" Stands at {', '.join(places[:2])}{more}." if places[0] else ""
        line = f'"""{takes} -> {self._shape(self.scope.output)}.{where}"""'
        return line if len(line) <= WIDTH else f'"""{takes} -> {self._shape(self.scope.output)}."""'

    def _shape(self, value: str) -> str:
        """The shape of a value with its batch: (B, 16, H, W).

        What differs between the instances of the class is written as the name of a parameter or as a letter.
        """
        if value in self.indices:
            return INDEX_SHAPES[self.indices[value]]
        rows, given = self.shapes[value], self.shapes[self.scope.inputs[0]]
        letters = {2: "T", 4: "DHW"}.get(len(rows[0]), "HW")
        words = [LETTERS[self.rows[value]]]
        for axis, column in enumerate(zip(*rows, strict=True)):
            if axis == 0 and column in self.channels:
                words.append(self.channels[column])
            elif len(set(column)) == 1:
                words.append(str(column[0]))
            elif axis == 0:
                words.append("C")
            else:
                before = tuple(shape[axis] if axis < len(shape) else 0 for shape in given)
                words.append(_side(letters[axis - 1], column, before))
        return f"({', '.join(words)})"

    def _assign(self, start: str, expression: Expression, end: str = "", value: str | None = None) -> list[str]:
        """The lines of `start expression end`, with the shape of `value` as a comment."""
        note = f"  # {self._shape(value)}" if value else ""
        if isinstance(expression, Construct):
            target = expression.target
            name = target.name if isinstance(target, Blueprint) else target
            return _broken(f"{start}{name}(", self._call(expression.slots), f"){end}{note}")
        indent = " " * (len(start) - len(start.lstrip()))
        opening, closing = {"nn.ModuleList": ("[", "]"), "nn.ModuleDict": ("{", "}")}.get(expression.target, ("", ""))
        inner = f"{indent}        " if opening else f"{indent}    "
        lines = []
        for key, item, gives in expression.items:
            label = f'"{key}": ' if opening == "{" else ""
            lines += self._assign(f"{inner}{label}", item, ",", gives)
        if opening:
            lines = [f"{indent}    {opening}", *lines, f"{indent}    {closing}"]
        return [f"{start}{expression.target}(", *lines, f"{indent}){end}{note}"]

    def _call(self, slots: Sequence[Slot]) -> list[str]:
        """The arguments of a call as they are written; those that have torch's default value are left out."""
        pairs = [(slot, next(self.texts)) for slot in slots]
        return [text if slot.positional else f"{slot.name}={text}" for slot, text in pairs if text is not None]

    def _forward(self, held: dict[str, str]) -> Iterator[str]:
        """The lines of the forward pass. held: value -> the variable that holds it, while the value is needed."""
        scope = self.scope
        reads = [source for unit in scope.units for source in dict.fromkeys(unit.inputs)]
        left = {value: reads.count(value) for value in reads}  # how many calls are still to read a value
        shared = {value for value, count in left.items() if count > 1}
        for unit in scope.units:
            names = [held[source] for source in unit.inputs]
            # a value that this call is the last to read frees its variable, which the result may then take
            for source in dict.fromkeys(unit.inputs):
                left[source] -= 1
                if not left[source]:
                    del held[source]
            note = f"  # {self._shape(unit.output)}" if self._changes(unit) else ""
            call = self._apply(unit, names)
            if unit.output == scope.output:
                yield from _noted(f"return {call}", note)
                return
            name = self._variable(unit, names, set(held.values()), forked=unit.inputs[0] in shared)
            held[unit.output] = name
            yield from _noted(f"{name} = {call}", note)

    def _changes(self, unit: Unit) -> bool:
        """Whether the line gets a comment with the shape: anything but a layer that keeps the shape."""
        return unit.kind != "layer" or self.shapes[unit.output] != self.shapes[unit.inputs[0]]

    def _apply(self, unit: Unit, names: list[str]) -> str:
        """The call as an expression. names: of the variables it reads."""
        if unit.kind == "function" and unit.node:
            return cast(Function, OPERATIONS[unit.node.op]).expression(names)
        return f"{self._access(unit)}({', '.join(names)})"

    def _access(self, unit: Unit) -> str:
        """How the scope reaches a member: self.stem, self.branches[0], self.parts["left"]."""
        first, *parts = self.scope.relative(unit.path).split(".")
        text, here = f"self.{first}", self.tree[first]
        for part in parts:
            folder = cast(Tree, here)
            text += f"[{part}]" if is_list(folder) else f'["{part}"]'
            here = folder[part]
        return text

    def _variable(self, unit: Unit, names: list[str], busy: set[str], *, forked: bool) -> str:
        """The variable for the result of a call; a name of `busy` is not taken.

        A row of calls keeps its variable, a join is x again, and a call that reads a value which others read too
        (forked) gets a variable of its own: y, z … if a row follows, else a name after the module.
        """
        if unit.kind == "function":
            wanted = ["x", *names]
        elif not forked:
            wanted = [names[0]]
        else:
            readers = [other for other in self.scope.units if unit.output in other.inputs]
            in_row = len(readers) == 1 and readers[0].kind != "function"
            spoken = _spoken(self.scope.relative(unit.path).split("."))
            wanted = ["y", "z", "u", "v"] if in_row else [spoken]
        number, base = 2, wanted[-1]
        for name in wanted:
            if name not in busy:
                return name
        while f"{base}{number}" in busy:
            number += 1
        return f"{base}{number}"


def _values(scope: Scope) -> list[str]:
    """All values of a scope in an order that is the same for every instance of its class."""
    values = list(scope.inputs)
    units = list(scope.units)
    for unit in units:
        units.extend(unit.items)
        values.append(unit.output)
    return values


def _spoken(parts: list[str]) -> str:
    """A variable after a module's path: branches.0 as branch0, merge as merge."""
    words = [part for part in parts if not part.isdigit()]
    numbers = "_".join(part for part in parts if part.isdigit())
    word = words[-1] if words else "y"
    if numbers:
        word = singular(word)
    return f"{word}{numbers}" + "_" * keyword.iskeyword(f"{word}{numbers}")


def _side(letter: str, column: tuple[int, ...], given: tuple[int, ...]) -> str:
    """A varying side in terms of the side that came in: H, H/2, H/4, H/8, or H' if none of them holds everywhere."""
    for divisor in (1, 2, 4, 8):  # rounded up, as padding "same" does
        if all(-(-before // divisor) == after for before, after in zip(given, column, strict=True)):
            return letter if divisor == 1 else f"{letter}/{divisor}"
    return f"{letter}'"


def _annotation(column: tuple[Argument, ...]) -> str:
    """The type of a parameter with these values."""
    names = {bool: "bool", int: "int", float: "float", str: "str", tuple: "tuple[int, ...]"}
    return " | ".join(sorted({names[type(value)] for value in column}))


def _broken(start: str, parts: list[str], end: str) -> list[str]:
    """`start parts end` on one line if that fits, else the parts on a line of their own, else a line for each part."""
    line = f"{start}{', '.join(parts)}{end}"
    if len(line) <= WIDTH or not parts:
        return [line]
    indent = " " * (len(start) - len(start.lstrip()))
    together = f"{indent}    {', '.join(parts)}"
    if len(together) <= WIDTH:
        return [start, together, f"{indent}{end}"]
    return [start, *(f"{indent}    {part}," for part in parts), f"{indent}{end}"]


def _noted(line: str, note: str) -> list[str]:
    """A line of the forward pass with its comment; a long sum or concatenation is broken into several."""
    if len(line) <= WIDTH - 8:
        return [line + note]
    head, _, tail = line.partition(" = ") if not line.startswith("return ") else ("return", "", line[7:])
    start = "return (" if head == "return" else f"{head} = ("
    return [start, *(f"    {part}" for part in textwrap.wrap(tail, WIDTH - 16)), f"){note}"]
