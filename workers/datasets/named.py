"""Named arrays, from whatever kind of file: what readers of pictures, volumes and graphs ask of them."""

import re
from collections.abc import Sequence
from typing import Protocol

from workers.datasets.raw import MAX_CLASSES, Array, fault
from workers.datasets.texts import as_texts

NUMBERS = "biuf"
TEXTS = "US"
CLASS_NAMES = ("class_names", "label_names", "classes", "list_classes")
MAX_NAME = 100
_HIDDEN_SPLIT = re.compile(r"split|fold|train|test|val(id|$|_)|mask|weight", re.IGNORECASE)


class NamedArrays(Protocol):
    """file: for messages. names: of all arrays that can be asked for, in order."""

    @property
    def file(self) -> str: ...

    @property
    def names(self) -> tuple[str, ...]: ...

    def read(self, name: str, *, kinds: str = NUMBERS) -> Array:
        """The array as a view of a file, or bounded in memory. kinds: NumPy's letters of accepted types."""
        ...


def one_of(arrays: NamedArrays, names: Sequence[str], *, what: str) -> str | None:
    """The one of `names` that is there, None when none is. Raises `array_duplicate` for two: neither is chosen."""
    present = [name for name in names if name in arrays.names]
    if len(present) > 1:
        detail = f"{arrays.file} holds {len(present)} arrays that may be the {what}: {', '.join(present)}; "
        detail += "which of them is meant cannot be told: keep one, or rename the others"
        raise fault("array_duplicate", detail, file=arrays.file)
    return present[0] if present else None


def listed(arrays: NamedArrays) -> str:
    """The names for a message."""
    more = f" and {len(arrays.names) - 20} more" if len(arrays.names) > 20 else ""
    return (", ".join(arrays.names[:20]) or "nothing") + more


def class_names(arrays: NamedArrays) -> tuple[str, ...] | None:
    """The different texts (or whole numbers) of `class_names`, None where there is no such array."""
    name = one_of(arrays, CLASS_NAMES, what="names of the classes")
    if name is None:
        return None
    found = arrays.read(name, kinds=TEXTS + "iu")
    texts = (
        () if found.ndim != 1 else as_texts(found[: MAX_CLASSES + 1], file=name) if found.dtype.kind in TEXTS else ()
    )
    if found.ndim == 1 and found.dtype.kind in "iu":
        texts = tuple(str(value) for value in found[: MAX_CLASSES + 1].tolist())
    shown = tuple(str(text)[:MAX_NAME] for text in texts)
    if not shown or len(set(shown)) != len(shown) or len(shown) > MAX_CLASSES or "" in shown:
        detail = (
            f"{name} must be a list of different texts, at most {MAX_CLASSES}, that differ in {MAX_NAME} characters"
        )
        raise fault("labels_invalid", detail, file=name)
    return shown


def without_use(arrays: NamedArrays, used: set[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Names that were not read, and warnings about those that look like a split or weights, which would matter."""
    left = tuple(name for name in arrays.names if name not in used)
    odd = tuple(name for name in left if _HIDDEN_SPLIT.search(name))
    return left, tuple(f"the array {name} is not used: no meaning of that name is known" for name in odd[:20])
