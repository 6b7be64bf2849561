"""Where pictures lie in folders, and what that says: their class, and their part of a split.

    CLASS/picture                      one folder a class; folders deeper inside belong to the class
    train/CLASS/picture  test/CLASS/…  the same below folders named like splits
    CLASS/train/picture                splits inside of the classes

each of them below folders that hold everything. What cannot be told is refused rather than guessed.
"""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from archsmith.errors import Fault, InvalidDataset
from workers.datasets.raw import fault

ORDER = ("train", "val", "test")
LAYOUT = "CLASS/picture.png, or train/CLASS/picture.png and test/CLASS/picture.png"
MAX_NAMED = 20
_WORDS = {
    "train": "train", "training": "train", "trn": "train",
    "val": "val", "valid": "val", "validation": "val", "dev": "val",
    "test": "test", "testing": "test", "tst": "test", "eval": "test", "evaluation": "test",
}  # fmt: skip
_WORD = re.compile(rf"({'|'.join(_WORDS)})(?:set|data|images|imgs|pics)?\d*")
FILLERS = frozenset((
    "seg", "set", "data", "dataset", "images", "image", "img", "imgs", "pictures", "pics", "photos", "split",
    "folder", "folders", "new", "final",
))  # fmt: skip
"""Words beside that of the split, as in seg_train or training_set."""
_UNLABELLED = frozenset((
    "pred", "prediction", "predictions", "predict", "unlabeled", "unlabelled", "unknown", "submission",
    "sample", "samples", "inference",
))  # fmt: skip
PICTURES = frozenset((
    "image", "images", "img", "imgs", "picture", "pictures", "photo", "photos", "rgb", "input", "inputs",
    "jpegimages",
))  # fmt: skip
MASKS = frozenset((
    "mask", "masks", "label", "labels", "annotation", "annotations", "gt", "ground_truth", "groundtruth", "seg",
    "segmentation", "segmentations", "target", "targets", "segmentationclass", "segmentationobject",
))  # fmt: skip


@dataclass(frozen=True, kw_only=True, slots=True)
class Placed:
    """number: of the picture in what was given. part: of ORDER. label: name of its class."""

    number: int
    part: str
    label: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Layout:
    """placed: pictures that are used. left_out: numbers of those that have no class, which `warnings` tell."""

    placed: tuple[Placed, ...]
    left_out: tuple[int, ...] = ()
    warnings: tuple[str, ...] = ()


@dataclass(kw_only=True, slots=True)
class _Folder:
    """files: numbers of the pictures right in it. folders: those that hold pictures, by name."""

    name: str = ""
    files: list[int] = field(default_factory=list)
    folders: dict[str, "_Folder"] = field(default_factory=dict)

    def all_files(self) -> Iterator[int]:
        yield from self.files
        for folder in self.folders.values():
            yield from folder.all_files()


def split_of(name: str) -> str | None:
    """The part of a split that a folder or a value is named after, in any case: "Training_Set" is train."""
    found = split_and_rest(name)
    return found[0] if found and set(found[1]) <= FILLERS else None


def split_and_rest(name: str) -> tuple[str, tuple[str, ...]] | None:
    words = [word for word in re.split(r"[^a-z0-9]+", name.lower()) if word]
    matches = [match for word in words if (match := _WORD.fullmatch(word))]
    if len(matches) != 1:
        return None
    rest = tuple(word for word in words if word != matches[0].group())
    return _WORDS[matches[0].group(1)], rest


def read_layout(paths: Sequence[tuple[str, ...]]) -> Layout:
    """paths: folders and name of each picture. Raises InvalidDataset with the files or folders at fault."""
    root = _top(_tree(paths))
    if not root.folders:
        detail = f"the pictures lie in no class folders; wanted is {LAYOUT}"
        raise _refused([("layout_invalid", detail, "/".join(paths[number])) for number in root.files])
    splits = _splits(list(root.folders))
    labelled = [name for name in splits if _inside(root.folders[name], splits[name]).folders]
    if labelled:
        found = _divided(root, splits, paths)
    elif _flat_splits(root, splits):
        raise _no_classes(root, splits, paths)
    elif parts := _inner_splits(root):
        found = _inner(root, parts, paths)
    else:
        _check_strays(root, paths)
        _check_clear(root)
        found = Layout(placed=tuple(_classes(root, "train")), warnings=_deeper(root))
    _check_classes(found)
    return Layout(
        placed=found.placed, left_out=found.left_out, warnings=(*found.warnings, *_same_but_case(found.placed))
    )


def _tree(paths: Sequence[tuple[str, ...]]) -> _Folder:
    root = _Folder()
    for number, parts in enumerate(paths):
        folder = root
        for name in parts[:-1]:
            folder = folder.folders.setdefault(name, _Folder(name=name))
        folder.files.append(number)
    return root


def _top(folder: _Folder) -> _Folder:
    """Below folders that hold everything. Pictures on the way are strays of the folder that is returned."""
    while len(folder.folders) == 1:
        (inner,) = folder.folders.values()
        if not inner.folders:
            break
        inner.files = folder.files + inner.files
        folder = inner
    return folder


def _splits(names: Sequence[str]) -> dict[str, str]:
    """Folder -> part, of those named like splits. Other words are allowed when all have the same: pets_train."""
    found = {name: both for name in names if (both := split_and_rest(name))}
    same = len(found) > 1 and len({rest for _, rest in found.values()}) == 1
    return {name: part for name, (part, rest) in found.items() if same or set(rest) <= FILLERS}


def _inside(folder: _Folder, part: str) -> _Folder:
    """seg_train/seg_train/CLASS and train/images/CLASS: the folder that holds the classes."""
    while not folder.files and len(folder.folders) == 1:
        (inner,) = folder.folders.values()
        if split_of(inner.name) != part and inner.name != folder.name and inner.name.lower() not in PICTURES:
            break
        folder = inner
    return folder


# ---- train/CLASS


def _divided(root: _Folder, splits: Mapping[str, str], paths: Sequence[tuple[str, ...]]) -> Layout:
    placed: list[Placed] = []
    left: list[int] = []
    warnings: list[str] = []
    faults = [("layout_invalid", _stray(paths[number]), "/".join(paths[number])) for number in root.files]
    classes = {
        label for name, part in splits.items() if part == "train" for label in _inside(root.folders[name], part).folders
    }
    for name, folder in root.folders.items():
        part = splits.get(name)
        inner = _inside(folder, part or "")
        if part is None and folder.folders and not _says_unlabelled(name) and not _says_unlabelled(inner.name):
            detail = (
                f"the folder {name} lies beside {', '.join(sorted(splits))} and is named like no split "
                "(train, val, test); rename it or take it out"
            )
            faults.append(("layout_invalid", detail, name))
        elif part is None or _without_classes(inner, part, classes):
            left += folder.all_files()
            warnings.append(_unlabelled(name, folder))
        else:
            faults += [("layout_invalid", _stray(paths[number]), "/".join(paths[number])) for number in inner.files]
            placed += _classes(inner, part)
            warnings += _deeper(inner)
    if faults:
        raise _refused(faults)
    if all(p.part != "train" for p in placed):
        raise fault("layout_invalid", f"there are no training pictures in class folders; wanted is {LAYOUT}")
    return Layout(placed=tuple(placed), left_out=tuple(left), warnings=tuple(warnings))


def _says_unlabelled(name: str) -> bool:
    return bool(set(re.split(r"[^a-z]+", name.lower())) & _UNLABELLED)


def _without_classes(folder: _Folder, part: str, classes: set[str]) -> bool:
    """Whether a split holds pictures without a class: right in it, or in one folder that is no training class."""
    if part == "train":
        return not folder.folders
    return not folder.folders or (len(folder.folders) == 1 and not set(folder.folders) & classes)


def _unlabelled(name: str, folder: _Folder) -> str:
    count = sum(1 for _ in folder.all_files())
    return f"folder {name} has no class folders: its {count} pictures have no class and are left out"


# ---- CLASS/train


def _inner_splits(root: _Folder) -> dict[str, str]:
    """The parts if every class holds nothing but folders that are named like splits, else {}."""
    names = {name for folder in root.folders.values() for name in folder.folders}
    parts = {name: part for name in names if (part := split_of(name))}
    whole = len(parts) == len(names) and "train" in parts.values() and len(set(parts.values())) > 1
    return parts if whole and all(not folder.files for folder in root.folders.values()) else {}


def _inner(root: _Folder, parts: Mapping[str, str], paths: Sequence[tuple[str, ...]]) -> Layout:
    _check_strays(root, paths)
    return Layout(
        placed=tuple(
            Placed(number=number, part=parts[split], label=label)
            for label, folder in root.folders.items()
            for split, inner in folder.folders.items()
            for number in inner.all_files()
        )
    )


# ---- CLASS


def _classes(folder: _Folder, part: str) -> Iterator[Placed]:
    for label, inner in folder.folders.items():
        for number in inner.all_files():
            yield Placed(number=number, part=part, label=label)


def _deeper(folder: _Folder) -> tuple[str, ...]:
    deeper = [(label, name) for label, inner in folder.folders.items() for name in inner.folders]
    if not deeper:
        return ()
    shown = ", ".join(f"{label}/{name}" for label, name in deeper[:3])
    more = f" and {len(deeper) - 3} more" if len(deeper) > 3 else ""
    return (f"pictures in folders deeper inside a class belong to that class: {shown}{more}",)


def _check_clear(root: _Folder) -> None:
    """Refuses two levels of which either could be the classes, and pictures with their masks."""
    inner = [set(folder.folders) for folder in root.folders.values() if not folder.files]
    repeated = [name for name, count in Counter(name for names in inner for name in names).items() if count > 1]
    if len(inner) == len(root.folders) > 1 and len(repeated) > 1:
        first = sorted(root.folders)[:2]
        if {name.lower() for name in repeated} <= MASKS | PICTURES:
            detail = (
                f"the folders {', '.join(sorted(repeated)[:2])} in {first[0]} look like pictures with their masks; "
                "--problem segmentation reads these, and says what is missing"
            )
            raise fault("task_unsupported", detail, file=first[0])
        detail = (
            f"either {', '.join(first)} … or {', '.join(sorted(repeated)[:2])} … could be the classes; "
            "put the pictures right into one folder a class"
        )
        raise fault("layout_ambiguous", detail, file=first[0])
    names = {name.lower() for name in root.folders}
    if names & MASKS and names <= MASKS | PICTURES:
        detail = (
            f"the folders {', '.join(sorted(root.folders))} look like pictures with their masks, not like classes; "
            "--problem segmentation reads these, and says what is missing"
        )
        raise fault("task_unsupported", detail, file=min(root.folders))


def _flat_splits(root: _Folder, splits: Mapping[str, str]) -> bool:
    """train/picture and test/picture. One such folder beside others is a class, as that of railways."""
    others = [name for name in root.folders if name not in splits]
    parts = set(splits.values())
    return len(parts) > 1 or (bool(parts) and all(_says_unlabelled(name) for name in others))


def _no_classes(root: _Folder, splits: Mapping[str, str], paths: Sequence[tuple[str, ...]]) -> InvalidDataset:
    example = "/".join(paths[next(root.folders[next(iter(splits))].all_files())])
    folders = sorted(splits)
    named = ", ".join(folders)
    detail = (
        f"{named} {'is' if len(folders) == 1 else 'are'} named like {'a split' if len(folders) == 1 else 'splits'} and "
        f"hold no class folders, as in {example}; put each class into a folder ({folders[0]}/CLASS/picture), or add "
        "labels.csv with the columns file and label"
    )
    return _refused([("layout_invalid", detail, name) for name in folders])


def _check_strays(root: _Folder, paths: Sequence[tuple[str, ...]]) -> None:
    if root.files:
        raise _refused([("layout_invalid", _stray(paths[n]), "/".join(paths[n])) for n in root.files])


def _stray(path: tuple[str, ...]) -> str:
    return f"{'/'.join(path)} does not lie in a class folder: move it into one, or take it out; wanted is {LAYOUT}"


def _check_classes(found: Layout) -> None:
    trained = sorted({p.label for p in found.placed if p.part == "train"})
    if len(trained) < 2:
        where = " to train on" if any(p.part != "train" for p in found.placed) else ""
        detail = f"at least 2 class folders{where} are needed, found {len(trained)}: {', '.join(trained)}"
        raise fault("too_few_classes", detail, file="/".join(trained[:1]), allowed=2)


def _same_but_case(placed: Sequence[Placed]) -> tuple[str, ...]:
    names: dict[str, set[str]] = {}
    for label in {p.label for p in placed}:
        names.setdefault(label.casefold(), set()).add(label)
    same = sorted(", ".join(sorted(group)) for group in names.values() if len(group) > 1)
    return tuple(f"classes that differ only in upper and lower case are kept apart: {group}" for group in same)


def _refused(found: Sequence[tuple[str, str, str]]) -> InvalidDataset:
    faults: list[Fault] = []
    for rule, detail, file in found[:MAX_NAMED]:
        faults += fault(rule, detail, file=file, allowed=LAYOUT).faults
    return InvalidDataset(faults)
