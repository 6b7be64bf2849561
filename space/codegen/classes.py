"""Which classes the generated code has: scopes that differ in sizes only share one, and the sizes are its parameters.

Two scopes have the same skeleton when their constructors and calls are the same but for numbers. The numbers stand in
slots, in order; over the instances of a class each slot has a column of values. A column that is constant is written
out. Varying columns of one family (channels, kernel sizes, strides …) that are equal everywhere are one parameter.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Union, cast

from space.architecture import Architecture
from space.codegen.outline import Scope, Unit, outline
from space.operations import OPERATIONS
from space.operations.base import Argument, Layer

MAX_PARAMETERS = 7
"""A class that would need more is written once per use instead, with its numbers in place."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Slot:
    """One argument of a constructor. owner: path of what is constructed, relative to the scope."""

    owner: str
    name: str
    value: Argument
    positional: bool
    default: Argument | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Made:
    """A constructor call: of torch.nn ("nn.Conv2d"), of an imported class, or of a class of the file."""

    target: Union[str, "Blueprint"]
    slots: tuple[Slot, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Held:
    """nn.Sequential, nn.ModuleList or nn.ModuleDict. items: key, what stands there, in a row the value it gives."""

    target: str
    items: tuple[tuple[str, "Expression", str | None], ...]


Expression = Made | Held


@dataclass(frozen=True, kw_only=True, slots=True)
class Parameter:
    """One parameter of a class's constructor, with its value in every instance."""

    name: str
    column: tuple[Argument, ...]
    positional: bool


@dataclass(kw_only=True, slots=True, eq=False)
class Blueprint:
    """A class. members: what its constructor sets, by key. texts: what is written in each slot, None for nothing."""

    instances: list[Scope]
    members: list[tuple[str, Expression]]
    parameters: list[Parameter] = field(default_factory=list)
    texts: list[str | None] = field(default_factory=list)
    name: str = ""


def blueprints(architecture: Architecture) -> list[Blueprint]:
    """All classes, each after those it uses; the last is the whole model. `space.codegen.naming` gives them their
    names."""
    levels: dict[int, list[Scope]] = {}
    _collect(outline(architecture), levels)
    made: dict[str, Made] = {}
    classes: list[Blueprint] = []
    for height in sorted(levels):
        groups: dict[object, list[Scope]] = {}
        members = {scope.path: _members(architecture, scope, made) for scope in levels[height]}
        for scope in levels[height]:
            groups.setdefault(_skeleton(scope, members[scope.path]), []).append(scope)
        for scopes in groups.values():
            classes.extend(_classes(architecture, scopes, members, made))
    return list(dict.fromkeys(_in_order(classes[-1])))


def _in_order(blueprint: Blueprint) -> Iterator[Blueprint]:
    """A class after all that it uses, in the order of use."""
    for target in _targets(blueprint.members):
        yield from _in_order(target)
    yield blueprint


def _targets(members: Iterable[tuple[str, Expression]]) -> Iterator[Blueprint]:
    for _, expression in members:
        if isinstance(expression, Held):
            yield from _targets((key, inner) for key, inner, _ in expression.items)
        elif isinstance(expression.target, Blueprint):
            yield expression.target


def _collect(scope: Scope, levels: dict[int, list[Scope]]) -> int:
    """Sort scopes by height: 0 for one that holds no other."""
    height = 0
    units = list(scope.units)
    for unit in units:
        units.extend(unit.items)
        if unit.scope is not None and not unit.again:
            height = max(height, _collect(unit.scope, levels) + 1)
    levels.setdefault(height, []).append(scope)
    return height


Tree = dict[str, Union["Tree", Unit]]


def tree(scope: Scope) -> Tree:
    """The members of a scope by key; open folders are trees again."""
    root: Tree = {}
    for unit in scope.units:
        if unit.kind == "function" or unit.again:
            continue
        *folders, key = scope.relative(unit.path).split(".")
        home = root
        for folder in folders:
            home = cast(Tree, home.setdefault(folder, {}))
        home[key] = unit
    return root


def is_list(folder: Tree) -> bool:
    """Whether the keys are 0, 1, 2 … without gaps."""
    return sorted(folder) == sorted(str(number) for number in range(len(folder)))


def _members(architecture: Architecture, scope: Scope, made: Mapping[str, Made]) -> list[tuple[str, Expression]]:
    def of(item: Tree | Unit) -> Expression:
        if isinstance(item, Unit):
            return _construct(architecture, scope, item, made)
        if is_list(item):
            keys = sorted(item, key=int)
            return Held(target="nn.ModuleList", items=tuple((key, of(item[key]), None) for key in keys))
        return Held(target="nn.ModuleDict", items=tuple((key, of(inner), None) for key, inner in item.items()))

    return [(key, of(item)) for key, item in tree(scope).items()]


def _construct(architecture: Architecture, scope: Scope, unit: Unit, made: Mapping[str, Made]) -> Expression:
    if unit.kind == "sequence":
        items = tuple(
            (str(number), _construct(architecture, scope, item, made), item.output)
            for number, item in enumerate(unit.items)
        )
        return Held(target="nn.Sequential", items=items)
    owner = scope.relative(unit.path)
    if unit.node is None:
        inner = made[unit.path]
        slots = tuple(
            Slot(owner=owner, name=s.name, value=s.value, positional=s.positional, default=s.default)
            for s in inner.slots
        )
        return Made(target=inner.target, slots=slots)
    operation = cast(Layer, OPERATIONS[unit.node.op])
    call = operation.call(unit.node.attrs, [architecture.shapes[source] for source in unit.node.inputs])
    slots = tuple(
        Slot(owner=owner, name=name, value=value, positional=name in call.positional, default=call.defaults.get(name))
        for name, value in (*call.positional.items(), *call.keywords.items())
    )
    return Made(target=f"nn.{call.target}" if call.library == "torch.nn" else call.target, slots=slots)


def slots(members: list[tuple[str, Expression]]) -> Iterator[Slot]:
    """All slots in the order they are written."""
    for _, expression in members:
        if isinstance(expression, Made):
            yield from expression.slots
        else:
            yield from slots([(key, inner) for key, inner, _ in expression.items])


def _skeleton(scope: Scope, members: list[tuple[str, Expression]]) -> object:
    """Equal for scopes that differ in numbers only."""

    def shape(expression: Expression) -> object:
        if isinstance(expression, Made):
            target = expression.target
            name = target if isinstance(target, str) else id(target)
            return name, tuple((s.name, s.positional, s.default) for s in expression.slots)
        return expression.target, tuple((key, shape(inner)) for key, inner, _ in expression.items)

    values = {name: number for number, name in enumerate(scope.inputs)}
    calls = []
    for unit in scope.units:
        operation = unit.node.op if unit.kind == "function" and unit.node else ""
        calls.append((scope.relative(unit.path), operation, tuple(values[source] for source in unit.inputs)))
        values[unit.output] = len(values)
    return tuple((key, shape(inner)) for key, inner in members), tuple(calls), scope.path == ""


def _classes(
    architecture: Architecture,
    scopes: list[Scope],
    members: Mapping[str, list[tuple[str, Expression]]],
    made: dict[str, Made],
) -> list[Blueprint]:
    """One class for all these scopes, or one for each set of numbers if it would take too many parameters."""
    blueprint = Blueprint(instances=scopes, members=members[scopes[0].path])
    _parametrise(architecture, blueprint, [list(slots(members[scope.path])) for scope in scopes])
    if len(blueprint.parameters) > MAX_PARAMETERS:
        alike: dict[object, list[Scope]] = {}
        for scope in scopes:
            alike.setdefault(tuple(slot.value for slot in slots(members[scope.path])), []).append(scope)
        return [one for same in alike.values() for one in _classes(architecture, same, members, made)]
    for number, scope in enumerate(scopes):
        arguments = tuple(
            Slot(owner="", name=p.name, value=p.column[number], positional=p.positional, default=None)
            for p in blueprint.parameters
        )
        made[scope.path] = Made(target=blueprint, slots=arguments)
    return [blueprint]


FAMILIES = ("channels", "features", "groups", "kernel_size", "stride", "padding", "dilation", "bias")


def _family(name: str) -> str:
    found = next((family for family in FAMILIES if name == family or name.endswith(f"_{family}")), name)
    return "channels" if found in ("features", "groups") else found


def _positional(name: str) -> bool:
    return name.endswith(("channels", "features"))


def _parametrise(architecture: Architecture, blueprint: Blueprint, rows: list[list[Slot]]) -> None:
    """Fill in parameters and texts. rows: the slots of each instance."""
    first = rows[0]
    columns = [tuple(row[i].value for row in rows) for i in range(len(first))]
    found: dict[tuple[str, tuple[Argument, ...]], list[int]] = {}
    halves = _halves(first, columns)
    ends = _ends(architecture, blueprint.instances) if any(len(set(column)) > 1 for column in columns) else {}
    for i, column in enumerate(columns):
        # a class that has parameters at all says its channels, even where they happen to agree
        told = _positional(first[i].name) and column in ends
        if (told or len(set(column)) > 1) and i not in halves:
            found.setdefault((_family(first[i].name), column), []).append(i)
    names = _parameter_names(architecture, blueprint.instances, first, found)
    for (_, column), name in names.items():
        blueprint.parameters.append(Parameter(name=name, column=column, positional=_positional(name)))
    written = {i: names[key] for key, places in found.items() for i in places}
    for i, slot in enumerate(first):
        if i in written:
            blueprint.texts.append(written[i])
        elif i in halves:
            blueprint.texts.append(f"{written[halves[i]]} // 2")
        else:
            blueprint.texts.append(None if slot.value == slot.default else _written(slot.value))


def _written(value: Argument) -> str:
    return f'"{value}"' if isinstance(value, str) else repr(value)


def _halves(first: list[Slot], columns: list[tuple[Argument, ...]]) -> dict[int, int]:
    """Slots of padding that are half the kernel size of the same layer in every instance -> the kernel's slot."""
    kernels = {slot.owner: i for i, slot in enumerate(first) if slot.name == "kernel_size"}
    halves: dict[int, int] = {}
    for i, slot in enumerate(first):
        j = kernels.get(slot.owner, i)
        if slot.name != "padding" or len(set(columns[i])) == 1 or j == i:
            continue
        pairs = list(zip(columns[j], columns[i], strict=True))
        if all(isinstance(k, int) and isinstance(p, int) and p == k // 2 for k, p in pairs):
            halves[i] = j
    return halves


def _ends(architecture: Architecture, instances: list[Scope]) -> dict[tuple[int, ...], str]:
    """The columns of channels that come in and leave, by name."""
    come = tuple(architecture.shapes[scope.inputs[0]][0] for scope in instances)
    leave = tuple(architecture.shapes[scope.output][0] for scope in instances)
    return {come: "channels"} if come == leave else {come: "in_channels", leave: "out_channels"}


def _parameter_names(
    architecture: Architecture,
    instances: list[Scope],
    first: list[Slot],
    found: Mapping[tuple[str, tuple[Argument, ...]], list[int]],
) -> dict[tuple[str, tuple[Argument, ...]], str]:
    """A name for each varying column, in the order of the constructor: channels in, channels out, then as met."""
    ends = _ends(architecture, instances)
    names: dict[tuple[str, tuple[Argument, ...]], str] = {}
    rank = {"channels": 0, "in_channels": 0, "out_channels": 1}
    wanted: list[tuple[int, int, tuple[str, tuple[Argument, ...]], str]] = []
    families = Counter(family for family, _ in found)
    for key, places in found.items():
        family, column = key
        slot = first[places[0]]
        name = ends.get(cast("tuple[int, ...]", column), "") if family == "channels" else ""
        if not name:
            alone = families[family] == 1 or (family == "channels" and slot.name == "groups")
            name = slot.name if alone else _spoken(slot)
        wanted.append((rank.get(name, 2 if _positional(name) else 3), places[0], key, name))
    for _, _, key, name in sorted(wanted, key=lambda item: item[:2]):
        slot = first[found[key][0]]
        own = _spoken(slot) if name in names.values() and slot.owner else name
        unique, number = own, 2
        while unique in names.values():
            unique, number = f"{own}{number}", number + 1
        names[key] = unique
    return names


SPOKEN = {"reduce_out_channels": "reduced_channels", "before_out_channels": "cell_channels"}
"""What a person calls the channels within a bottleneck, and within a cell."""


def _spoken(slot: Slot) -> str:
    """A parameter by whose it is: norm_groups."""
    name = f"{slot.owner.replace('.', '_')}_{slot.name}"
    return SPOKEN.get(name, name)
