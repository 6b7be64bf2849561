"""Upload and check of pictures: files per second beside plain Pillow on one core, and the peak of memory.

    python -m benchmarks.pictures [--count 3000] [--side 256] [--json OUT]

Photographs are imitated by smooth noise; three of four are JPEG, the others PNG. Plain Pillow opens each, makes it RGB,
fits it into 64 x 64 and keeps the array: no checks, no store. The upload is the whole process with all its checks, as
the service starts it: imports, the store and its hashes included.
"""

import argparse
import io
import json
import os
import subprocess
import sys
import tempfile
import time
import zipfile
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

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


def plain(path: Path) -> float:
    """Seconds of plain Pillow in one thread."""
    started = time.perf_counter()
    rows = []
    with zipfile.ZipFile(path) as made:
        for name in made.namelist():
            picture = Image.open(io.BytesIO(made.read(name))).convert("RGB")
            rows.append(np.asarray(ImageOps.fit(picture, (STORED, STORED), method=Image.Resampling.BICUBIC)))
    return time.perf_counter() - started


def upload(path: Path, store: Path) -> tuple[float, float]:
    """Seconds and MiB of the process that reads an upload."""
    words = [sys.executable, "-m", "workers.datasets.ingest", "--format", "images", "--name", "bench"]
    started = time.perf_counter()
    child = subprocess.Popen([*words, "--source", str(path), "--store", str(store)], stdout=subprocess.PIPE)
    output = child.stdout.read() if child.stdout else b""
    _, status, used = os.wait4(child.pid, 0)
    seconds = time.perf_counter() - started
    answer = json.loads(output.splitlines()[-1])
    if status or not answer["ok"]:
        raise SystemExit(f"the upload failed: {answer}")
    return seconds, used.ru_maxrss / 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else "")
    parser.add_argument("--count", type=int, default=3000)
    parser.add_argument("--side", type=int, default=256)
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        path = archive(Path(place) / "pictures.zip", count=given.count, side=given.side)
        seconds, mebibytes = upload(path, Path(place) / "store")
        by_pillow = plain(path)
    figures = {
        "pictures": given.count,
        "side": given.side,
        "upload_per_s": round(given.count / seconds),
        "plain_per_s": round(given.count / by_pillow),
        "ratio": round(by_pillow / seconds, 2),
        "peak_mib": round(mebibytes),
    }
    text = json.dumps(figures)
    sys.stdout.write(text + "\n")
    if given.json:
        given.json.write_text(text)


if __name__ == "__main__":
    main()
