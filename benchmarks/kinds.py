"""One real search for each kind of data through the API, beside the published figures.

    python -m benchmarks.kinds [--only cora-nodes mutag] [--data ../shared/data] [--seconds 600] [--out FOLDER]

Pictures (Fashion-MNIST; TrashNet, photographs of unequal class sizes), volumes (AdrenalMNIST3D), and graphs: nodes of
Cora, whole graphs of MUTAG, links of Cora. Starts a service of its own, or uses the one at --url. Each search ends with
a bundle in --out; the table at the end has what the search saw, what the final training reached on the test split, and
a reference with its source.
"""

import argparse
import json
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from archsmith.client import Client
from benchmarks._service import add_arguments, running, search


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


ALONE = {"baseline": False, "random_arm": False, "fidelity": 0}
"""Published figures are what these searches are compared with."""

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
        epochs=6,
        final_epochs=30,
        goal=None,
        reference="small network from scratch about 0.75 (its README); AlexNet, augmented, 0.799 (Stanford report)",
    ),
    Case(
        name="adrenalmnist3d",
        files=("adrenalmnist3d/adrenalmnist3d.npz",),
        format="npz",
        job={"space": "volume3d", "trial": {"scheduler": "asha", "batch_size": 32}},
        trials=60,
        epochs=6,
        final_epochs=20,
        goal=0.80,
        reference="largest class alone 0.768; random forest on voxels 0.772, its AUC 0.774",
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


def request(case: Case, dataset: str, options: argparse.Namespace) -> dict[str, Any]:
    return {
        "name": case.name,
        "dataset": dataset,
        "controller": options.controller,
        "seed": options.seed,
        "budget": {"trials": case.trials, "epochs": case.epochs},
        "finalists": {"seeds": options.seeds, "epochs": case.final_epochs, **ALONE},
        **case.job,
    }


def table(results: list[dict[str, Any]]) -> str:
    rows = ["| search | trials | seconds | search_score | final_score | reference |"]
    rows.append("| --- | --- | --- | --- | --- | --- |")
    for result in results:
        scores = [f"{result[key]:.4f}" if result[key] is not None else "-" for key in ("search_score", "final_score")]
        told = [result["name"], str(sum(result["trials"].values())), f"{result['search_seconds']:.0f}", *scores]
        rows.append(f"| {' | '.join(told)} | {result['reference']} |")
    return "\n".join(rows)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path(os.environ.get("ARCHSMITH_DATA", "../shared/data")))
    parser.add_argument("--only", nargs="+", choices=[case.name for case in CASES])
    parser.add_argument("--controller", default="tpe")
    parser.add_argument("--seeds", type=int, default=1, help="final trainings of each finalist")
    add_arguments(parser)
    options = parser.parse_args()
    if not options.data.is_dir():
        print(f"no data at {options.data}; name the folder with --data or ARCHSMITH_DATA", file=sys.stderr)
        return 2
    results = []
    with running(options) as url, Client(url) as client:
        for case in CASES:
            if options.only is None or case.name in options.only:
                made = search(client, request(case, dataset_of(client, case, options.data), options), options.out)
                results.append({**made, "goal": case.goal, "reference": case.reference})
                print(json.dumps(results[-1]), flush=True)
    print(table(results))
    if options.json:
        options.json.write_text(json.dumps(results, indent=2) + "\n")
    reached = all(
        result["state"] == "succeeded" and (result["final_score"] or 0) >= (result["goal"] or 0) for result in results
    )
    return 0 if reached else 1


if __name__ == "__main__":
    sys.exit(main())
