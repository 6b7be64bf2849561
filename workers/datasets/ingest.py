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
from workers.datasets import graph, idx, images, npz, tu
from workers.datasets.graphs import RawGraphs
from workers.datasets.info import DatasetInfo
from workers.datasets.raw import RawDataset, fault
from workers.datasets.store import DataStore


@dataclass(frozen=True, kw_only=True, slots=True)
class _Format:
    """read: (source, scratch=folder) -> what was found. single: of one path, else of a list of them.

    scales: whether the reader takes an image_size. options: names of other options that it takes.
    """

    read: Callable[..., RawDataset | RawGraphs]
    single: bool = False
    scales: bool = False
    options: tuple[str, ...] = ()


FORMATS = {
    "idx": _Format(read=idx.read),
    "npz": _Format(read=npz.read, single=True),
    "images": _Format(read=images.read, single=True, scales=True, options=("image_fit", "group_by")),
    "graph": _Format(read=graph.read),
    "tu": _Format(read=tu.read),
}
CPU_SECONDS = 600
HEAP_BYTES = 2 * 1024**3
"""Of memory that is not a mapped file, above what the imports take. Measured need: under 0.3 GiB."""


def ingest(
    format: str,  # noqa: A002 - the user's word
    sources: Sequence[Path] | Path,
    *,
    name: str,
    store: DataStore,
    image_size: int | None = None,
    **options: str | None,
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
        given = {option: value for option, value in options.items() if value is not None}
        return store.add(name, _read(FORMATS[format], paths, Path(scratch), image_size, given))


def _read(
    kind: _Format, paths: Sequence[Path], scratch: Path, image_size: int | None, options: Mapping[str, str]
) -> RawDataset | RawGraphs:
    if not paths:
        raise fault("file_missing", "no file was given")
    for path in paths:
        if not path.exists():
            raise fault("file_missing", f"there is no file {path.name}", file=path.name)
    if kind.single and len(paths) > 1:
        raise fault("file_single", f"this format is one file, {len(paths)} were given", file=paths[1].name)
    if faults := [_foreign(option, kind) for option in options if option not in kind.options]:
        raise InvalidDataset(faults)
    source = paths[0] if kind.single else paths
    scaled = {"image_size": image_size} if kind.scales else {}
    found: RawDataset | RawGraphs = kind.read(source, scratch=scratch, **scaled, **options)
    if image_size is not None and (isinstance(found, RawGraphs) or found.kind == "volume"):
        what = "graphs hold none" if isinstance(found, RawGraphs) else "volumes stay as they are"
        detail = f"image_size scales pictures; {what}"
        raise InvalidDataset(Fault(pointer="/image_size", rule="combination_unsupported", detail=detail))
    return found


def _foreign(option: str, kind: _Format) -> Fault:
    takers = [name for name, other in FORMATS.items() if option in other.options]
    detail = f"{option} is an option of the format{'s' if len(takers) > 1 else ''} {', '.join(takers)}, not of this one"
    return Fault(pointer=f"/{option}", rule="combination_unsupported", detail=detail, allowed=list(kind.options))


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
        options = {"image_fit": args.image_fit, "group_by": args.group_by}
        info = ingest(args.format, args.source, name=args.name, store=store, image_size=args.image_size, **options)
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
    args = parser.parse_args(arguments)
    limit_process()
    print(json.dumps(answer(args)), flush=True)  # noqa: T201 - the answer


if __name__ == "__main__":
    main()
