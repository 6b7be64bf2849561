"""Which class, part and group each picture has: by its folders, or by a table beside the pictures."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from archsmith.errors import InvalidDataset
from workers.datasets import other_tasks, picture_survey, pixels
from workers.datasets.label_table import ENDINGS, MAX_TABLE_BYTES, Labelled, Names, agrees, in_order, parse, read_table
from workers.datasets.layout import LAYOUT, ORDER, Layout, Placed, read_layout, split_of
from workers.datasets.picture_files import Entry, Files
from workers.datasets.picture_groups import by_file_name, check_parts
from workers.datasets.picture_survey import Survey
from workers.datasets.raw import fault


@dataclass(frozen=True, kw_only=True, slots=True)
class Places:
    """placed: in the order train, val, test, each by the name of the file. names: of the classes, in order.

    groups: by number of the picture; {} where pictures stand alone.
    """

    placed: tuple[Placed, ...]
    names: tuple[str, ...]
    warnings: tuple[str, ...]
    groups: Mapping[int, str] = field(default_factory=dict)
    notes: Mapping[str, object] = field(default_factory=dict)


def place(files: Files, found: Survey, group_by: str | None) -> Places:
    """group_by: see `picture_groups`. Raises InvalidDataset with the true reason."""
    if not found.pictures:
        picture_survey.check_bad(found.bad, total=len(found.bad))
        detail = f"{files.name} holds no pictures; wanted is {LAYOUT}"
        raise fault("layout_invalid", detail, file=files.name, allowed=list(pixels.FORMATS))
    paths = [entry.parts for entry in found.pictures]
    table = _table(files, found, Names(paths))
    layout, names = _layout(files, found, table, paths)
    placed = sorted(layout.placed, key=lambda p: (ORDER.index(p.part), found.pictures[p.number].name))
    groups, by = _groups(found.pictures, placed, table, group_by)
    check_parts(placed, groups)
    told = (f"{len(set(groups.values()))} groups by {by}: none is in two splits",) if groups else ()
    return Places(
        placed=tuple(placed),
        names=names,
        warnings=(*layout.warnings, *told),
        groups=groups,
        notes={"groups": {"by": by, "count": len(set(groups.values()))}} if groups else {},
    )


def _layout(
    files: Files, found: Survey, table: Labelled | None, paths: Sequence[tuple[str, ...]]
) -> tuple[Layout, tuple[str, ...]]:
    """And the names of the classes: of folders in the order of their names, of tables see `in_order`."""
    refused = None
    try:
        layout = read_layout(paths)
    except InvalidDataset as error:
        refused = error
    if table and table.labels and (refused or _prefers(table, layout)):
        layout = _by_table(table, paths)
        return layout, in_order({p.label for p in layout.placed})
    if refused:
        raise _true_reason(files, found, refused, table)
    return layout, tuple(sorted({p.label for p in layout.placed}))


def _groups(
    pictures: Sequence[Entry], placed: Sequence[Placed], table: Labelled | None, group_by: str | None
) -> tuple[dict[int, str], str]:
    """The group of each picture that is used, and what they are by. One without a group is its own."""
    if group_by is not None:
        return by_file_name(pictures, placed, group_by), f"the part of file names before {group_by!r}"
    if table is None or not table.groups:
        return {}, ""
    own = {p.number: table.groups.get(p.number) or f"/{pictures[p.number].name}" for p in placed}
    return own, f"the column {table.group_column} of {table.name}"


def _table(files: Files, found: Survey, names: Names) -> Labelled | None:
    """Of the tables beside the pictures the one about most of them."""
    tables = []
    for entry in found.beside:
        if entry.suffix in ENDINGS and entry.size <= MAX_TABLE_BYTES and "submission" not in entry.parts[-1].lower():
            table = parse(entry.name, files.read(entry))
            if table and (labelled := read_table(table, names)):
                tables.append(labelled)
    return max(tables, key=lambda table: (table.labels, len(table.placed)), default=None)


def _prefers(table: Labelled, layout: Layout) -> bool:
    """Whether a table overrules class folders: it lists most pictures and says something else, or more."""
    if 2 * len(table.placed) < len(layout.placed):
        return False
    return table.split or not agrees(table.placed, layout.placed)


def _by_table(table: Labelled, paths: Sequence[tuple[str, ...]]) -> Layout:
    """Parts are the table's, else those of folders that are named like splits, else all is for training."""
    parts = {p.number: p.part for p in table.placed} if table.split else _folder_parts(table, paths)
    placed = [Placed(number=p.number, part=parts.get(p.number, "train"), label=p.label) for p in table.placed]
    trained = sorted({p.label for p in placed if p.part == "train"})
    if len(trained) < 2:
        detail = f"{table.name}: at least 2 classes to train on are needed, found {len(trained)}: {', '.join(trained)}"
        raise fault("too_few_classes", detail, file=table.name, allowed=2)
    warnings = [f"classes are those of {table.name}", *table.warnings]
    rest = len(paths) - len(placed)
    if rest:
        listed = {p.number for p in placed}
        example = next("/".join(path) for number, path in enumerate(paths) if number not in listed)
        warnings.append(f"{rest} pictures without a class in {table.name} are left out, as {example}")
    return Layout(placed=tuple(placed), warnings=tuple(warnings))


def _folder_parts(table: Labelled, paths: Sequence[tuple[str, ...]]) -> dict[int, str]:
    parts = {}
    for p in table.placed:
        found = [part for name in paths[p.number][:-1] if (part := split_of(name))]
        if not found:
            return {}
        parts[p.number] = found[0]
    return parts if "train" in parts.values() else {}


def _true_reason(files: Files, found: Survey, layout: InvalidDataset, table: Labelled | None) -> InvalidDataset:
    """A layout that cannot be read is often one of another task."""
    if table and table.warnings:
        return fault("table_invalid", table.warnings[0], file=table.name)
    if boxes := other_tasks.detection(files, found.beside, found.pictures):
        detail = (
            f"this is a data set for object detection: {boxes}; pictures are read for classification: cut the objects "
            "out and put them into one folder a class"
        )
        return fault("task_unsupported", detail, file=boxes.split(" ", 1)[0])
    if picture_survey.few(len(found.bad), len(found.pictures) + len(found.bad)):
        return layout
    bad = [f for one in found.bad for f in one.faults]
    return InvalidDataset((*layout.faults, *bad)[: picture_survey.MAX_NAMED])
