"""One search for each kind of data that people have, by the `archsmith` command alone, beside simple models.

    python -m benchmarks.by_command [--only photographs series] [--seconds 120] [--data ../shared/data]
                                    [--state FOLDER] [--url URL] [--json build/by_command.json]

    photographs    a folder of TrashNet's JPEGs, train/CLASS and test/CLASS
    table          Fashion-MNIST as train.csv and test.csv
    parquet        TrashNet as train.parquet and test.parquet
    multispectral  generated fields of 8 channels and 16 bits, an .npz
    regression     shoes of Fashion-MNIST that were turned: by how many degrees, an .npz
    series         generated bursts in noise, a line each in train.csv and test.csv
    segmentation   200 generated pictures with masks, images/ and masks/

For each: `upload`, `submit --watch`, `download`, `verify`, and `predict` on the files of the whole test part. Its
answers are scored here, and compared with what the report says of the same weights. Exits with 1 where they differ.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks._made import KINDS, Made, mask_of
from benchmarks._results import Results
from benchmarks._service import running
from benchmarks._sources import add_data
from benchmarks._verdicts import table

CLOSE = 0.005
"""By which the two scores may differ: a sample or two whose answer is a matter of rounding."""


def archsmith(*arguments: str, url: str = "", cwd: Path) -> str:
    """Standard output of the command. Raises CalledProcessError; standard error goes to the terminal."""
    command = [str(Path(sys.executable).with_name("archsmith")), *(["--url", url] if url else []), *arguments]
    return subprocess.run(command, cwd=cwd, stdout=subprocess.PIPE, text=True, check=True).stdout


def searched(kind: str, options: argparse.Namespace, url: str, folder: Path) -> dict[str, Any]:
    """The row of one kind."""
    made = KINDS[kind](options.data.absolute(), folder)
    begun = time.monotonic()
    archsmith("upload", kind, *made.options, *map(str, made.upload), url=url, cwd=folder)
    upload_s = time.monotonic() - begun
    space = ("--space", made.space) if made.space else ()
    words = ("--dataset", kind, *space, "--seconds", f"{options.seconds:g}", "--name", kind, "--watch")
    begun = time.monotonic()
    job = archsmith("submit", *words, url=url, cwd=folder).split()[0]
    taken_s = time.monotonic() - begun
    report = json.loads(archsmith("report", job, "--json", url=url, cwd=folder))
    bundle = folder / f"{kind}.zip"
    archsmith("download", job, "-o", str(bundle), url=url, cwd=folder)
    archsmith("verify", str(bundle), cwd=folder)
    lines = archsmith("predict", str(bundle), "--json", *map(str, made.test), cwd=folder).splitlines()
    found = [json.loads(line) for line in lines]
    simple = {row["name"]: row["final_score"] for row in (report["simple_models"] or {"models": []})["models"]}
    shipped = report["shipped"]["final_score"]
    mine = scored(report["score"], found, made)
    return {
        "upload_s": round(upload_s, 1),
        "job_s": round(taken_s, 1),
        "score": report["score"],
        "final_score": report["final_score"],
        "shipped": shipped,
        "predicted": mine,
        "same": mine is not None and len(found) == len(made.truth) and abs(mine - shipped) <= CLOSE,
        "simple": simple,
    }


def scored(score: str, found: Sequence[dict[str, Any]], made: Made) -> float | None:
    """The score of the command's answers; None for one that is not computed here."""
    if score == "accuracy":
        named = [next(iter(row["classes"])) for row in found]
        return float(np.mean([one == truth for one, truth in zip(named, made.truth, strict=True)]))
    if score == "r2":
        given = np.array([list(row["values"].values()) for row in found])
        truth = np.asarray(made.truth, dtype=np.float32)
        return float(np.mean(1 - ((given - truth) ** 2).sum(0) / ((truth - truth.mean(0)) ** 2).sum(0)))
    if score == "mean_iou":
        masks = np.stack([mask_of(row["mask"]) for row in found])
        pairs = [(masks == label, made.truth == label) for label in np.unique(made.truth)]
        return float(np.mean([(a & b).sum() / (a | b).sum() for a, b in pairs]))
    return None


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=sorted(KINDS), default=list(KINDS))
    parser.add_argument("--seconds", type=float, default=120.0, help="of each job")
    parser.add_argument("--url", help="a service that runs already")
    parser.add_argument("--state", type=Path, help="keep the service's state here")
    parser.add_argument("--json", type=Path, help="keep finished jobs here")
    add_data(parser)
    options = parser.parse_args()
    results, rows = Results(options.json), {}
    with running(options) as url:
        for kind in options.only:
            with tempfile.TemporaryDirectory() as folder:
                row = results.row(f"{kind}-{options.seconds:g}", lambda: searched(kind, options, url, Path(folder)))  # noqa: B023
            rows[kind] = row
            print(kind, json.dumps(row), flush=True)
    shown = ("score", "final_score", "shipped", "predicted", "same", "simple", "upload_s", "job_s")
    print(table(("kind", *shown), [(kind, *(row[name] for name in shown)) for kind, row in rows.items()]))
    return 0 if all(row["same"] for row in rows.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
