"""Which class or other answer, part and group each picture has: by its folders, a table beside it, or its mask."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from archsmith.errors import InvalidDataset
from workers.datasets import masked_places, ordered, other_tasks, picture_survey, pixels
from workers.datasets.label_columns import ALONE, NAMED, RowAnswers
from workers.datasets.label_table import ENDINGS, MAX_TABLE_BYTES, Labelled, Names, agrees, in_order, parse, read_table
from workers.datasets.layout import LAYOUT, ORDER, Layout, Placed, read_layout, split_of
from workers.datasets.mask_pairs import Pairing, looks_paired, twins_in_classes
from workers.datasets.picture_files import Entry, Files
from workers.datasets.picture_groups import by_file_name, check_parts
from workers.datasets.picture_survey import Bad, Survey
from workers.datasets.raw import fault
from workers.datasets.unsuitable import unsuitable


@dataclass(frozen=True, kw_only=True, slots=True)
class Places:
    """placed: in the order train, val, test, each by the name of the file. names: of the classes, labels or targets.

    groups: by number of the picture; {} where pictures stand alone.
    values: by number of the picture, the answers of regression and multilabel. masks: by number, those of segmentation.
    bad: pictures without a mask, and masks without a picture.
    """

    placed: tuple[Placed, ...]
    names: tuple[str, ...]
    warnings: tuple[str, ...]
    groups: Mapping[int, str] = field(default_factory=dict)
    notes: Mapping[str, object] = field(default_factory=dict)
    problem: str = "classification"
    values: Mapping[int, tuple[float, ...]] = field(default_factory=dict)
    masks: Mapping[int, Entry] = field(default_factory=dict)
    bad: tuple[Bad, ...] = ()


def place(files: Files, found: Survey, group_by: str | None, problem: str | None = None) -> Places:
    """group_by: see `picture_groups`. problem: the option. Raises InvalidDataset with the true reason."""
    if not found.pictures:
        picture_survey.check_bad(found.bad, total=len(found.bad))
        detail = f"{files.name} holds no pictures; wanted is {LAYOUT}"
        raise fault("layout_invalid", detail, file=files.name, allowed=list(pixels.FORMATS))
    paths = [entry.parts for entry in found.pictures]
    if (pairing := masked_places.pairs_of(paths, problem)) is not None:
        return _with_masks(found, pairing, group_by, problem)
    table = _table(files, found, Names(paths), problem)
    layout, known = _layout(files, found, table, paths, problem)
    return replace(known, **_in_order(found, layout, table, group_by))


def _in_order(found: Survey, layout: Layout, table: Labelled | None, group_by: str | None) -> dict[str, Any]:
    """Fields of Places that do not depend on what an answer is."""
    placed = sorted(layout.placed, key=lambda p: (ORDER.index(p.part), found.pictures[p.number].name))
    groups, by = _groups(found.pictures, placed, table, group_by)
    check_parts(placed, groups)
    told = (f"{len(set(groups.values()))} groups by {by}: none is in two splits",) if groups else ()
    return {
        "placed": tuple(placed),
        "warnings": (*layout.warnings, *told),
        "groups": groups,
        "notes": {"groups": {"by": by, "count": len(set(groups.values()))}} if groups else {},
    }


def _with_masks(found: Survey, pairing: Pairing, group_by: str | None, problem: str | None) -> Places:
    layout = Layout(
        placed=masked_places.placed_of(pairing), warnings=masked_places.warnings_of(pairing, found.pictures, problem)
    )
    return Places(
        names=(),
        problem="segmentation",
        masks={pair.picture: found.pictures[pair.mask] for pair in pairing.pairs},
        bad=masked_places.bad_of(pairing, found.pictures),
        **_in_order(found, layout, None, group_by),
    )


def _layout(
    files: Files, found: Survey, table: Labelled | None, paths: Sequence[tuple[str, ...]], problem: str | None
) -> tuple[Layout, Places]:
    """And what is known of the answers: names of folders in the order of their names, of tables see `in_order`."""
    refused = None
    try:
        layout = read_layout(paths)
    except InvalidDataset as error:
        refused = error
    if table and table.answers and _answers(table, table.answers, layout=None if refused else layout, asked=problem):
        if table.answers.broken:
            raise table.answers.broken
        layout = _by_table(table, paths)
        return layout, _known(table.answers.names, table.answers.problem, values=table.values)
    if problem in ("regression", "multilabel"):
        detail = f"no table beside the pictures of {files.name} has numbers or labels for them"
        detail += f" ({table.name} has not)" if table else ""
        raise unsuitable(problem, detail, cure="add labels.csv with the columns file and label")
    if table and table.labels and not table.answers and (refused or _prefers(table, layout)):
        layout = _by_table(table, paths)
        return layout, _classes(in_order({p.label for p in layout.placed}), problem)
    if refused:
        raise _true_reason(files, found, refused, table)
    layout = _without_masks(found, layout, paths, problem)
    return layout, _classes(tuple(sorted({p.label for p in layout.placed})), problem)


def _answers(table: Labelled, answers: RowAnswers, *, layout: Layout | None, asked: str | None) -> bool:
    """Whether a table of numbers, or of several labels, is used. layout: None where folders name no classes."""
    if layout is None or asked is not None or answers.sure == NAMED:
        return True
    if answers.sure == ALONE:
        names = ", ".join(answers.names[:3])
        detail = (
            f"the folders name classes, and {table.name} has other answers in {names}: --problem classification reads "
            f"the folders, --problem {answers.problem} the table"
        )
        allowed = ["classification", answers.problem]
        raise fault("layout_ambiguous", detail, file=table.name, allowed=allowed)
    return False


def _known(names: tuple[str, ...], problem: str, *, values: Mapping[int, tuple[float, ...]] | None = None) -> Places:
    return Places(placed=(), names=names, warnings=(), problem=problem, values=values or {})


def _classes(names: tuple[str, ...], problem: str | None) -> Places:
    if problem != "ordinal":
        return _known(names, "classification")
    return _known(tuple(names[number] for number in ordered.in_order(names)), "ordinal")


def _without_masks(found: Survey, layout: Layout, paths: Sequence[tuple[str, ...]], problem: str | None) -> Layout:
    """Class folders without the masks that lie beside their pictures, where the option asks for classes."""
    masks = twins_in_classes(paths)
    if not masks and problem is None and (mask := looks_paired(paths)) is not None:
        raise masked_places.folders_of_masks(mask)
    if not masks:
        return layout
    if problem is None:
        raise masked_places.masks_among_classes(found.pictures, masks)
    told = masked_places.left_out(found.pictures, masks)
    return Layout(
        placed=tuple(p for p in layout.placed if p.number not in set(masks)),
        left_out=(*layout.left_out, *masks),
        warnings=(*layout.warnings, told),
    )


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


def _table(files: Files, found: Survey, names: Names, problem: str | None) -> Labelled | None:
    """Of the tables beside the pictures the one about most of them."""
    tables = []
    for entry in found.beside:
        if entry.suffix in ENDINGS and entry.size <= MAX_TABLE_BYTES and "submission" not in entry.parts[-1].lower():
            table = parse(entry.name, files.read(entry))
            if table and (labelled := read_table(table, names, problem)):
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
    if len(trained) < 2 and not table.answers:
        detail = f"{table.name}: at least 2 classes to train on are needed, found {len(trained)}: {', '.join(trained)}"
        raise fault("too_few_classes", detail, file=table.name, allowed=2)
    what = "answers" if table.answers else "classes"
    warnings = [f"{what} are those of {table.name}", *table.warnings]
    rest = len(paths) - len(placed)
    if rest:
        listed = {p.number for p in placed}
        example = next("/".join(path) for number, path in enumerate(paths) if number not in listed)
        missing = "an answer" if table.answers else "a class"
        warnings.append(f"{rest} pictures without {missing} in {table.name} are left out, as {example}")
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
