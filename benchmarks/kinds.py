"""One real search for each kind of data through the API, beside the published figures.

    python -m benchmarks.kinds [--only cora-nodes mutag] [--data ../shared/data] [--seconds 600] [--out FOLDER] [--json OUT]

Pictures (Fashion-MNIST; TrashNet, photographs of unequal class sizes), volumes (AdrenalMNIST3D), and graphs: nodes of
Cora, whole graphs of MUTAG, links of Cora. Starts a service of its own, or uses the one at --url. Every search ends with
a bundle in --out; the table at the end has what the search saw, what the final training reached on the test split, and
a reference with its source.
"""

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from archsmith.client import Client
from archsmith.progress import view
from archsmith.serving import service


@dataclass(frozen=True, kw_only=True)
class Case:
    """One search.

    files: below the data folder. format: of the data set. job: fields of the request beside dataset and budget.
    goal: of final_score, None where no figure is asked for. reference: for people.
    """

    name: str
    files: tuple[str, ...]
    format: str
    job: dict[str, Any]
    trials: int
    epochs: int
    final_epochs: int
    goal: float | None
    reference: str
    dataset: dict[str, Any] | None = None


CASES = (
    Case(
        name="fashion-mnist",
        files=(
            "fashion_mnist/train-images-idx3-ubyte.gz",
            "fashion_mnist/train-labels-idx1-ubyte.gz",
            "fashion_mnist/t10k-images-idx3-ubyte.gz",
            "fashion_mnist/t10k-labels-idx1-ubyte.gz",
        ),
        format="idx",
        job={"space": "chain", "trial": {"scheduler": "asha"}},
        trials=1000,
        epochs=4,
        final_epochs=12,
        goal=0.92,
        reference="2 convolutions, < 100 K parameters 0.925; ResNet-18 0.949 (table of the data's own README)",
    ),
    Case(
        name="trashnet",
        files=("trashnet/trashnet_half.zip",),
        format="images",
        dataset={"image_size": 64},
        job={"space": "resnet", "trial": {"scheduler": "asha", "batch_size": 32}},
        trials=60,
        epochs=12,
        final_epochs=60,
        goal=None,
        reference="small network from scratch about 0.75 (its README); AlexNet with augmentation 0.799 (Stanford report)",
    ),
    Case(
        name="adrenalmnist3d",
        files=("adrenalmnist3d/adrenalmnist3d.npz",),
        format="npz",
        job={"space": "volume3d", "trial": {"scheduler": "asha", "batch_size": 32}},
        trials=60,
        epochs=10,
        final_epochs=30,
        goal=0.80,
        reference="3-D ResNet-18 0.721 (MedMNIST v2); largest class 0.768",
    ),
    Case(
        name="cora-nodes",
        files=("cora/cora.npz",),
        format="graph",
        job={"space": "graph_node"},
        trials=60,
        epochs=8,
        final_epochs=8,
        goal=0.80,
        reference="GCN 0.815 (Kipf, Welling 2017), the same split",
    ),
    Case(
        name="mutag",
        files=("mutag/MUTAG.zip",),
        format="tu",
        job={"space": "graph_class", "trial": {"batch_size": 32}},
        trials=60,
        epochs=20,
        final_epochs=60,
        goal=None,
        reference="GIN-0 0.894, 10-fold (Xu et al. 2019); here one split of 38 graphs",
    ),
    Case(
        name="cora-links",
        files=("cora/cora.npz",),
        format="graph",
        job={"space": "link_prediction"},
        trials=40,
        epochs=8,
        final_epochs=8,
        goal=None,
        reference="AUC of VGAE 0.914 (Kipf, Welling 2016), 85/5/10 % of the links",
    ),
)


def dataset_of(client: Client, case: Case, data: Path) -> str:
    """The name of the data set, sent if it is not there: Cora's two searches share one."""
    name = Path(case.files[0]).parts[0].replace("_", "-")
    if name not in {known.name for known in client.datasets()}:
        client.upload_dataset(name, case.format, [data / file for file in case.files], **(case.dataset or {}))
    return name


def search(client: Client, case: Case, options: argparse.Namespace) -> dict[str, Any]:
    """Runs the search and fetches its bundle."""
    job = client.submit(
        name=case.name,
        dataset=dataset_of(client, case, options.data),
        controller=options.controller,
        seed=options.seed,
        budget={"trials": case.trials, "seconds": options.seconds, "epochs": case.epochs},
        finalists={"top": 3, "seeds": options.seeds, "epochs": case.final_epochs},
        **case.job,
    )
    with view(sys.stdout) as shown:
        job = client.wait(job.id, on_update=shown.show)
    result = {
        "case": case.name,
        "state": job.state,
        "reason": job.reason,
        "trials": job.progress.trials,
        "search_seconds": job.progress.seconds_used,
        "search_score": None if job.best is None else job.best.search_score,
        "final_score": job.final_score,
        "goal": case.goal,
        "reference": case.reference,
        "finalists": job.document.get("finalists"),
    }
    if job.state == "succeeded":
        client.download_bundle(job.id, options.out / f"{case.name}.zip")
    return result


@contextmanager
def running(options: argparse.Namespace) -> Iterator[str]:
    if options.url:
        yield options.url
        return
    temporary = nullcontext(str(options.state)) if options.state else tempfile.TemporaryDirectory()
    with temporary as folder, service(Path(folder)) as url:
        yield url


def table(results: list[dict[str, Any]]) -> str:
    rows = [
        "| search | trials | seconds | search_score | final_score | reference |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for one in results:
        scores = [f"{one[key]:.4f}" if one[key] is not None else "-" for key in ("search_score", "final_score")]
        count = sum(one["trials"].values())
        rows.append(
            f"| {one['case']} | {count} | {one['search_seconds']:.0f} | {' | '.join(scores)} | {one['reference']} |"
        )
    return "\n".join(rows)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path(os.environ.get("ARCHSMITH_DATA", "../shared/data")))
    parser.add_argument("--only", nargs="+", choices=[case.name for case in CASES])
    parser.add_argument("--controller", default="tpe")
    parser.add_argument("--seconds", type=float, default=600.0)
    parser.add_argument("--seeds", type=int, default=1, help="final trainings of each finalist")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--url")
    parser.add_argument("--state", type=Path, help="keep the service's state here")
    parser.add_argument("--out", type=Path, default=Path(tempfile.gettempdir()))
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    if not options.data.is_dir():
        print(f"no data at {options.data}; name the folder with --data or ARCHSMITH_DATA", file=sys.stderr)
        return 2
    results = []
    with running(options) as url, Client(url) as client:
        for case in CASES:
            if options.only is None or case.name in options.only:
                results.append(search(client, case, options))
                print(json.dumps(results[-1]), flush=True)
    print(table(results))
    if options.json:
        options.json.write_text(json.dumps(results, indent=2) + "\n")
    reached = all(one["state"] == "succeeded" and (one["final_score"] or 0) >= (one["goal"] or 0) for one in results)
    return 0 if reached else 1


if __name__ == "__main__":
    sys.exit(main())
