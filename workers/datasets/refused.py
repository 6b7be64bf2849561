"""Files that are never opened, known by their content or name: what they are and what to do instead."""

import zipfile
from collections.abc import Sequence
from pathlib import Path

from workers.datasets.archive import is_zip
from workers.datasets.raw import fault

_NPZ = "save plain arrays, numpy.savez_compressed('data.npz', x=x, y=y), and upload that as npz"
PICKLE = f"is a Python pickle, which can run any code when it is opened, and is never read; {_NPZ}"
TORCH = f"is a file of torch.save, a Python pickle, which is never read; {_NPZ}, of graphs edge_index, x and y"
DICOM = (
    "is a DICOM file, which is not read, since it may name a patient; convert the series, with dcm2niix to NIfTI "
    "volumes (format nifti) or to pictures (format images)"
)
_ENDINGS = {".pt": TORCH, ".pth": TORCH, ".ckpt": TORCH, ".pkl": PICKLE, ".pickle": PICKLE, ".p": PICKLE}
_ENDINGS |= {".joblib": PICKLE, ".dcm": DICOM, ".dicom": DICOM}
CIFAR = ("data_batch_1", "test_batch", "batches.meta")
"""Members of cifar-10-python.tar.gz and what it unpacks to, all of them pickles."""
_RULE = "format_refused"


def check_not_refused(paths: Sequence[Path]) -> None:
    """Raises `format_refused` for a pickle, a file of torch.save or DICOM among the files, or in a zip archive."""
    for path in paths:
        if path.is_file() and (problem := _problem(path)):
            raise fault(_RULE, problem, file=path.name)


def _problem(path: Path) -> str:
    with path.open("rb") as file:
        head = file.read(132)
    if head[128:132] == b"DICM":
        return f"{path.name} {DICOM}"
    if head[:1] == b"\x80" and head[1:2] in b"\x02\x03\x04\x05" and head[2:3] in b"\x95}]c(K\x8a":
        cifar = path.name in CIFAR
        return f"{path.name} {PICKLE}" + ("; CIFAR has a binary version too (format cifar)" if cifar else "")
    by_name = _ENDINGS.get(path.suffix.lower(), "")
    if not by_name and is_zip(path):
        return _in_archive(path)
    return f"{path.name} {by_name}" if by_name else ""


def _in_archive(path: Path) -> str:
    """Of an archive of nothing else. One that cannot be read is left to the format's reader to name."""
    try:
        with zipfile.ZipFile(path) as archive:
            names = [name for name in archive.namelist() if not name.endswith("/")]
    except (OSError, ValueError, NotImplementedError, zipfile.BadZipFile):
        return ""
    if any(name.endswith("/data.pkl") or name == "data.pkl" for name in names):
        return f"{path.name} {TORCH}"
    kinds = {_ENDINGS.get(Path(name).suffix.lower(), "") for name in names if not name.startswith("__MACOSX")}
    if len(kinds) == 1 and (what := kinds.pop()):
        return f"{names[0]} in {path.name} {what}"
    return ""
