"""Reads a data set's files into the store, in a process of its own.

    python -m workers.datasets.ingest --format images --name cats --source cats.zip --store DIR

prints one JSON line, `{"ok": true, "info": {...}}` or `{"ok": false, "faults": [...]}`, so that the service never opens
an untrusted file in its own process. The exit status is 0 for both; anything else means that the process was killed by
its limits, or a fault of ours.
"""

import argparse
import errno
import json
import resource
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from archsmith.errors import AlreadyExists, Fault, InvalidDataset, InvalidInput
from workers.conventions import PROBLEMS
from workers.datasets import cifar, graph, hdf5, idx, images, mat, nifti, npy, npz, parquet, stl10, table, tu
from workers.datasets.given_answers import check_problem
from workers.datasets.graphs import RawGraphs
from workers.datasets.info import DatasetInfo
from workers.datasets.raw import RawDataset, fault
from workers.datasets.refused import check_not_refused
from workers.datasets.store import DataStore


@dataclass(frozen=True, kw_only=True, slots=True)
class _Format:
    """read: (source, scratch=folder) -> what was found. single: of one path, else of a list of them.

    options: names of what the reader takes besides, those of EFFECTS; others are refused. problems: of the option
    `problem`.
    """

    read: Callable[..., RawDataset | RawGraphs]
    single: bool = False
    options: tuple[str, ...] = ()
    problems: tuple[str, ...] = ("classification",)


_ONE_CLASS = ("classification", "ordinal")
_NO_MASKS = (*_ONE_CLASS, "multilabel", "regression")
FORMATS = {
    "idx": _Format(read=idx.read, options=("transpose", "problem"), problems=(*_ONE_CLASS, "regression")),
    "npz": _Format(read=npz.read, single=True, options=("problem",), problems=PROBLEMS),
    "images": _Format(
        read=images.read, single=True, options=("image_size", "image_fit", "group_by", "problem"), problems=PROBLEMS
    ),
    "graph": _Format(read=graph.read, options=("problem",), problems=_NO_MASKS),
    "tu": _Format(read=tu.read, options=("problem",), problems=_NO_MASKS),
    "npy": _Format(read=npy.read, options=("problem",), problems=PROBLEMS),
    "hdf5": _Format(read=hdf5.read, single=True, options=("problem",), problems=PROBLEMS),
    "mat": _Format(read=mat.read, single=True, options=("problem",), problems=PROBLEMS),
    "cifar": _Format(read=cifar.read),
    "stl10": _Format(read=stl10.read),
    "table": _Format(read=table.read, options=("problem",), problems=_NO_MASKS),
    "parquet": _Format(read=parquet.read, options=("image_size", "image_fit", "problem"), problems=PROBLEMS),
    "nifti": _Format(read=nifti.read, options=("problem",), problems=(*_ONE_CLASS, "regression")),
}
EFFECTS = {
    "image_size": "it scales picture files; arrays, volumes and graphs stay as they are, scale them before",
    "image_fit": "it says how picture files become squares",
    "group_by": "it says which part of the names of picture files is a group",
    "problem": "its files have one class a sample",
    "transpose": "it exchanges rows and columns of pictures in files that keep them on their side",
}
OPTIONS = tuple(EFFECTS)
CPU_SECONDS = 600
HEAP_BYTES = 2 * 1024**3
"""Of memory that is not a mapped file, above what the imports take. Measured need: under 0.3 GiB."""


def ingest(
    format: str,  # noqa: A002 - the user's word
    sources: Sequence[Path] | Path,
    *,
    name: str,
    store: DataStore,
    **options: int | bool | str | None,
) -> DatasetInfo:
    """Reads, checks and stores. Raises InvalidDataset with all that is wrong, AlreadyExists.

    options: of the format, see FORMATS; those that are None were not given.
    """
    paths = [sources] if isinstance(sources, Path) else list(sources)
    if format not in FORMATS:
        detail = f"there is no format {format[:40]!r}; accepted are {', '.join(FORMATS)}"
        raise InvalidDataset(Fault(pointer="/format", rule="choice_unknown", detail=detail, allowed=list(FORMATS)))
    store.check_name(name)
    store.root.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=store.root, prefix=".", suffix="-incoming") as scratch:
        given = {option: value for option, value in options.items() if value is not None and value is not False}
        return store.add(name, _read(format, paths, Path(scratch), given))


def _read(
    name: str, paths: Sequence[Path], scratch: Path, options: Mapping[str, int | bool | str]
) -> RawDataset | RawGraphs:
    kind = FORMATS[name]
    if not paths:
        raise fault("file_missing", "no file was given")
    for path in paths:
        if not path.exists():
            raise fault("file_missing", f"there is no file {path.name}", file=path.name)
    if kind.single and len(paths) > 1:
        raise fault("file_single", f"this format is one file, {len(paths)} were given", file=paths[1].name)
    check_not_refused(paths)
    _check_options(name, options)
    return kind.read(paths[0] if kind.single else paths, scratch=scratch, **options)


def _check_options(name: str, options: Mapping[str, int | bool | str]) -> None:
    """Raises `combination_unsupported`: an option without effect is a misunderstanding."""
    faults = []
    for option in options:
        if option not in FORMATS[name].options:
            takers = ", ".join(other for other, kind in FORMATS.items() if option in kind.options)
            detail = f"the format {name} takes no {option}: {EFFECTS[option]} ({takers})"
            faults.append(Fault(pointer=f"/{option}", rule="combination_unsupported", detail=detail))
    if faults:
        raise InvalidDataset(faults)
    if "problem" in options:
        allowed = FORMATS[name].problems
        check_problem(str(options["problem"]), allowed, why="" if allowed == PROBLEMS else f" for the format {name}")


def limit_process(*, cpu_seconds: int = CPU_SECONDS, heap_bytes: int = HEAP_BYTES) -> None:
    """Bounds this process: above the limits the kernel ends it, or refuses memory."""
    resource.setrlimit(resource.RLIMIT_CPU, (cpu_seconds, cpu_seconds + 5))
    statm = Path("/proc/self/statm")
    if statm.exists():  # Linux; elsewhere the processor time is the only bound
        used = int(statm.read_text().split()[5]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_DATA, (used + heap_bytes, used + heap_bytes))


def answer(args: argparse.Namespace) -> dict[str, Any]:
    """The one JSON line, as a value."""
    try:
        store = DataStore(args.store)
        options = {name: getattr(args, name) for name in OPTIONS}
        info = ingest(args.format, args.source, name=args.name, store=store, **options)
    except InvalidInput as error:
        return _refused(error.faults)
    except AlreadyExists as error:
        return _refused([Fault(pointer="/name", rule="already_exists", detail=str(error))])
    except MemoryError:
        detail = f"reading the files takes more than {HEAP_BYTES} bytes of memory"
        return _refused([Fault(pointer="", rule="expands_too_much", detail=detail)])
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        return _refused([Fault(pointer="", rule="storage_full", detail="no space is left in the state folder")])
    return {"ok": True, "info": info.to_json()}


def _refused(faults: Sequence[Fault]) -> dict[str, Any]:
    return {"ok": False, "faults": [asdict(fault) for fault in faults]}


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m workers.datasets.ingest", description="Read a data set's files.")
    parser.add_argument("--format", required=True, help=", ".join(FORMATS))
    parser.add_argument("--name", required=True)
    parser.add_argument("--source", required=True, type=Path, nargs="+", help="a file, a folder, or several files")
    parser.add_argument("--store", required=True, type=Path, help="folder of data sets")
    parser.add_argument("--image-size", type=int, help="side of the stored pictures, pixels")
    parser.add_argument("--image-fit", help="how pictures become squares: auto, crop or pad")
    parser.add_argument("--group-by", help="the part of file names before this text is a group that no split divides")
    parser.add_argument("--problem", help=f"what an answer is: {', '.join(PROBLEMS)}; by default what the answers are")
    parser.add_argument("--transpose", action="store_true", help="exchange rows and columns (EMNIST)")
    args = parser.parse_args(arguments)
    limit_process()
    print(json.dumps(answer(args)), flush=True)  # noqa: T201 - the answer


if __name__ == "__main__":
    main()
