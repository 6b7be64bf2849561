"""Few photographs: 240 of TrashNet (4 classes, 60 each) as an upload, against a forest on colour histograms; and all.

    python -m benchmarks.photographs [--seconds 1200] [--seeds 3] [--json build/photographs.json]
    python -m benchmarks.photographs --all [--seconds 3600] [--seeds 1] [--json build/photographs.json]
                                     [--data ../shared/data] [--url URL | --state FOLDER]

The first asks that the job's mean final score is 0.08 above the random forest's (300 trees on joint histograms of 8³
colours, scikit-learn). Photographs are drawn from the archive by --draw; each seed has splits of its own, 48 of them in
the test split, on which one score is known to ± 0.13. Job and forest have the same splits: their SHA-256 are compared
with the job's report. Both are fitted to all that is not in the test split. The second asks for 0.80 on all of TrashNet
at 64 pixels. Finished jobs are kept in --json.
"""

import argparse
import statistics
import sys
import tempfile
import zipfile
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any

from archsmith.client import Client
from benchmarks._jobs import measured
from benchmarks._results import Results
from benchmarks._service import running
from benchmarks._sources import SOURCES, add_data, registered
from benchmarks._verdicts import Verdict, interval, status, table, verdict_table
from benchmarks.simple_models import CLASSES, FEW, forest
from search.streams import Stream, generator
from workers.datasets import Dataset, DataStore
from workers.datasets.ingest import ingest

ABOVE, ALL = 0.08, 0.80
NAME = "trashnet-240"
SIDE = 64


def drawn(names: list[str], *, draw: int) -> list[str]:
    """FEW members of an archive of class folders for each of CLASSES, in order."""
    rng = generator(Stream.SIMPLE_MODELS, draw, 99)
    chosen: list[str] = []
    for label in sorted(CLASSES):
        of_class = sorted(name for name in names if PurePosixPath(name).parent.name == label and name[-1] != "/")
        if len(of_class) < FEW:
            raise ValueError(f"class {label} has {len(of_class)} photographs, {FEW} are needed")
        chosen += [of_class[place] for place in sorted(rng.permutation(len(of_class))[:FEW])]
    return chosen


def write_few(archive: Path, target: Path, *, draw: int) -> None:
    """The drawn photographs as CLASS/FILE."""
    with zipfile.ZipFile(archive) as source, zipfile.ZipFile(target, "w") as out:
        for name in drawn(source.namelist(), draw=draw):
            out.writestr("/".join(PurePosixPath(name).parts[-2:]), source.read(name))


def few(client: Client, archive: Path, seed: int, options: argparse.Namespace) -> dict[str, Any]:
    """One job on the drawn photographs, and the forest on its splits; the row."""
    dataset = f"{NAME}-{options.draw}"
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "few.zip"
        write_few(archive, target, draw=options.draw)
        if dataset not in {known.name for known in client.datasets()}:
            client.upload_dataset(dataset, "images", [target], image_size=SIDE)
        store = DataStore(Path(folder) / "store")
        ingest("images", [target], name=dataset, store=store, image_size=SIDE)
        opened = store.open(dataset, seed=seed, task=None)
        return job(client, dataset, seed, options.seconds, opened) | {"forest": forest(opened)}


def job(client: Client, name: str, seed: int, seconds: float, opened: Dataset | None) -> dict[str, Any]:
    """The row of a job; same_splits: whether its report has the splits of `opened`, None where that cannot be said."""
    request = {"dataset": name, "space": SOURCES["trashnet"].space, "seed": seed, "name": f"{name}-{seed}"}
    job_id: list[str] = []
    found = measured(
        client, {**request, "budget": {"seconds": seconds}}, budget_s=seconds, each=lambda now, _: job_id.append(now.id)
    )
    same = None
    if opened is not None and found["state"] == "succeeded":
        hashes = client.report(job_id[-1])["dataset"]["split_hashes"]
        same = all(hashes[name] == value for name, value in opened.split_hashes.items() if name in hashes)
    return found | {"same_splits": same}


def everything(client: Client, seed: int, options: argparse.Namespace) -> dict[str, Any]:
    """One job on all of TrashNet."""
    registered(client, SOURCES["trashnet"], options.data)
    return job(client, "trashnet", seed, options.seconds, None)


def judged_few(rows: list[dict[str, Any]]) -> Verdict:
    """rows: without those whose splits were not the forest's."""
    what, required = "240 photographs, job against forest", f">= +{ABOVE}"
    good = [row for row in rows if row["final_score"] is not None and row["same_splits"]]
    if len(good) < len(rows) or not rows:
        lost = f"{len(rows) - len(good)} of {len(rows)} jobs have no score on the forest's splits"
        return Verdict(what=what, measured=lost, required=required, met=False if rows else None)
    mean, half = interval([row["final_score"] - row["forest"] for row in good], least=_error(good))
    forests = statistics.fmean(row["forest"] for row in good)
    said = f"{forests + mean:.3f} - {forests:.3f} = {mean:+.3f} ± {half:.3f}"
    return Verdict(what=what, measured=said, required=required, met=mean >= ABOVE)


def _error(rows: list[dict[str, Any]]) -> float:
    """Standard error by the number of test samples alone: 0.2 of 240, over the seeds."""
    share = statistics.fmean(row["final_score"] for row in rows)
    return float((max(0.01, share * (1 - share)) / (0.2 * FEW * len(CLASSES) * len(rows))) ** 0.5)


def judged_all(rows: list[dict[str, Any]]) -> Verdict:
    scores = [row["final_score"] for row in rows if row["final_score"] is not None]
    mean = statistics.fmean(scores) if scores else None
    met = None if not rows else mean is not None and mean >= ALL
    said = "-" if mean is None else f"{mean:.4f}"
    return Verdict(what="all TrashNet", measured=said, required=f">= {ALL:.2f}", met=met)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--all", action="store_true", help="all photographs and classes")
    parser.add_argument("--seconds", type=float, help="of each job; 1,200, with --all 3,600")
    parser.add_argument("--seeds", type=int, help="jobs; 3, with --all 1")
    parser.add_argument("--draw", type=int, default=0, help="seed by which the photographs are drawn")
    parser.add_argument("--url", help="a service that runs already")
    parser.add_argument("--state", type=Path, help="keep the service's state here")
    parser.add_argument("--json", type=Path, help="keep finished jobs here")
    add_data(parser)
    options = parser.parse_args()
    options.seconds = options.seconds or (3600.0 if options.all else 1200.0)
    results, rows = Results(options.json), []
    archive = options.data.absolute() / SOURCES["trashnet"].files[0]
    with running(options) as url, Client(url) as client:
        for seed in range(options.seeds or (1 if options.all else 3)):
            key = f"{'all' if options.all else f'{FEW}x{len(CLASSES)}-{options.draw}'}-{options.seconds:g}-{seed}"
            made = partial(everything, client) if options.all else partial(few, client, archive)
            rows.append(results.row(key, partial(made, seed, options)))
    verdict = judged_all(rows) if options.all else judged_few(rows)
    shown = ("state", "taken_s", "scored", "search_score", "final_score", "forest", "same_splits")
    print(table(("seed", *shown), [(seed, *(row.get(name) for name in shown)) for seed, row in enumerate(rows)]))
    print(verdict_table([verdict]))
    return status([verdict])


if __name__ == "__main__":
    sys.exit(main())
