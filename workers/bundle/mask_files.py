"""The masks that `archsmith predict` writes beside the files that it is given."""

import re
import sys
from dataclasses import replace
from pathlib import Path

from workers.atomic import write_whole
from workers.bundle.given import fault
from workers.bundle.outputs import Mask
from workers.datasets.drawn import mask_png

ENDING = ".mask.png"


def written(answer: Mask, source: Path) -> Mask:
    """Writes the mask as a PNG whose pixels are the numbers of the classes, and says where.

    It has the height and width of the model's input. Beside `source`: photo.png gives photo.mask.png, row 3 of data.npz
    gives data.3.mask.png, and a picture in an archive has its own path in the name. A file that is replaced is named on
    stderr. Raises InvalidBundle where none can be written.
    """
    path = source.with_name(f"{_name(answer.what, source)}{ENDING}")
    if path.exists():
        sys.stderr.write(f"archsmith: {path.name} was there and is replaced\n")
    try:
        write_whole(path, mask_png(answer.mask))
    except OSError as error:
        raise fault(source, "file_unwritable", f"{path.name} cannot be written: {error.strerror or error}") from error
    return replace(answer, path=str(path))


def is_mask(path: Path) -> bool:
    """Whether a file given as input is a mask that was written here: says so on stderr, and it is left out."""
    if not path.name.endswith(ENDING):
        return False
    sys.stderr.write(f"archsmith: {path.name} is a mask and is left out\n")
    return True


def _name(what: str, source: Path) -> str:
    if what == source.name:
        return source.stem
    row = re.sub(r"[^\w.-]+", "_", what.removeprefix(source.name)).strip("_.")
    return f"{source.stem}.{row}"
