"""Which classes the generated code has: scopes that differ in sizes only share one, and the sizes are its parameters.

The steps, from the smallest scopes up, so that a scope knows the classes of the scopes inside it:

1. Group the scopes of one height by skeleton: their constructor calls and forward calls without the numbers.
2. Put the numbers of a group into a table: a row for each scope (an instance of the class to be), a column for each
   slot, which is one argument of one constructor call.
3. A column with the same value everywhere is written out. Varying columns of one family (channels, kernel sizes,
   strides …) that are equal in every row become one parameter of the class.
4. A group that would need more than `MAX_PARAMETERS` is split into one class for each different row.
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
"""A class that would need more is written once for each set of numbers instead, with the numbers in place."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Slot:
    """One argument of a constructor call.

    owner: path of the module that is constructed, relative to the scope. name, value: of the argument.
    positional: whether it is written without its name. default: torch's own value, which is not written; None if the
    argument has none.
    """

    owner: str
    name: str
    value: Argument
    positional: bool
    default: Argument | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Construct:
    """A constructor call: of torch.nn ("nn.Conv2d"), of an imported class, or of a class of the file."""

    target: Union[str, "Blueprint"]
    slots: tuple[Slot, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Container:
    """nn.Sequential, nn.ModuleList or nn.ModuleDict.

    items: key, member, and in an nn.Sequential the name of the value that the member gives, else None.
    """

    target: str
    items: tuple[tuple[str, "Expression", str | None], ...]


Expression = Construct | Container


@dataclass(frozen=True, kw_only=True, slots=True)
class Parameter:
    """One parameter of a class's constructor, with its value in every instance."""

    name: str
    column: tuple[Argument, ...]
    positional: bool


@dataclass(kw_only=True, slots=True, eq=False)
class Blueprint:
    """A class to be written.

    instances: the scopes that are calls of it. members: what its constructor sets, by key, as in the first instance.
    parameters: of the constructor. texts: the text of each slot of `members`, in order; None where nothing is written.
    name: given by `space.codegen.naming`.
    """

    instances: list[Scope]
    members: list[tuple[str, Expression]]
    parameters: list[Parameter] = field(default_factory=list)
    texts: list[str | None] = field(default_factory=list)
    name: str = ""


def blueprints(architecture: Architecture) -> list[Blueprint]:
    """All classes, each after those it uses; the last is the whole model. They have no names yet."""
    levels: dict[int, list[Scope]] = {}
    _collect(outline(architecture), levels)
    made: dict[str, Construct] = {}  # path of a scope -> the call that constructs it
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
    """The classes that a class uses, in the order of use, then the class itself."""
    for target in _targets(blueprint.members):
        yield from _in_order(target)
    yield blueprint


def _targets(members: Iterable[tuple[str, Expression]]) -> Iterator[Blueprint]:
    """The classes of the file that these members are instances of."""
    for _, expression in members:
        if isinstance(expression, Container):
            yield from _targets((key, inner) for key, inner, _ in expression.items)
        elif isinstance(expression.target, Blueprint):
            yield expression.target


def _collect(scope: Scope, levels: dict[int, list[Scope]]) -> int:
    """Sort a scope and those inside it by height into `levels`; returns its own. Height 0: no scope inside."""
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
    """The members of a scope by key; an open folder is a tree of its own.

    Functions have no module, and repeats use the module of the first call: neither is a member.
    """
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


def _members(architecture: Architecture, scope: Scope, made: Mapping[str, Construct]) -> list[tuple[str, Expression]]:
    """What the constructor of a scope's class sets, by key. made: the calls for the scopes inside it."""

    def of(item: Tree | Unit) -> Expression:
        if isinstance(item, Unit):
            return _construct(architecture, scope, item, made)
        if is_list(item):
            keys = sorted(item, key=int)
            return Container(target="nn.ModuleList", items=tuple((key, of(item[key]), None) for key in keys))
        return Container(target="nn.ModuleDict", items=tuple((key, of(inner), None) for key, inner in item.items()))

    return [(key, of(item)) for key, item in tree(scope).items()]


def _construct(architecture: Architecture, scope: Scope, unit: Unit, made: Mapping[str, Construct]) -> Expression:
    """The expression that constructs a unit: a row, a block or a layer."""
    if unit.kind == "sequence":
        items = tuple(
            (str(number), _construct(architecture, scope, item, made), item.output)
            for number, item in enumerate(unit.items)
        )
        return Container(target="nn.Sequential", items=items)
    owner = scope.relative(unit.path)
    if unit.node is None:  # a block: the call of its class, with the slots as seen from this scope
        inner = made[unit.path]
        slots = tuple(
            Slot(owner=owner, name=s.name, value=s.value, positional=s.positional, default=s.default)
            for s in inner.slots
        )
        return Construct(target=inner.target, slots=slots)
    operation = cast(Layer, OPERATIONS[unit.node.op])
    call = operation.call(unit.node.attrs, [architecture.shapes[source] for source in unit.node.inputs])
    slots = tuple(
        Slot(owner=owner, name=name, value=value, positional=name in call.positional, default=call.defaults.get(name))
        for name, value in (*call.positional.items(), *call.keywords.items())
    )
    return Construct(target=f"nn.{call.target}" if call.library == "torch.nn" else call.target, slots=slots)


def slots(members: list[tuple[str, Expression]]) -> Iterator[Slot]:
    """All slots in the order they are written."""
    for _, expression in members:
        if isinstance(expression, Construct):
            yield from expression.slots
        else:
            yield from slots([(key, inner) for key, inner, _ in expression.items])


def _skeleton(scope: Scope, members: list[tuple[str, Expression]]) -> object:
    """A value that is equal for scopes that differ in numbers only: members, forward calls, whether it is the model."""

    def shape(expression: Expression) -> object:
        """An expression without the values of its slots."""
        if isinstance(expression, Construct):
            target = expression.target
            name = target if isinstance(target, str) else id(target)
            return name, tuple((s.name, s.positional, s.default) for s in expression.slots)
        return expression.target, tuple((key, shape(inner)) for key, inner, _ in expression.items)

    # the calls of `forward`, with values numbered in the order in which they appear, so that names do not count
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
    made: dict[str, Construct],
) -> list[Blueprint]:
    """One class for all these scopes, or one for each set of numbers if it would need too many parameters.

    Adds the constructor call of each scope to `made`.
    """
    blueprint = Blueprint(instances=scopes, members=members[scopes[0].path])
    _parametrise(architecture, blueprint, [list(slots(members[scope.path])) for scope in scopes])
    if len(blueprint.parameters) > MAX_PARAMETERS:
        alike: dict[object, list[Scope]] = {}
        for scope in scopes:
            alike.setdefault(tuple(slot.value for slot in slots(members[scope.path])), []).append(scope)
        return [split for same in alike.values() for split in _classes(architecture, same, members, made)]
    for number, scope in enumerate(scopes):
        arguments = tuple(
            Slot(owner="", name=p.name, value=p.column[number], positional=p.positional, default=None)
            for p in blueprint.parameters
        )
        made[scope.path] = Construct(target=blueprint, slots=arguments)
    return [blueprint]


FAMILIES = ("channels", "features", "groups", "kernel_size", "stride", "padding", "dilation", "bias")
"""Arguments of one family may share a parameter: in_channels of one layer and out_channels of another, for instance."""


def _family(name: str) -> str:
    """The family of an argument, by the end of its name; its own name if it is in none."""
    found = next((family for family in FAMILIES if name == family or name.endswith(f"_{family}")), name)
    return "channels" if found in ("features", "groups") else found


def _positional(name: str) -> bool:
    """Whether a parameter is written without its name: widths, as in torch.nn."""
    return name.endswith(("channels", "features"))


def _parametrise(architecture: Architecture, blueprint: Blueprint, rows: list[list[Slot]]) -> None:
    """Fill in `parameters` and `texts` of a class. rows: the slots of each instance."""
    first = rows[0]
    columns = [tuple(row[i].value for row in rows) for i in range(len(first))]
    # the parameters to be: (family, column) -> the slots that have this column
    found: dict[tuple[str, tuple[Argument, ...]], list[int]] = {}
    halves = _halves(first, columns)
    ends = _ends(architecture, blueprint.instances) if any(len(set(column)) > 1 for column in columns) else {}
    for i, column in enumerate(columns):
        # if a class has parameters at all, its channels are among them, even where they are the same in all instances
        is_end = _positional(first[i].name) and column in ends
        if (is_end or len(set(column)) > 1) and i not in halves:
            found.setdefault((_family(first[i].name), column), []).append(i)
    names = _parameter_names(architecture, blueprint.instances, first, found)
    for (_, column), name in names.items():
        blueprint.parameters.append(Parameter(name=name, column=column, positional=_positional(name)))
    # each slot in turn: a parameter, half of one, or the value itself unless it is torch's default
    written = {i: names[key] for key, places in found.items() for i in places}
    for i, slot in enumerate(first):
        if i in written:
            blueprint.texts.append(written[i])
        elif i in halves:
            blueprint.texts.append(f"{written[halves[i]]} // 2")
        else:
            blueprint.texts.append(None if slot.value == slot.default else _written(slot.value))


def _written(value: Argument) -> str:
    """A value as Python text."""
    return f'"{value}"' if isinstance(value, str) else repr(value)


def _halves(first: list[Slot], columns: list[tuple[Argument, ...]]) -> dict[int, int]:
    """Padding slots that are half the kernel size of their layer in every instance -> the slot of that kernel size.

    They are written as `kernel_size // 2`, so that one parameter serves both.
    """
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
    """The columns of the channels that come in and of those that leave -> the name of their parameter."""
    come = tuple(architecture.shapes[scope.inputs[0]][0] for scope in instances)
    leave = tuple(architecture.shapes[scope.output][0] for scope in instances)
    return {come: "channels"} if come == leave else {come: "in_channels", leave: "out_channels"}


def _parameter_names(
    architecture: Architecture,
    instances: list[Scope],
    first: list[Slot],
    found: Mapping[tuple[str, tuple[Argument, ...]], list[int]],
) -> dict[tuple[str, tuple[Argument, ...]], str]:
    """A name for each parameter, in the order of the constructor: channels in, channels out, other widths, the rest.

    The name is that of the ends if the column is theirs, the argument's own (`kernel_size`) if no other parameter is of
    its family, else one with the layer in it (`first_kernel_size`). Names that are taken get a number.
    """
    ends = _ends(architecture, instances)
    names: dict[tuple[str, tuple[Argument, ...]], str] = {}
    rank = {"channels": 0, "in_channels": 0, "out_channels": 1}
    # (rank, first slot, key of `found`, name)
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
"""Better names for the channels inside a bottleneck and inside a cell."""


def _spoken(slot: Slot) -> str:
    """The name of an argument with its layer: norm_groups."""
    name = f"{slot.owner.replace('.', '_')}_{slot.name}"
    return SPOKEN.get(name, name)
