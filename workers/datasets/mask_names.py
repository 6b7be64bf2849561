"""Names of the classes of masks, where a file beside the pictures has them.

class_dict.csv    name,r,g,b                       columns of names and of red, green and blue
labelmap.txt      name:r,g,b:…                     CVAT's
classes.csv       value,name                       or id, index, label
classes.txt       a name a line, from 0            or codes.txt, labels.txt, class_names.txt; or "7 name"
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from archsmith.errors import InvalidDataset
from workers.datasets.label_table import ENDINGS, Table, parse
from workers.datasets.mask_classes import MAX_VALUES
from workers.datasets.named import MAX_NAME
from workers.datasets.picture_files import Entry, Files

MAX_BYTES = 1024**2
NAMES = ("name", "class", "class_name", "label", "label_name", "category")
VALUES = ("value", "id", "index", "label_id", "class_id", "pixel_value", "code")
_LISTS = ("classes.txt", "codes.txt", "labels.txt", "class_names.txt", "names.txt")
_NUMBERED = re.compile(r"(\d{1,5})[\s:,;]+(\S.*)")
_COLOUR = re.compile(r"([^:#]+):\s*(\d{1,3}),(\d{1,3}),(\d{1,3})")


@dataclass(frozen=True, kw_only=True, slots=True)
class MaskNames:
    """file: they are of. of_colours: by 65536 R + 256 G + B; of_values: by the value of a pixel."""

    file: str = ""
    of_colours: Mapping[int, str] = field(default_factory=dict)
    of_values: Mapping[int, str] = field(default_factory=dict)


def names_beside(files: Files, beside: Sequence[Entry]) -> MaskNames:
    """Of the first file that has some; empty without one."""
    for entry in beside:
        if entry.size <= MAX_BYTES and (found := _names(files, entry)):
            return found
    return MaskNames()


def _names(files: Files, entry: Entry) -> MaskNames | None:
    name = entry.parts[-1].lower()
    try:
        if entry.suffix in ENDINGS:
            table = parse(entry.name, files.read(entry))
            return None if table is None else _of_table(table)
        if name in _LISTS or name == "labelmap.txt":
            return _of_lines(entry.name, files.read(entry).decode("utf-8-sig").splitlines())
    except (InvalidDataset, UnicodeDecodeError):  # a file beside the pictures may be anything
        return None
    return None


def _of_table(table: Table) -> MaskNames | None:
    name = table.named(NAMES)
    colours = [table.named((short, full)) for short, full in (("r", "red"), ("g", "green"), ("b", "blue"))]
    value = table.named(VALUES)
    if name is None or len(table.rows) > MAX_VALUES:
        return None
    shown = [text[:MAX_NAME] for text in table.column(name)]
    channels = [table.column(column) for column in colours if column is not None]
    if len(channels) == 3 and all(text.isdecimal() and int(text) < 256 for column in channels for text in column):
        codes = [(int(r) << 16) | (int(g) << 8) | int(b) for r, g, b in zip(*channels, strict=True)]
        return MaskNames(file=table.name, of_colours=dict(zip(codes, shown, strict=True)))
    if value is not None and value != name and all(text.isdecimal() for text in table.column(value)):
        values = map(int, table.column(value))
        return MaskNames(file=table.name, of_values=dict(zip(values, shown, strict=True)))
    return None


def _of_lines(file: str, lines: Sequence[str]) -> MaskNames | None:
    lines = [line.strip() for line in lines if line.strip() and not line.startswith("#")]
    if not 2 <= len(lines) <= MAX_VALUES:
        return None
    coloured = [_COLOUR.match(line) for line in lines]
    if all(coloured):
        codes = {(int(m[2]) << 16) | (int(m[3]) << 8) | int(m[4]): m[1].strip() for m in coloured if m}
        return MaskNames(file=file, of_colours=codes)
    numbered = [_NUMBERED.fullmatch(line) for line in lines]
    if all(numbered):
        return MaskNames(file=file, of_values={int(m[1]): m[2][:MAX_NAME] for m in numbered if m})
    return MaskNames(file=file, of_values={number: line[:MAX_NAME] for number, line in enumerate(lines)})
