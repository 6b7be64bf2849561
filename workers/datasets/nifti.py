"""NIfTI volumes, .nii and .nii.gz, in class folders, in a folder or one zip archive; read by nibabel.

    ad/1.nii.gz  cn/2.nii.gz                                one folder a class, or
    train/ad/1.nii.gz  test/cn/7.nii.gz                     the same below train, test and, if there, val, or
    labels.csv with the columns file and label              perhaps split, beside the files or above them

All volumes need one shape, (X, Y, Z) or (X, Y, Z, C) with up to 4 channels, kept in this order as (C, X, Y, Z). Values
are scaled by the header's slope and intercept. Nothing is resampled or turned: volumes of other shapes are refused, and
other orientations are said.
"""

import csv
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from archsmith.errors import InvalidDataset
from workers.datasets.archive import MAX_BYTES, check_growth, is_zip, open_archive
from workers.datasets.files import text_of
from workers.datasets.given_answers import of_cells
from workers.datasets.given_split import PARTS
from workers.datasets.raw import MAX_VOLUME_SIDE, Array, RawDataset, fault, stored_dtype

ENDINGS = (".nii", ".nii.gz")
LABELS = "labels.csv"
LAYOUT = (
    "CLASS/volume.nii.gz, train/CLASS/volume.nii.gz with test/CLASS/volume.nii.gz, or labels.csv with file and label"
)
DAMAGE = {"nifti_invalid", "gzip_invalid", "file_empty"}
MAX_CORRUPT_SHARE = 0.01
MAX_CHANNELS = 4
MAX_HELD = 512 * 1024**2
"""Of one volume as a file."""
_PIECE = 1024**2
_UNREADABLE = (OSError, ValueError, EOFError, TypeError, zlib.error, OverflowError, MemoryError)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Volume:
    name: str
    path: Path
    label: str
    part: str


def read(sources: Sequence[Path], *, scratch: Path, problem: str | None = None) -> RawDataset:
    """sources: a folder, or one zip archive. problem: the option. Raises InvalidDataset."""
    files, ignored = _files(sources, scratch=scratch)
    volumes = sorted(_places(files), key=lambda v: (("train", "val", "test").index(v.part), v.name))
    if all(volume.part != "train" for volume in volumes):
        raise fault("layout_invalid", f"there are no training volumes; wanted is {LAYOUT}", allowed=LAYOUT)
    volumes, corrupt = _readable(volumes, scratch=scratch)
    x, remarks = _stacked(volumes, scratch=scratch)
    labels = {"all": [volume.label for volume in volumes]}
    classes = of_cells(labels, files={"all": LABELS if LABELS in _names(files) else "the folders"}, asked=problem)
    parts = {}
    for part in dict.fromkeys(volume.part for volume in volumes):
        rows = [row for row, volume in enumerate(volumes) if volume.part == part]
        parts[part] = (rows[0], rows[-1] + 1)
    return RawDataset(
        format="nifti",
        pieces=(x,),
        dtype=stored_dtype(x, file="the volumes"),
        y=classes.y["all"],
        class_names=classes.names,
        problem=classes.problem,
        parts=parts,
        warnings=(*remarks, *classes.warnings),
        ignored=ignored,
        corrupt=corrupt,
    )


def _readable(volumes: Sequence[_Volume], *, scratch: Path) -> tuple[list[_Volume], tuple[str, ...]]:
    """Without the damaged ones, of which there may be a few. Raises with up to 20 of them for more."""
    faults: dict[str, InvalidDataset] = {}
    for volume in volumes:
        try:
            _values(volume, scratch)
        except InvalidDataset as error:
            if {found.rule for found in error.faults} - DAMAGE:
                raise
            faults[volume.name] = error
    if len(faults) >= max(3, MAX_CORRUPT_SHARE * len(volumes)) or len(faults) == len(volumes):
        raise InvalidDataset([found for error in list(faults.values())[:20] for found in error.faults])
    kept = [volume for volume in volumes if volume.name not in faults]
    if all(volume.part != "train" for volume in kept):
        raise InvalidDataset([found for error in faults.values() for found in error.faults])
    return kept, tuple(faults)


def _names(files: Mapping[str, Path]) -> set[str]:
    return {name.rsplit("/", 1)[-1].lower() for name in files}


def _is_volume(name: str) -> bool:
    return name.lower().endswith(ENDINGS)


def _files(sources: Sequence[Path], *, scratch: Path) -> tuple[dict[str, Path], tuple[str, ...]]:
    """Volumes and labels.csv by their paths within the source, and the other names."""
    source = sources[0]
    found: dict[str, Path] = {}
    others: list[str] = []
    if len(sources) == 1 and source.is_dir():
        known = {path.relative_to(source).as_posix(): path for path in sorted(source.rglob("*")) if path.is_file()}
        for name, path in known.items():
            _sort(name, found, others, path)
    elif len(sources) == 1 and is_zip(source):
        with open_archive(source) as archive:
            for number, member in enumerate(archive.members):
                target = scratch / f"{number}.member"
                if _sort(member.filename, found, others, target):
                    archive.extract(member, target)
    else:
        detail = f"NIfTI volumes come as one zip archive or folder, not as {sources[0].name}; wanted is {LAYOUT}"
        raise fault("format_mismatch", detail, file=sources[0].name, allowed=LAYOUT)
    if not any(_is_volume(name) for name in found):
        raise fault("layout_invalid", f"{source.name} holds no .nii or .nii.gz; wanted is {LAYOUT}", file=source.name)
    return found, tuple(others)


def _sort(name: str, found: dict[str, Path], others: list[str], path: Path) -> bool:
    parts = PurePosixPath(name).parts
    hidden = any(part.startswith(".") or part == "__MACOSX" for part in parts)
    if not hidden and (_is_volume(name) or parts[-1].lower() == LABELS):
        found[name] = path
        return True
    others.append(name)
    return False


def _places(files: Mapping[str, Path]) -> list[_Volume]:
    tables = [name for name in files if not _is_volume(name)]
    if len(tables) > 1:
        raise fault("file_duplicate", f"there are {len(tables)} files {LABELS}; give one", file=LABELS)
    volumes = {name: path for name, path in files.items() if _is_volume(name)}
    return _of_table(files[tables[0]], volumes) if tables else _of_folders(volumes)


def _of_folders(volumes: Mapping[str, Path]) -> list[_Volume]:
    paths = {name: PurePosixPath(name).parts for name in volumes}
    while all(len(p) >= 3 for p in paths.values()) and len({p[0] for p in paths.values()}) == 1:
        paths = {name: p[1:] for name, p in paths.items()}
    divided = all(len(p) == 3 and p[0].lower() in PARTS for p in paths.values())
    found = []
    for name, parts in paths.items():
        if len(parts) != (3 if divided else 2) or (not divided and parts[0].lower() in PARTS):
            detail = f"{name} does not lie in a class folder; wanted is {LAYOUT}"
            raise fault("layout_invalid", detail, file=name, allowed=LAYOUT)
        part = PARTS[parts[0].lower()] if divided else "train"
        found.append(_Volume(name=name, path=volumes[name], label=parts[-2], part=part))
    return found


def _of_table(table: Path, volumes: Mapping[str, Path]) -> list[_Volume]:
    rows = _rows(table)
    by_last: dict[str, list[str]] = {}
    for name in volumes:
        by_last.setdefault(name.rsplit("/", 1)[-1], []).append(name)
    found: dict[str, _Volume] = {}
    for line, row in rows:
        given = row["file"]
        name = given if given in volumes else next(iter(by_last.get(given.rsplit("/", 1)[-1], [])), "")
        if not name or (given not in volumes and len(by_last[given.rsplit("/", 1)[-1]]) > 1):
            detail = f"{LABELS} line {line} names {given[:80]!r}, of which there is none, or more than one"
            raise fault("file_missing", detail, file=LABELS)
        split = row.get("split", "").lower()
        if split and split not in PARTS:
            raise fault(
                "split_unknown", f"{LABELS} line {line}: {split[:40]!r} is no split: train, val, test", file=LABELS
            )
        if name in found:
            raise fault("file_duplicate", f"{LABELS} line {line} lists {given[:80]!r} again", file=LABELS)
        found[name] = _Volume(name=name, path=volumes[name], label=row["label"], part=PARTS.get(split, "train"))
    if missing := [name for name in volumes if name not in found]:
        raise fault("labels_missing", f"{LABELS} does not list {missing[0]} ({len(missing)} in all)", file=missing[0])
    return list(found.values())


def _rows(table: Path) -> list[tuple[int, dict[str, str]]]:
    with text_of(table, file=LABELS) as stream:
        try:
            reader = csv.reader(stream, strict=True)
            heads = [
                {"filename": "file", "path": "file", "class": "label"}.get(h, h) for h in map(_tidy, next(reader, []))
            ]
            rows = [(reader.line_num, dict(zip(heads, map(str.strip, row), strict=True))) for row in reader if row]
        except (csv.Error, ValueError) as error:
            raise fault("table_invalid", f"{LABELS} is no table of even lines: {error}", file=LABELS) from error
    if not {"file", "label"} <= set(heads) or len(set(heads)) < len(heads) or not rows:
        detail = (
            f"{LABELS} needs a first line with file and label, perhaps split, and rows; it has {', '.join(heads)[:200]}"
        )
        raise fault("table_invalid", detail, file=LABELS)
    return rows


def _tidy(head: str) -> str:
    return head.strip().lower()


def _stacked(volumes: Sequence[_Volume], *, scratch: Path) -> tuple[Array, tuple[str, ...]]:
    """(N, C, X, Y, Z) in a file of float32, or of the volumes' own whole numbers; and remarks."""
    first = _values(volumes[0], scratch)
    shape, ways = first[0].shape, {first[1]: volumes[0].name}
    size = first[0].size * first[0].dtype.itemsize * len(volumes)
    check_size(size)
    out = np.lib.format.open_memmap(scratch / "x.npy", mode="w+", dtype=np.float32, shape=(len(volumes), *shape))
    for row, volume in enumerate(volumes):
        values, way = first if row == 0 else _values(volume, scratch)
        if values.shape != shape:
            detail = (
                f"{volume.name} has shape {values.shape[1:]}, {volumes[0].name} has {shape[1:]}: all need one shape;"
            )
            raise fault("shape_mismatch", f"{detail} resample or crop them first", file=volume.name)
        ways.setdefault(way, volume.name)
        out[row] = values
    told = ", ".join(f"{name} {way}" for way, name in list(ways.items())[:3])
    remarks = (f"volumes are not turned, and their axes lead different ways: {told}",) if len(ways) > 1 else ()
    whole = all(_is_byte(out[row]) for row in range(len(out)))
    return (_bytes(out, scratch) if whole else out), remarks


def check_size(size: int) -> None:
    if size > MAX_BYTES:
        raise fault("array_too_large", f"the volumes have {size} bytes together", allowed=MAX_BYTES)


def _is_byte(values: Array) -> bool:
    return bool(((values >= 0) & (values <= 255) & (values == np.floor(values))).all())


def _bytes(x: Array, scratch: Path) -> Array:
    out = np.lib.format.open_memmap(scratch / "x-bytes.npy", mode="w+", dtype=np.uint8, shape=x.shape)
    for row in range(len(x)):
        out[row] = x[row]
    return out


def _values(volume: _Volume, scratch: Path) -> tuple[Array, str]:
    """(C, X, Y, Z) float32 of one file, and the ways of its axes, such as RAS."""
    import nibabel
    from nibabel.filebasedimages import ImageFileError
    from nibabel.spatialimages import HeaderDataError, HeaderTypeError
    from nibabel.wrapstruct import WrapStructError

    plain = _plain(volume, scratch)
    try:
        loaded: Any = nibabel.Nifti1Image.from_filename(plain)
        _check_shape(volume, loaded.shape)
        with np.errstate(all="ignore"):
            values = np.asarray(loaded.dataobj, dtype=np.float32)
        codes: Any = nibabel.aff2axcodes
        way = "".join(code or "?" for code in codes(loaded.affine))
    except (ImageFileError, HeaderDataError, HeaderTypeError, WrapStructError, *_UNREADABLE) as error:
        raise _damaged(volume, error) from error
    if not np.isfinite(values).all():
        raise fault("values_not_finite", f"{volume.name} holds values that are not finite", file=volume.name)
    return (values[None] if values.ndim == 3 else np.moveaxis(values, 3, 0)), way


def _check_shape(volume: _Volume, shape: Sequence[int]) -> None:
    sides, channels = tuple(shape[:3]), shape[3] if len(shape) > 3 else 1
    if not 3 <= len(shape) <= 4 or channels > MAX_CHANNELS or not 2 <= min(sides) <= max(sides) <= MAX_VOLUME_SIDE:
        detail = f"{volume.name} has shape {tuple(shape)}: wanted are (X, Y, Z), or with up to {MAX_CHANNELS} channels "
        detail += f"behind, and sides of 2 to {MAX_VOLUME_SIDE}; of a series in time give one volume, or crop"
        raise fault("shape_invalid", detail, file=volume.name)


def _plain(volume: _Volume, scratch: Path) -> Path:
    """The file without gzip, its growth counted, under a name that nibabel takes."""
    target = scratch / "volume.nii"
    held = volume.path.stat().st_size
    with volume.path.open("rb") as file:
        gzipped = file.read(2) == b"\x1f\x8b"
    if held == 0:
        raise fault("file_empty", f"{volume.name} has 0 bytes", file=volume.name)
    inflater = zlib.decompressobj(wbits=31) if gzipped else None
    written = 0
    try:
        with volume.path.open("rb") as file, target.open("wb") as out:
            while piece := (inflater and inflater.unconsumed_tail) or file.read(_PIECE):
                plain = inflater.decompress(piece, _PIECE) if inflater else piece
                written += len(plain)
                check_growth(written, held, file=volume.name)
                if written > MAX_HELD:
                    raise fault("array_too_large", f"{volume.name} has more than {MAX_HELD} bytes", file=volume.name)
                out.write(plain)
    except zlib.error as error:
        raise _damaged(volume, error) from error
    if inflater and not inflater.eof:
        raise fault("gzip_invalid", f"{volume.name} is cut off: it should be one whole gzip stream", file=volume.name)
    return target


def _damaged(volume: _Volume, error: Exception) -> Exception:
    detail = (
        f"{volume.name} is damaged, or no NIfTI volume: {' '.join(str(error).split())[:200] or type(error).__name__}"
    )
    return fault("nifti_invalid", detail.replace(f"{volume.path.parent}/", ""), file=volume.name)
