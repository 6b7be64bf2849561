"""Simple models on the splits of a job: seconds of one thread and scores, for each kind of data.

    python -m benchmarks.simple_models [--only digits mutag] [--data ../shared/data] [--seeds 3]

The rows `search` are what a job shows before its search (fitted to the training split, scored on the validation split),
`final` what its report has (fitted to both, scored on the test split), means over the seeds. `trashnet-240` are 60
photographs of each of 4 classes; its last row is a random forest on colour histograms. Absent data sets are skipped.
"""

import argparse
import os
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean

import numpy as np

from benchmarks._sources import FASHION
from search.streams import Stream, generator
from workers.conventions import score_name
from workers.datasets import Dataset, DataStore
from workers.datasets.ingest import ingest
from workers.datasets.splits import make_splits
from workers.simple.models import MODELS, SimpleTask, fit_and_score
from workers.simple.sampling import Stage, samples

FEW, CLASSES = 60, ("cardboard", "glass", "metal", "paper")


@dataclass(frozen=True, kw_only=True)
class Case:
    """files: below the data folder, none for what is built in. change: of the opened data set."""

    name: str
    dataset: str
    format: str = ""
    files: tuple[str, ...] = ()
    task: str | None = None
    score: str = "auto"
    image_size: int | None = None
    change: Callable[[Dataset], Dataset] = lambda dataset: dataset


def few(dataset: Dataset) -> Dataset:
    """FEW photographs of each of CLASSES, drawn by the seed."""
    labels = [dataset.info.class_names.index(name) for name in CLASSES]
    rng = generator(Stream.SIMPLE_MODELS, dataset.seed, 99)
    rows = np.sort(np.concatenate([rng.permutation(np.flatnonzero(dataset.y == label))[:FEW] for label in labels]))
    y = np.searchsorted(np.sort(labels), dataset.y[rows])
    splits = make_splits(y, {"train": (0, len(y))}, seed=dataset.seed)
    info = replace(dataset.info, class_names=tuple(sorted(CLASSES)), classes=len(CLASSES))
    return replace(dataset, info=info, x=np.asarray(dataset.x[rows]), y=y, splits=splits)


TRASHNET = {"dataset": "trashnet", "format": "images", "files": ("trashnet/trashnet_half.zip",), "image_size": 64}
CORA = {"dataset": "cora", "format": "graph", "files": ("cora/cora.npz",)}
CASES = (
    Case(name="digits", dataset="digits"),
    Case(name="fashion-mnist", dataset="fashion", format="idx", files=FASHION),
    Case(name="trashnet", **TRASHNET),  # type: ignore[arg-type]
    Case(name="trashnet-240", change=few, **TRASHNET),  # type: ignore[arg-type]
    Case(name="adrenalmnist3d", dataset="adrenal", format="npz", files=("adrenalmnist3d/adrenalmnist3d.npz",)),
    Case(name="mutag", dataset="mutag", format="tu", files=("mutag/MUTAG.zip",)),
    Case(name="cora-nodes", task="nodes", **CORA),  # type: ignore[arg-type]
    Case(name="cora-links", task="links", **CORA),  # type: ignore[arg-type]
)


def opened(case: Case, data: Path, store: DataStore, seed: int) -> Dataset | None:
    """None where its files are absent."""
    files = [data / name for name in case.files]
    if not all(path.is_file() for path in files):
        return None
    if case.dataset not in store.names():
        ingest(case.format, files, name=case.dataset, store=store, image_size=case.image_size)
    return case.change(store.open(case.dataset, seed=seed, task=case.task))


def forest(dataset: Dataset) -> float:
    """The accuracy on the test split of a random forest on joint histograms of 8³ colours."""
    from sklearn.ensemble import RandomForestClassifier

    parts = []
    for split in (dataset.final_train, dataset.test):
        colours = (split.x.reshape(len(split), 3, -1) // 32).astype(np.int64)
        places = colours[:, 0] * 64 + colours[:, 1] * 8 + colours[:, 2]
        parts.append(np.stack([np.bincount(row, minlength=512) for row in places]))
    fitted = RandomForestClassifier(300, random_state=dataset.seed).fit(parts[0], dataset.final_train.y)
    return float(fitted.score(parts[1], dataset.test.y))


def rows(case: Case, datasets: list[Dataset]) -> list[str]:
    found = []
    stages: tuple[Stage, ...] = ("search", "final")
    name = score_name(case.score, datasets[0].task)
    for stage in stages:
        for model in MODELS:
            scores, spent, used = [], [], 0
            for dataset in datasets:
                began = time.process_time()
                given = samples(dataset, stage)
                one = fit_and_score(SimpleTask(model=model, score=name, seed=dataset.seed), given)
                spent.append(time.process_time() - began)
                scores.append(one.score if one.score is not None else float("nan"))
                used = one.features
            cells = [
                case.name,
                stage,
                model,
                f"{len(given.train.data):,}",
                f"{len(given.held_out.data):,}",
                f"{used:,}",
            ]
            found.append(f"| {' | '.join(cells)} | {fmean(spent):.2f} | {name} | {fmean(scores):.4f} |")
    if case.change is few:
        mean = fmean(forest(dataset) for dataset in datasets)
        found.append(f"| {case.name} | final | random forest, colours | | | 512 | | {name} | {mean:.4f} |")
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path(os.environ.get("ARCHSMITH_DATA", "../shared/data")))
    parser.add_argument("--only", nargs="+", choices=[case.name for case in CASES])
    parser.add_argument("--seeds", type=int, default=1, help="of the splits")
    options = parser.parse_args()
    print("| data | stage | model | fitted to | measured on | features | CPU seconds | score | value |")
    print("| --- | --- | --- | ---: | ---: | ---: | ---: | --- | ---: |", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        store = DataStore(Path(folder))
        for case in CASES:
            if options.only is None or case.name in options.only:
                found = [opened(case, options.data, store, seed) for seed in range(options.seeds)]
                datasets = [dataset for dataset in found if dataset is not None]
                print("\n".join(rows(case, datasets)) if datasets else f"| {case.name} | absent |", flush=True)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
