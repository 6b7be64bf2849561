"""A data set of many pictures from the upload to the bundle: seconds, and the memory of every process.

    python -m benchmarks.large [--count 100000] [--side 64] [--seconds 120] [--state FOLDER] [--json OUT]

Writes `count` pictures of side x side in three colours and ten classes as x.npy and y.npy, adds them by path, and runs
one planned job. Meanwhile the memory of the service and all its children is read twice a second from
/proc/PID/smaps_rollup. Told is for each kind of process the largest of

    rss     all pages in memory, those of mapped files as well
    pss     the same with pages that several processes share divided among them
    own     pages that are in no file: what the process itself needs (anonymous memory)

and the largest sum at one moment. One copy of a data set that all processes map counts once in the sum of `pss`, and
can be dropped by the kernel at any time; `own` cannot.
"""

import argparse
import json
import os
import sys
import tempfile
import threading
import time
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib import format as npy

from archsmith.client import Client
from archsmith.commands.progress import view
from archsmith.serving import service

CLASSES = 10
PIECE = 5_000
LOOK_S = 0.5
KINDS = {
    "ray::TrialActor": "trial", "ray::ImplicitFunc": "trial", "ray::call": "task on the cluster",
    "ray::IDLE": "idle worker", "workers.datasets.ingest": "ingest", "workers.driver": "driver",
    "api.dispatcher": "dispatcher", "workers.cluster": "cluster", "raylet": "ray", "gcs_server": "ray",
    "-m api ": "api", "api.serve": "serve", "mlflow_server": "mlflow",
}  # fmt: skip
"""Text of a command line -> what the process is."""
FIELDS = {"Rss": "rss", "Pss": "pss", "Anonymous": "own"}


def write(folder: Path, *, count: int, side: int) -> Path:
    """x.npy (count, side, side, 3) uint8 and y.npy: a stripe whose direction and colour are the class's, in noise."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(0)
    y = rng.integers(0, CLASSES, count)
    across, down = np.meshgrid(np.arange(side), np.arange(side))
    stripes = [np.sin((across * np.cos(angle) + down * np.sin(angle)) / 3) for angle in np.pi * np.arange(5) / 5]
    colours = np.array([[60, 20, 0], [0, 20, 60]])
    kinds = np.stack([stripes[k % 5][..., None] * colours[k // 5] for k in range(CLASSES)]).astype(np.int16)
    with (folder / "x.npy").open("wb") as out:
        header = {"descr": "|u1", "fortran_order": False, "shape": (count, side, side, 3)}
        npy.write_array_header_1_0(out, header)
        for start in range(0, count, PIECE):
            own = y[start : start + PIECE]
            noise = rng.integers(0, 192, (len(own), side, side, 3), dtype=np.uint8)
            out.write(np.clip(noise + 32 + kinds[own], 0, 255).astype(np.uint8).tobytes())
    np.save(folder / "y.npy", y)  # last: it says that all is there
    return folder


class Watch(threading.Thread):
    """Follows the memory of a process and all its children until `end` is set. Figures in MiB."""

    def __init__(self, root: int) -> None:
        super().__init__(daemon=True)
        self.end = threading.Event()
        self.peaks: dict[str, dict[str, float]] = {}
        self._root = root

    def run(self) -> None:
        while not self.end.wait(LOOK_S):
            total = dict.fromkeys(FIELDS.values(), 0.0)
            for pid in family(self._root):
                kind, used = described(pid), memory(pid)
                for name, value in used.items():
                    total[name] += value
                    self._note(kind, name, value)
            for name, value in total.items():
                self._note("all together", name, value)

    def _note(self, kind: str, name: str, value: float) -> None:
        known = self.peaks.setdefault(kind, dict.fromkeys(FIELDS.values(), 0.0))
        known[name] = max(known[name], round(value, 1))


def family(root: int) -> list[int]:
    """Process ids of `root` and all below it; those of Ray are children of its own session's leaders."""
    parents: dict[int, int] = {}
    for path in Path("/proc").iterdir():
        if path.name.isdigit():
            try:
                parents[int(path.name)] = int((path / "stat").read_text().rpartition(")")[2].split()[1])
            except OSError:
                continue  # ended meanwhile
    found = [root]
    for pid in found:
        found += [child for child, parent in parents.items() if parent == pid]
    return found


def described(pid: int) -> str:
    try:
        words = (Path("/proc") / str(pid) / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        return "ended"
    return next((kind for text, kind in KINDS.items() if text in f"{words} "), "others")


def memory(pid: int) -> dict[str, float]:
    """MiB by FIELDS; {} for a process that has ended."""
    try:
        lines = (Path("/proc") / str(pid) / "smaps_rollup").read_text().splitlines()
    except OSError:
        return {}
    values = {line.split(":")[0]: line.split()[1] for line in lines if line.endswith("kB")}
    return {name: int(values[field]) / 1024 for field, name in FIELDS.items() if field in values}


def measured(url: str, folder: Path, options: argparse.Namespace) -> dict[str, Any]:
    """Adds the data set and runs the job; seconds of both and how the job ended."""
    with Client(url) as client:
        began = time.perf_counter()
        made = client.register_dataset("large", "npy", str(folder), replace=True, force=True)
        upload_s = time.perf_counter() - began
        job = client.submit(dataset=made.name, space="tiny", name="large", budget={"seconds": options.seconds})
        began = time.perf_counter()
        with view(sys.stdout) as shown:
            job = client.wait(job.id, on_update=shown.show)
        job_s = time.perf_counter() - began
    return {
        "pictures": options.count,
        "gigabytes": round(options.count * options.side**2 * 3 / 1e9, 2),
        "upload_s": round(upload_s, 1),
        "job_s": round(job_s, 1),
        "state": job.state,
        "reason": job.reason,
        "trials": job.progress.done,
        "final_score": job.final_score,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=100_000)
    parser.add_argument("--side", type=int, default=64)
    parser.add_argument("--seconds", type=float, default=120.0, help="of the job")
    parser.add_argument("--state", type=Path, help="folder for pictures and the service's state")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    temporary = nullcontext(str(options.state.absolute())) if options.state else tempfile.TemporaryDirectory()
    with temporary as place:
        folder = Path(place) / "pictures"
        if not (folder / "y.npy").is_file():
            write(folder, count=options.count, side=options.side)
        os.environ["ARCHSMITH_DATA_ROOTS"] = str(folder)
        os.environ.setdefault("ARCHSMITH_LEASE_S", "300")  # where other work runs beside, a driver starts slowly
        watch, found = Watch(os.getpid()), dict[str, Any]()
        watch.start()
        try:
            with service(Path(place) / "service", patience_s=600.0) as url:
                found = measured(url, folder, options)
        finally:
            watch.end.set()
            watch.join()
            told(watch, found, options)


def told(watch: Watch, found: dict[str, Any], options: argparse.Namespace) -> None:
    """found: {} of a run that was broken off, whose memory is told all the same."""
    for kind, peaks in sorted(watch.peaks.items(), key=lambda item: -item[1]["pss"]):
        print(f"{kind:20s}", *(f"{name} {value:8.1f}" for name, value in peaks.items()), "MiB")
    print(json.dumps(found))
    if options.json:
        options.json.write_text(json.dumps({**found, "peaks_mib": watch.peaks}, indent=2) + "\n")


if __name__ == "__main__":
    main()
