"""Upload and check of pictures: files per second beside plain Pillow on one core, and the peak of memory.

    python -m benchmarks.pictures [--count 3000] [--side 256] [--archive ZIP] [--json OUT]

Photographs are imitated by smooth noise; three of four are JPEG, the others PNG. Plain Pillow opens each, makes it RGB,
fits it into 64 x 64 and keeps the array: no checks, no store. The upload is the whole process with all its checks, as
the service starts it: imports, the store and its hashes included.

Beside the seconds by the clock stand those of processors: where other work runs beside, only these can be compared.
`peak_mib` is the largest sum of the memory of the reader and its processes that is in no file (benchmarks.large);
`resident_mib` has mapped files too. --archive keeps the pictures for the next time: 50,000 take minutes to draw.
"""

import argparse
import io
import json
import resource
import subprocess
import sys
import tempfile
import time
import zipfile
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from benchmarks.large import Watch

CLASSES = 10
STORED = 64


def archive(path: Path, *, count: int, side: int) -> Path:
    """A zip of `count` pictures of about side x 3/4 side pixels in class folders."""
    rng = np.random.default_rng(0)
    with zipfile.ZipFile(path, "w") as made:
        for number in range(count):
            coarse = rng.integers(0, 256, (12, 16, 3), dtype=np.uint8)
            picture = Image.fromarray(coarse).resize((side, 3 * side // 4), Image.Resampling.BICUBIC)
            out = io.BytesIO()
            kind = "PNG" if number % 4 == 0 else "JPEG"
            picture.save(out, kind)
            made.writestr(f"class{number % CLASSES}/{number:06}.{kind.lower()}", out.getvalue())
    return path


def plain(path: Path) -> tuple[float, float]:
    """Seconds of plain Pillow in one thread, by the clock and of the processor."""
    started, used = time.perf_counter(), time.process_time()
    with zipfile.ZipFile(path) as made:
        names = made.namelist()
        rows = np.empty((len(names), STORED, STORED, 3), dtype=np.uint8)
        for row, name in enumerate(names):
            picture = Image.open(io.BytesIO(made.read(name))).convert("RGB")
            rows[row] = np.asarray(ImageOps.fit(picture, (STORED, STORED), method=Image.Resampling.BICUBIC))
    return time.perf_counter() - started, time.process_time() - used


def upload(path: Path, store: Path) -> tuple[float, float, dict[str, float]]:
    """Seconds of the process that reads an upload, by the clock and of processors; peaks of memory, MiB."""
    words = [sys.executable, "-m", "workers.datasets.ingest", "--format", "images", "--name", "bench"]
    started, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    child = subprocess.Popen([*words, "--source", str(path), "--store", str(store)], stdout=subprocess.PIPE)
    watch = Watch(child.pid)
    watch.start()
    output, _ = child.communicate()
    seconds, after = time.perf_counter() - started, resource.getrusage(resource.RUSAGE_CHILDREN)
    watch.end.set()
    watch.join()
    answer = json.loads(output.splitlines()[-1])
    if child.returncode or not answer["ok"]:
        raise SystemExit(f"the upload failed: {answer}")
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return seconds, used, watch.peaks["all together"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else "")
    parser.add_argument("--count", type=int, default=3000)
    parser.add_argument("--side", type=int, default=256)
    parser.add_argument("--archive", type=Path, help="made where it is not there")
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        path = given.archive or Path(place) / "pictures.zip"
        if not path.is_file():
            archive(path, count=given.count, side=given.side)
        seconds, used, peaks = upload(path, Path(place) / "store")
        by_pillow, used_by_pillow = plain(path)
    figures = {
        "pictures": given.count,
        "side": given.side,
        "upload_per_s": round(given.count / seconds),
        "plain_per_s": round(given.count / by_pillow),
        "ratio": round(by_pillow / seconds, 2),
        "upload_cpu_s": round(used, 1),
        "plain_cpu_s": round(used_by_pillow, 1),
        "peak_mib": round(peaks["own"]),
        "resident_mib": round(peaks["rss"]),
    }
    text = json.dumps(figures)
    sys.stdout.write(text + "\n")
    if given.json:
        given.json.write_text(text)


if __name__ == "__main__":
    main()
