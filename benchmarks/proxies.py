"""The proxies of `workers/measures/proxies.py` against published ones and against accuracy, on cells of NAS-Bench-201.

    python -m benchmarks.proxies --table nasbench201_cifar10.csv.gz --zero-cost zero_cost_cifar10.csv.gz
                                 [--data FASHION_MNIST_FOLDER] [--cells 60] [--batch 64] [--json OUT]

Random cells of the preset, among those whose proxies are published, are built for 3×32×32 and looked at with one batch:
noise of a normal distribution, or pictures of Fashion-MNIST, padded and three times the same channel, with --data (the
published numbers are of CIFAR-10, which one needs not have for this). Printed: Spearman's rank correlation of each
with its published column and with the validation accuracy, that of the published column beside it.
"""

import argparse
import json
import random
import re
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from benchmarks.search.spaces import WORDS
from benchmarks.search.tables import rows
from search.surrogate.zero_cost import COLUMNS, combined
from space import presets
from space.analysis import analyse
from space.architecture import Architecture
from space.build import build
from space.space import Space, replay
from workers.datasets import idx
from workers.measures.proxies import measured

PUBLISHED = {"macs": "c10_flops", "nwot": "c10_nwot", "synflow": "c10_synflow", "jacob_cov": "c10_jacov"}
Values = Mapping[str, float | None]


def cells(options: argparse.Namespace) -> dict[str, tuple[Values, float]]:
    """Code -> published proxies and validation accuracy, %, of random cells that have all of them."""
    known = {row["index"]: row for row in rows(options.zero_cost) if all(row[name] for name in PUBLISHED.values())}
    codes = {row["op_code"]: row for row in rows(options.table) if row["index"] in known}
    picked = random.Random(options.seed).sample(sorted(codes), options.cells)
    return {
        code: (
            {name: float(known[codes[code]["index"]][column]) for name, column in PUBLISHED.items()},
            float(codes[code]["c10_val"]),
        )
        for code in picked
    }


def networks() -> Callable[[str], Architecture]:
    """From a code, whose digits are sorted by the edges' ends, to the preset's network."""
    space = Space.parse(presets.load("nasbench201"), input_shape=(3, 32, 32), classes=10)
    edges = sorted(space.baseline(), key=lambda name: tuple(map(int, re.findall(r"\d+", name)))[::-1])
    return lambda code: space.sample(replay({name: WORDS[int(digit)] for name, digit in zip(edges, code, strict=True)}))


def images(options: argparse.Namespace) -> Tensor:
    """(batch, 3, 32, 32), of mean 0 and deviation 1."""
    if options.data is None:
        return torch.randn(options.batch, 3, 32, 32, generator=torch.Generator().manual_seed(options.seed))
    with tempfile.TemporaryDirectory() as scratch:
        [train, *_] = idx.read(sorted(options.data.glob("*.gz")), scratch=Path(scratch)).pieces
        picked = np.random.default_rng(options.seed).choice(len(train), options.batch, replace=False)
        x = torch.tensor(train[np.sort(picked)], dtype=torch.float32)
    x = F.pad((x - x.mean()) / x.std(), (2, 2, 2, 2), value=float(-x.mean() / x.std()))
    return x.expand(-1, 3, -1, -1).contiguous()


def spearman(ours: Sequence[float | None], theirs: Sequence[float]) -> float:
    """Of those that have a number."""
    pairs = np.array([pair for pair in zip(ours, theirs, strict=True) if pair[0] is not None], dtype=float)
    ranks = [[float(np.mean(np.flatnonzero(np.sort(line) == value))) for value in line] for line in pairs.T]
    return float(np.asarray(np.corrcoef(ranks))[0, 1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--table", type=Path, required=True)
    parser.add_argument("--zero-cost", type=Path, required=True)
    parser.add_argument("--data", type=Path, help="folder of Fashion-MNIST; noise without it")
    parser.add_argument("--cells", type=int, default=60)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(1)
    found = cells(options)
    network, x, began = networks(), images(options), time.perf_counter()
    ours: dict[str, dict[str, float | None]] = {name: {} for name in COLUMNS}
    for code in found:
        architecture = network(code)
        torch.manual_seed(options.seed)
        for name, value in (measured(build(architecture), (x,)) | {"macs": analyse(architecture).macs}).items():
            ours[name][code] = value
    print(f"{len(found)} cells, {(time.perf_counter() - began) / len(found):.2f} s each")
    report(ours, found, options.json)


def report(
    ours: Mapping[str, Mapping[str, float | None]], found: Mapping[str, tuple[Values, float]], file: Path | None
) -> None:
    accuracy = [value for _, value in found.values()]
    theirs = {name: {code: values[name] for code, (values, _) in found.items()} for name in COLUMNS}
    lines = {
        name: {
            "with published": spearman(list(ours[name].values()), [float(v or 0) for v in theirs[name].values()]),
            "with accuracy": spearman(list(ours[name].values()), accuracy),
            "published with accuracy": spearman(list(theirs[name].values()), accuracy),
            "without a number": float(sum(value is None for value in ours[name].values())),
        }
        for name in COLUMNS
    }
    both = [list(combined(columns.values()).values()) for columns in (ours, theirs)]
    lines["all, combined"] = {
        "with published": spearman(*both),
        "with accuracy": spearman(both[0], accuracy),
        "published with accuracy": spearman(both[1], accuracy),
    }
    for name, figures in lines.items():
        print(f"{name:14s} " + "   ".join(f"{what} {figure:.3f}" for what, figure in figures.items()))
    if file:
        file.write_text(json.dumps(lines, indent=2) + "\n")


if __name__ == "__main__":
    main()
